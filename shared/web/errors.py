"""Errors as a client sees them: `application/problem+json`, short, never an inside view.

Source: RFC 9457, with `code` added for programs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from shared.errors import FanEngagementError
from shared.web.limits import RETRY_AFTER_S

PROBLEM_TYPE = b"application/problem+json"
MAX_NAMED_FIELDS = 5

M = TypeVar("M", bound=BaseModel)


class HttpError(FanEngagementError):
    """Answer a request with this status.

    Args:
        status: the HTTP status, 400 to 599.
        code: a bounded word for programs and metrics, such as `unknown_fan`.
        detail: a sentence for people; it must not quote a secret or a fan's words.
        headers: added to the answer.
    """

    def __init__(
        self, status: int, code: str, detail: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})

    @property
    def body(self) -> bytes:
        """The problem document."""
        problem: dict[str, object] = {
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            problem["detail"] = self.detail
        return json.dumps(problem, ensure_ascii=False).encode()

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of the answer but those of every answer, as ASGI wants them."""
        extra = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        return [
            (b"content-type", PROBLEM_TYPE),
            (b"cache-control", b"no-store"),
            *extra,
        ]


def unavailable(
    code: str, detail: str = "Try again shortly.", retry_after_s: int = RETRY_AFTER_S
) -> HttpError:
    """503 with `Retry-After`: nothing was done, and the same request may be sent again."""
    return HttpError(503, code, detail, {"Retry-After": str(retry_after_s)})


def internal_error() -> HttpError:
    """500 for what nobody foresaw; the log has the details."""
    return HttpError(500, "internal_error", "The request failed here. It has been logged.")


def from_starlette(error: HTTPException) -> HttpError:
    """Starlette's own error in our form."""
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return HttpError(error.status_code, code, "", error.headers)


def parse_json(model: type[M], body: bytes) -> M:
    """A request's body as a model.

    Raises:
        HttpError: 422 that names the fields and what is wrong with them, without their values.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        named = (
            f"{'.'.join(str(part) for part in problem['loc']) or 'body'}:"
            f" {problem['msg'].removeprefix('Value error, ')}"
            for problem in found[:MAX_NAMED_FIELDS]
        )
        raise HttpError(422, "invalid_body", "; ".join(named)) from None  # it may quote the body
