"""Weibo's API under `/weibo`: answering fans, and the comments on the account's statuses.

Source: Weibo wiki "2/messages/reply", "2/comments/to_me". Errors are HTTP 400 (403 for a rate).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from deploy.sandbox.weibo import state as rules
from deploy.sandbox.weibo.state import WeiboState
from deploy.sandbox.world import World

_HTTP_ERROR, _HTTP_RATE = 400, 403
_COMMENTS_DEFAULT, _COMMENTS_MOST = 50, 200


class WeiboApi:
    """The handlers of the routes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[BaseRoute]:
        """Return the routes, with the platform's true paths."""
        return [
            Route("/2/messages/reply.json", self.reply, methods=["POST"]),
            Route("/2/comments/to_me.json", self.comments, methods=["GET"]),
        ]

    async def reply(self, request: Request) -> JSONResponse:
        """Answer `POST /2/messages/reply.json` (a form)."""
        path, now = "/2/messages/reply.json", self._world.clock.now()
        form = {**request.query_params, **_form(await request.body())}
        state = self._by_token(form.get("access_token", ""))
        if state is None:
            return self._refuse(path, "", rules.BAD_TOKEN, "token")
        account = state.config.account
        missing = [one for one in ("type", "data", "receiver_id") if not form.get(one)]
        if missing:
            return self._refuse(path, account, rules.MISSING_PARAMETER, missing[0])
        fan, kind, data = form["receiver_id"], form["type"], form["data"]
        code, reason = rules.check_content(kind, data), "content"
        if not code:
            code, reason = state.reply(fan, now)
        if code:
            return self._refuse(path, account, code, reason, fan=fan)
        self._world.books.record(
            now, "weibo", account, path, 0, fans=(fan,), type=kind, data=data, reason=reason
        )
        return JSONResponse(
            {
                "result": True,
                "sender_id": state.config.uid,
                "receiver_id": int(fan),
                "type": kind,
                "data": data,
            }
        )

    async def comments(self, request: Request) -> JSONResponse:
        """Answer `GET /2/comments/to_me.json`: newest first, `since_id`/`max_id`, pages."""
        path, query = "/2/comments/to_me.json", request.query_params
        state = self._by_token(query.get("access_token", ""))
        if state is None:
            return self._refuse(path, "", rules.BAD_TOKEN, "token")
        try:
            since, most = int(query.get("since_id", 0)), int(query.get("max_id", 0))
            size = min(int(query.get("count", _COMMENTS_DEFAULT)), _COMMENTS_MOST)
            page = max(int(query.get("page", 1)), 1)
        except ValueError:
            return self._refuse(path, state.config.account, rules.BAD_PARAMETER, "number")
        wanted = [
            one
            for one in reversed(state.comments)
            if one.comment_id > since and (not most or one.comment_id <= most)
        ]
        listed = [one.as_json() for one in wanted[(page - 1) * size : page * size]]
        return JSONResponse({"comments": listed, "total_number": len(wanted)})

    def _by_token(self, token: str) -> WeiboState | None:
        states = self._world.weibo.values()
        return next((one for one in states if one.config.access_token == token), None)

    def _refuse(
        self, path: str, account: str, code: int, reason: str, **facts: Any
    ) -> JSONResponse:
        now = self._world.clock.now()
        self._world.books.record(now, "weibo", account, path, code, reason=reason, **facts)
        status = _HTTP_RATE if code == rules.USER_RATE else _HTTP_ERROR
        error = {"request": path, "error_code": code, "error": rules.ERRORS[code]}
        return JSONResponse(error, status)


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
