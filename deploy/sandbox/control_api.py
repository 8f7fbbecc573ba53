"""The sandbox's own interface: its books, its faults, and the actions that drive it.

`GET /_books`, `POST /_control`, `POST /_control/reset`, `POST /_story/*`, `GET /_health`.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from deploy.sandbox.actions import Action
from deploy.sandbox.faults import FaultOrder
from deploy.sandbox.wechat.push import UnknownActionError
from deploy.sandbox.world import World

_BAD_REQUEST, _NOT_FOUND, _OUR_FAULT = 400, 404, 500


class Batch(BaseModel):
    """Many actions; a fan's own stay in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    actions: tuple[Action, ...]
    concurrency: int = Field(default=8, ge=1, le=64)


class Control(BaseModel):
    """An order to the sandbox; what is absent stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    faults: tuple[FaultOrder, ...] = ()
    clock_offset_s: float | None = None
    revoke_tokens: bool = False


class Reset(BaseModel):
    """What to reset: everything, or the faults and the clock alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    only_faults: bool = False


class NewArticle(BaseModel):
    """An article published by hand, outside any mass send."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    account: str


class NewComment(BaseModel):
    """A comment to write; `fan` may be empty (an identity outside WeChat)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str
    fan: str = ""
    elected: bool = False
    at: float | None = None


class NewComments(BaseModel):
    """Comments to put under a WeChat article, or (without `msg_data_id`) on a Weibo account."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    account: str
    msg_data_id: int = 0
    index: int = 0
    comments: tuple[NewComment, ...]


class ControlApi:
    """The handlers of the routes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[BaseRoute]:
        """Return the routes; none of them is a platform's."""
        return [
            Route("/_health", _health, methods=["GET"]),
            Route("/_books", self.books, methods=["GET"]),
            Route("/_control", _checked(self.control), methods=["POST"]),
            Route("/_control/reset", _checked(self.reset), methods=["POST"]),
            Route("/_story/send", _checked(self.send), methods=["POST"]),
            Route("/_story/batch", _checked(self.batch), methods=["POST"]),
            Route("/_story/articles", _checked(self.article), methods=["POST"]),
            Route("/_story/comments", _checked(self.comment), methods=["POST"]),
        ]

    async def books(self, request: Request) -> JSONResponse:
        """Return the books; `?entries=false` leaves only the totals."""
        entries = request.query_params.get("entries", "true") != "false"
        shown = self._world.books.as_json(entries=entries)
        names = {one.routing_key: one.name for one in self._world.config.pagerduty}
        shown["alerts"] = {
            names[key]: [one.as_json() for one in (*found.closed, *found.by_key.values())]
            for key, found in self._world.alerts.items()
        }
        return JSONResponse(shown)

    async def control(self, request: Request) -> dict[str, Any]:
        """Order faults, shift the clock, revoke tokens."""
        order = Control.model_validate_json(await request.body())
        for fault in order.faults:
            self._world.faults.add(fault)
        if order.clock_offset_s is not None:
            self._world.clock.offset_s = order.clock_offset_s
        if order.revoke_tokens:
            for state in self._world.wechat.values():
                state.tokens.revoke_all()
        return {"ok": True}

    async def reset(self, request: Request) -> dict[str, Any]:
        """Forget everything, or with `only_faults` the faults and the clock's offset."""
        order = Reset.model_validate_json(await request.body() or b"{}")
        self._world.clock.offset_s = 0.0
        if order.only_faults:
            self._world.faults.clear()
        else:
            self._world.reset()
        return {"ok": True}

    async def send(self, request: Request) -> dict[str, Any]:
        """Let one action happen; answers when its push is settled."""
        action = Action.model_validate_json(await request.body())
        outcome = await self._world.act(action)
        return {
            "counts": outcome.counts.as_json(),
            "verdict": outcome.verdict,
            "status": outcome.status,
        }

    async def batch(self, request: Request) -> dict[str, Any]:
        """Let many actions happen; answers when all their pushes are settled."""
        batch = Batch.model_validate_json(await request.body())
        counts = await self._world.act_all(batch.actions, concurrency=batch.concurrency)
        return {"counts": counts.as_json()}

    async def article(self, request: Request) -> dict[str, Any]:
        """Publish an article by hand."""
        order = NewArticle.model_validate_json(await request.body())
        return {"msg_data_id": self._world.wechat[order.account].publish_article()}

    async def comment(self, request: Request) -> dict[str, Any]:
        """Write comments; nobody is told, the platform never pushes them."""
        order = NewComments.model_validate_json(await request.body())
        now, ids = self._world.clock.now(), []
        for one in order.comments:
            at = now if one.at is None else one.at
            if order.account in self._world.weibo:
                weibo = self._world.weibo[order.account]
                ids.append(weibo.add_comment(int(one.fan), one.text, at).comment_id)
                continue
            added = self._world.wechat[order.account].add_comment(
                order.msg_data_id,
                order.index,
                one.text,
                at,
                openid=one.fan,
                elected=one.elected,
            )
            if added is None:
                raise KeyError(order.msg_data_id)
            ids.append(added.user_comment_id)
        return {"ids": ids}


async def _health(_request: Request) -> JSONResponse:
    return JSONResponse({"ok": True})


def _checked(
    handler: Callable[[Request], Awaitable[dict[str, Any]]],
) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def answer(request: Request) -> JSONResponse:
        try:
            return JSONResponse(await handler(request))
        except ValidationError as error:
            return JSONResponse({"error": error.errors(include_url=False)}, _BAD_REQUEST)
        except (UnknownActionError, ValueError) as error:
            return JSONResponse({"error": str(error)}, _BAD_REQUEST)
        except KeyError as error:
            return JSONResponse({"error": f"unknown: {error}"}, _NOT_FOUND)
        except Exception as error:  # noqa: BLE001 - a mistake of ours; whoever drives must see it
            return JSONResponse({"error": traceback.format_exception(error)}, _OUR_FAULT)

    return answer
