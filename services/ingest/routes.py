"""What HTTP triggers: the platforms' and shops' webhooks, and the staff's articles.

The webhook addresses are raw ASGI, since they are the hot path: no request objects, the body read
once and bounded, one answer. A refusal is a short problem document whose code is its reason; only
what may work later is 503 with `Retry-After`. (What a platform does with a 503 is its own:
WeChat and Weibo send again at most three times, Standard Webhooks for days.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Annotated, Final, NoReturn
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request as StaffRequest
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from services.ingest.domain.refusals import UNREADABLE, Refusal
from services.ingest.handlers.articles import AddArticle
from services.ingest.handlers.webhooks import Taken, receive_push
from services.ingest.ports import GREETED, TAKEN, Door, Observer, Request
from shared.errors import TransientError
from shared.kafka.ports import Publisher
from shared.observe.logs import get_logger
from shared.web.auth import StaffRoute
from shared.web.body import (
    BadContentLengthError,
    BodyError,
    BodyTooLargeError,
    read_body,
    send_response,
)
from shared.web.errors import HttpError, parse_json, unavailable

LOG_EVERY_S: Final = 10.0
"""One reason at one address is logged once in this time, and counted always."""
_MOST_QUERY_FIELDS: Final = 256
"""Platforms and what stands between add their own; we read those that we know."""
_LONGEST_QUERY: Final = 8_192
_TEXT: Final = ((b"content-type", b"text/plain; charset=utf-8"),)
_STATUS: Final = {
    Refusal.UNKNOWN_ACCOUNT: 404,
    Refusal.METHOD: 405,
    Refusal.CONTENT_TYPE: 415,
    Refusal.TOO_LARGE: 413,
    Refusal.EVENT_TOO_LARGE: 413,
    Refusal.UNSIGNED: 401,
    Refusal.BAD_SIGNATURE: 401,
    Refusal.STALE: 401,
    Refusal.NONCE_REUSED: 401,
    Refusal.PLAIN_MODE: 403,
    Refusal.NO_KEY: 403,
    Refusal.NONCES_FULL: 503,
    Refusal.LOG_UNAVAILABLE: 503,
}
_MALFORMED_STATUS: Final = 400
_BODY_REFUSALS: Final = {
    BodyTooLargeError: Refusal.TOO_LARGE,
    BadContentLengthError: Refusal.MALFORMED,
}


class Webhooks:
    """The addresses `/<prefix>/<name>` of one platform, as a raw ASGI application.

    Args:
        platform: `wechat`, `weibo` or `shop`: a label.
        doors: by name.
        publisher: of `fan-events.v1`.
        observer: counts.
        clock: Unix seconds.
    """

    def __init__(
        self,
        platform: str,
        doors: Mapping[str, Door],
        *,
        publisher: Publisher,
        observer: Observer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._platform = platform
        self._doors = dict(doors)
        self._publisher = publisher
        self._observer = observer
        self._clock = clock
        self._log = get_logger(__name__)
        self._logged_at: dict[tuple[str, Refusal], float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            HttpError: it was refused; the shell answers.
        """
        name = scope["path"].partition("/")[2].partition("/")[2]
        door = self._doors.get(name)
        if door is None:
            self._refuse(Refusal.UNKNOWN_ACCOUNT, "")
        method = scope["method"]
        if method == "POST":
            await self._take(door, name, scope, receive, send)
        elif method in {"GET", "HEAD"}:  # the server sends no body after HEAD
            await self._greet(door, name, scope, send)
        else:
            self._refuse(Refusal.METHOD, name)

    async def _take(
        self, door: Door, name: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        headers = dict(scope["headers"])
        content_type = headers.get(b"content-type")
        if content_type and not _is_one_of(content_type, door.content_types):
            self._refuse(Refusal.CONTENT_TYPE, name)
        try:
            body = await read_body(scope, receive)
        except BodyError as error:
            self._count(_BODY_REFUSALS.get(type(error), Refusal.MALFORMED), name)
            raise
        query = self._read_query(scope["query_string"], name)
        request = Request(query, headers, body)
        outcome = await receive_push(door, request, self._publisher, self._clock())
        if not isinstance(outcome, Taken):
            self._refuse(outcome, name, UNREADABLE if outcome in door.untold else "")
        self._observer.webhook(self._platform, TAKEN)
        self._observer.event(type(outcome.incoming.event).__name__)
        content_type, reply = door.reply
        await send_response(send, 200, reply, ((b"content-type", content_type),))

    async def _greet(self, door: Door, name: str, scope: Scope, send: Send) -> None:
        request = Request(self._read_query(scope["query_string"], name), {}, b"")
        echo = door.greet(request, self._clock())
        if isinstance(echo, Refusal):
            self._refuse(echo, name)
        self._observer.webhook(self._platform, GREETED)
        await send_response(send, 200, echo, _TEXT)

    def _read_query(self, raw: bytes, name: str) -> Mapping[str, str]:
        query = read_query(raw)
        if query is None:
            self._refuse(Refusal.MALFORMED, name)
        return query

    def _refuse(self, refusal: Refusal, name: str, told: str = "") -> NoReturn:
        self._count(refusal, name)
        status = _STATUS.get(refusal, _MALFORMED_STATUS)
        if status == 503:  # noqa: PLR2004 - the HTTP status
            raise unavailable(refusal.value)
        headers = {"Allow": "GET, HEAD, POST"} if refusal is Refusal.METHOD else None
        raise HttpError(status, told or refusal.value, headers=headers)

    def _count(self, refusal: Refusal, name: str) -> None:
        self._observer.webhook(self._platform, refusal.value)
        now = time.monotonic()
        if now - self._logged_at.get((name, refusal), float("-inf")) >= LOG_EVERY_S:
            self._logged_at[name, refusal] = now
            self._log.warning(
                "ingest.webhook.refused", platform=self._platform, door=name, reason=refusal.value
            )


class ArticleBody(BaseModel):
    """What staff post to have an article's comments polled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: Annotated[str, Field(min_length=1, max_length=64)]
    """Our name of the WeChat account, or its gh_ id."""
    article: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
    """The msg_data_id."""
    index: Annotated[int, Field(ge=0, le=7)] = 0
    """The article's place in its message, from 0."""


def article_routes(add_article: AddArticle) -> list[StaffRoute]:
    """Return the staff's routes: POST /v1/articles."""

    async def add(request: StaffRequest) -> Response:
        body = parse_json(ArticleBody, await request.body())
        try:
            added = await add_article(body.account, body.article, body.index)
        except TransientError:
            raise unavailable("store_unavailable") from None
        if added is None:
            raise HttpError(404, "unknown_account", "No WeChat account has this name.")
        status = 201 if added.new else 200
        return JSONResponse({"id": added.id, "new": added.new}, status_code=status)

    return [
        StaffRoute("/v1/articles", add, roles={"campaigns", "operations"}, methods={"POST"}),
    ]


def read_query(raw: bytes) -> dict[str, str] | None:
    """Return a query's fields, the last of each name; None where they are too many or too long."""
    if len(raw) > _LONGEST_QUERY:
        return None
    text = raw.decode("latin-1")
    if "%" not in text and "+" not in text:  # as the platforms write it
        parts = text.split("&", _MOST_QUERY_FIELDS)
        if len(parts) > _MOST_QUERY_FIELDS:
            return None
        return {name: value for name, _, value in (part.partition("=") for part in parts)}
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_QUERY_FIELDS))
    except ValueError:
        return None


def _is_one_of(content_type: bytes, expected: frozenset[bytes]) -> bool:
    return content_type in expected or content_type.partition(b";")[0].strip().lower() in expected
