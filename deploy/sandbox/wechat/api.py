"""WeChat's server API under `/wechat`: tokens, customer messages, mass sends, comments.

It reads requests and words answers; `wechat_state` decides.
Source: WeChat service-account API reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from deploy.sandbox.actions import Action
from deploy.sandbox.wechat import rules
from deploy.sandbox.wechat.http import (
    BAD_ARGUMENT,
    COMMENT_COUNT,
    NO_COMMENT_PRIVILEGE,
    NO_SUCH_ARTICLE,
    Handler,
    RefusedError,
    account_by_secret,
    account_by_token,
    booked,
    json_object,
    reply,
)
from deploy.sandbox.wechat.messages import check_mass_content, check_message
from deploy.sandbox.wechat.state import Comment, MassJob, WechatState, default_client_msg_id
from deploy.sandbox.wechat.tokens import Issue
from deploy.sandbox.world import World

_ADMIN_OPENID = "oADMINmphelper00000000000000"  # whom MASSSENDJOBFINISH names as its sender
_ARTICLES = frozenset({"mpnews"})
_COMMENTS_BELOW = 50
_ALL_COMMENTS, _ELECTED_COMMENTS = 0, 2


class WechatApi:
    """The handlers of the routes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[BaseRoute]:
        """Return the routes, with the platform's true paths."""
        return [
            self._route("stable_token", self.stable_token),
            self._route("token", self.classic_token, method="GET"),
            self._route("message/custom/send", self.custom_send),
            self._route("message/mass/send", self.mass_send),
            self._route("comment/list", self.comment_list),
        ]

    async def stable_token(self, request: Request) -> JSONResponse:
        """Answer `POST /cgi-bin/stable_token`."""
        found = await json_object(request)
        state = account_by_secret(self._world, found)
        force = found.get("force_refresh") is True
        now = self._world.clock.now()
        return _token(state, state.tokens.issue_stable(now, force_refresh=force))

    async def classic_token(self, request: Request) -> JSONResponse:
        """Answer `GET /cgi-bin/token`."""
        state = account_by_secret(self._world, request.query_params)
        return _token(state, state.tokens.issue_classic(self._world.clock.now()))

    async def custom_send(self, request: Request) -> JSONResponse:
        """Answer `POST /cgi-bin/message/custom/send`."""
        state = account_by_token(self._world, request)
        account, now = state.config.account, self._world.clock.now()
        message = await json_object(request, account)
        openid = message.get("touser")
        facts: dict[str, Any] = {"msgtype": message.get("msgtype"), "text": _text(message)}
        if not isinstance(openid, str) or not openid:
            raise RefusedError(rules.BAD_OPENID, account, **facts)
        if code := check_message(message) or state.send_message(openid, now):
            raise RefusedError(code, account, openid=openid, **facts)
        self._world.books.record(
            now, "wechat", account, "message/custom/send", 0, fans=(openid,), **facts
        )
        return reply()

    async def mass_send(self, request: Request) -> JSONResponse:
        """Answer `POST /cgi-bin/message/mass/send`.

        `msg_data_id` comes with an article only. A repeated `clientmsgid` names the first `msg_id`.
        """
        state = account_by_token(self._world, request)
        account, now = state.config.account, self._world.clock.now()
        message = await json_object(request, account)
        openids = message.get("touser")
        if not isinstance(openids, list) or not all(isinstance(one, str) for one in openids):
            raise RefusedError(rules.WRONG_FAN_COUNT, account)
        if code := check_mass_content(message):
            raise RefusedError(code, account, clientmsgid=message.get("clientmsgid"))
        client_msg_id = message.get("clientmsgid") or _default_client_msg_id(message, openids)
        article = message["msgtype"] in _ARTICLES
        job = state.send_mass(tuple(openids), client_msg_id, now, article=article)
        self._book_mass(account, now, message, job, client_msg_id)
        if job.code == rules.SAME_CLIENTMSGID:
            return reply(job.code, msg_id=job.msg_id)
        if job.code:
            return reply(job.code)
        self._finish_later(state, job, len(set(openids)))
        ids = {"msg_id": job.msg_id} | ({"msg_data_id": job.msg_data_id} if article else {})
        return JSONResponse({"errcode": 0, "errmsg": "send job submission success", **ids})

    async def comment_list(self, request: Request) -> JSONResponse:
        """Answer `POST /cgi-bin/comment/list`: newest first, `index` from 0, `count` below 50.

        `total` is the size of the page, as users of the live API measured; the documentation says
        it counts all of them.
        """
        state = account_by_token(self._world, request)
        account = state.config.account
        query = await json_object(request, account)
        names = ("msg_data_id", "index", "begin", "count", "type")
        numbers = [query.get(name, 0) for name in names]
        if not all(isinstance(one, int) and one >= 0 for one in numbers):
            raise RefusedError(BAD_ARGUMENT, account)
        msg_data_id, index, begin, size, kind = numbers
        if kind > _ELECTED_COMMENTS:
            raise RefusedError(BAD_ARGUMENT, account)
        if not state.config.comments:
            raise RefusedError(NO_COMMENT_PRIVILEGE, account)
        if not 0 < size < _COMMENTS_BELOW:
            raise RefusedError(COMMENT_COUNT, account)
        if (msg_data_id, index) not in state.articles:
            raise RefusedError(NO_SUCH_ARTICLE, account)
        wanted = [
            one
            for one in reversed(state.articles[msg_data_id, index])
            if kind == _ALL_COMMENTS or one.elected == (kind == _ELECTED_COMMENTS)
        ]
        listed = [_comment(one) for one in wanted[begin : begin + size]]
        return reply(total=len(listed), comment_cnt=len(wanted), comment=listed)

    def _route(self, call: str, handler: Handler, *, method: str = "POST") -> BaseRoute:
        return Route(f"/cgi-bin/{call}", booked(self._world, call, handler), methods=[method])

    def _book_mass(
        self,
        account: str,
        now: float,
        message: Mapping[str, Any],
        job: MassJob,
        client_msg_id: str,
    ) -> None:
        facts: dict[str, Any] = {}
        named: tuple[str, ...] = tuple(dict.fromkeys(message["touser"]))
        over_quota = None
        if job.split is not None:
            facts["over_month"] = list(job.split.over_month)
            facts["not_following"] = list(job.split.not_following)
            over_quota = len(job.split.over_month)
        self._world.books.record(
            now,
            "wechat",
            account,
            "message/mass/send",
            job.code,
            fans=() if job.code else named,
            over_quota=over_quota,
            clientmsgid=client_msg_id,
            msg_id=job.msg_id,
            msg_data_id=job.msg_data_id,
            msgtype=message["msgtype"],
            text=_text(message),
            named=len(named),
            **facts,
        )

    def _finish_later(self, state: WechatState, job: MassJob, named: int) -> None:
        split = job.split or rules.MassSplit((), (), ())
        action = Action(
            account=state.config.account,
            kind="event",
            key="MASSSENDJOBFINISH",
            fan=_ADMIN_OPENID,
            fields={
                "MsgID": job.msg_id,
                "Status": "send success",
                "TotalCount": named,
                "FilterCount": len(split.delivered) + len(split.over_month),
                "SentCount": len(split.delivered),
                "ErrorCount": len(split.over_month),
                "CopyrightCheckResult": {"Count": 0, "ResultList": "", "CheckState": 2},
            },
        )
        self._world.later(self._world.config.limits.mass_job_delay_s, action)


def _token(state: WechatState, issue: Issue) -> JSONResponse:
    if issue.code:
        raise RefusedError(issue.code, state.config.account)
    return JSONResponse({"access_token": issue.token, "expires_in": issue.expires_in})


def _default_client_msg_id(message: Mapping[str, Any], openids: list[str]) -> str:
    content = {key: value for key, value in message.items() if key != "touser"}
    return default_client_msg_id(json.dumps(content).encode(), openids)


def _comment(one: Comment) -> dict[str, Any]:
    return (
        {"user_comment_id": one.user_comment_id}
        | ({"openid": one.openid} if one.openid else {})
        | {
            "create_time": one.create_time,
            "content": one.content,
            "comment_type": int(one.elected),
        }
    )


def _text(message: Mapping[str, Any]) -> str:
    body = message.get("text")
    content = body.get("content") if isinstance(body, Mapping) else None
    return content if isinstance(content, str) else ""
