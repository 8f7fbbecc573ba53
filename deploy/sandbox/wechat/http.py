"""What every WeChat call shares: the token's check, refusals as answers, and their entry in books.

HTTP 200 even for errors; success is errcode 0. Source: WeChat "Global return codes".
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from deploy.sandbox.wechat import rules
from deploy.sandbox.wechat.state import WechatState
from deploy.sandbox.world import World

BAD_GRANT_TYPE = 40002
BAD_APPID = 40013
NO_TOKEN = 41001
NO_JSON = 47001
BAD_ARGUMENT = 47003
NO_COMMENT_PRIVILEGE = 88000
NO_SUCH_ARTICLE = 88001
COMMENT_COUNT = 88010

_ERRORS = {
    rules.BUSY: "system error",
    rules.INVALID_TOKEN: "invalid credential, access_token is invalid or not latest",
    BAD_GRANT_TYPE: "invalid grant_type",
    rules.BAD_OPENID: "invalid openid",
    40008: "invalid message type",
    BAD_APPID: "invalid appid",
    rules.WRONG_FAN_COUNT: "invalid openid list size",
    rules.BAD_SECRET: "invalid appsecret",
    NO_TOKEN: "access_token missing",
    42001: "access_token expired",
    rules.NOT_FOLLOWING: "require subscribe",
    44004: "empty content",
    rules.TOO_LONG: "content size out of limit",
    45008: "article count out of limit",
    rules.DAILY_QUOTA: "reach max api daily quota limit",
    rules.MINUTE_LIMIT: "api minute-quota reach limit, must slower, retry next minute",
    rules.WINDOW_CLOSED: "response out of time limit or subscription is canceled",
    rules.NO_MASS_QUOTA: "has no masssend quota",
    rules.COUNT_OVER: "out of response count limit",
    rules.SAME_CLIENTMSGID: "clientmsgid exist",
    rules.SAME_CLIENTMSGID_TOO_SOON: "same clientmsgid retry too fast",
    rules.CLIENTMSGID_TOO_LONG: "clientmsgid size out of limit",
    NO_JSON: "data format error",
    BAD_ARGUMENT: "argument invalid!",
    rules.NEVER_FOLLOWED: "user is unsubscribed",
    NO_COMMENT_PRIVILEGE: "without comment privilege",
    NO_SUCH_ARTICLE: "msg_data is not exists",
    COMMENT_COUNT: "count range error. cnt <= 0 or cnt > 50",
}

Handler = Callable[[Request], Awaitable[JSONResponse]]


class RefusedError(Exception):
    """The platform says no: a code, whom it concerns, and facts for the books."""

    def __init__(self, code: int, account: str = "", **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.account = account
        self.facts = facts


def booked(world: World, call: str, handler: Handler) -> Handler:
    """Wrap a handler: its refusal goes into the books, then out as the platform's answer."""

    async def answer(request: Request) -> JSONResponse:
        try:
            return await handler(request)
        except RefusedError as refused:
            now = world.clock.now()
            world.books.record(now, "wechat", refused.account, call, refused.code, **refused.facts)
            return reply(refused.code)

    return answer


def reply(code: int = 0, **more: Any) -> JSONResponse:
    """Return the platform's answer."""
    message = _ERRORS.get(code, "error") if code else "ok"
    return JSONResponse({"errcode": code, "errmsg": message, **more})


def account_by_token(world: World, request: Request) -> WechatState:
    """Return the account that the `access_token` belongs to.

    Raises:
        RefusedError: the token is missing, unknown, expired or killed.
    """
    token = request.query_params.get("access_token", "")
    if not token:
        raise RefusedError(NO_TOKEN)
    for account, state in world.wechat.items():
        if token.startswith(state.config.appid + "_"):
            if code := state.tokens.check(token, world.clock.now()):
                raise RefusedError(code, account)
            return state
    raise RefusedError(rules.INVALID_TOKEN)


def account_by_secret(world: World, found: Mapping[str, Any]) -> WechatState:
    """Return the account that asks for a token with its appid and secret.

    Raises:
        RefusedError: the grant type, the appid or the secret is wrong.
    """
    if found.get("grant_type") != "client_credential":
        raise RefusedError(BAD_GRANT_TYPE)
    for account, state in world.wechat.items():
        if state.config.appid == found.get("appid"):
            if state.config.secret != found.get("secret"):
                raise RefusedError(rules.BAD_SECRET, account)
            return state
    raise RefusedError(BAD_APPID)


async def json_object(request: Request, account: str = "") -> dict[str, Any]:
    """Return the request's JSON object.

    Raises:
        RefusedError: the body is anything else.
    """
    try:
        found = json.loads(await request.body())
    except ValueError as error:
        raise RefusedError(NO_JSON, account) from error
    if not isinstance(found, dict):
        raise RefusedError(NO_JSON, account)
    return found
