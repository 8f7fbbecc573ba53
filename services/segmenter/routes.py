"""What staff may ask the segmenter over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse

from services.segmenter.domain.view import fan_view, rule_view
from services.segmenter.handlers import TagHandler
from services.segmenter.ports import FanIndex
from shared.errors import TransientError
from shared.settings import Role
from shared.web.auth import StaffRoute
from shared.web.errors import HttpError, unavailable

READERS: tuple[Role, ...] = ("campaigns", "operations", "viewer")


def staff_routes(
    index: FanIndex, handler: TagHandler, now: Callable[[], int]
) -> tuple[StaffRoute, ...]:
    """The routes under /v1.

    Args:
        index: reads fans.
        handler: knows how a document is read, and the rules in force.
        now: milliseconds since the epoch.
    """

    async def fan(request: Request) -> JSONResponse:
        """One fan: profile, tags with since, until and reason, counters."""
        key = request.path_params["key"]
        try:
            document = await index.find(key)
        except TransientError:
            raise unavailable("store_unreachable") from None
        state = handler.load(document) if document is not None else None
        if state is None or state.left:
            raise HttpError(404, "unknown_fan", "No such fan, or the fan has left.")
        return JSONResponse(fan_view(handler.book, key, state, now()), headers=_PRIVATE)

    async def tags(_: Request) -> JSONResponse:
        """All tags: the rule of each, and how many fans hold it."""
        book = handler.book
        try:
            fans = await index.count_by_tag(book.tags)
            outdated = await index.count_outdated(book.digest)
        except TransientError:
            raise unavailable("store_unreachable") from None
        return JSONResponse(
            {
                "rules": book.digest,
                "fans_to_examine": outdated,
                "tags": [rule_view(spec, fans[spec.tag]) for spec in book.specs],
            },
            headers=_PRIVATE,
        )

    return (
        StaffRoute("/v1/fans/{key:path}", fan, roles=READERS),
        StaffRoute("/v1/tags", tags, roles=READERS),
    )


_PRIVATE = {"Cache-Control": "no-store"}
