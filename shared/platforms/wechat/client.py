"""WeChat's API as calls with typed outcomes: customer message, mass send, comments.

A call is sent once; after a refused token it is sent once more with another token, since the
refusal says that nothing was done. Whoever called decides about every other repetition.
Source: WeChat "Customer service messages", "Batch sends", "Comments management".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Any, Final

import httpx
from pydantic import SecretStr

from shared.platforms.calls import Answer, call, read_code, read_id
from shared.platforms.fields import mend_text
from shared.platforms.outcomes import Accepted, Outcome, Reaction, Reason, Refused, Unknown
from shared.platforms.wechat.errors import SAME_MASS_SEND, classify
from shared.platforms.wechat.tokens import TokenCache

LARGEST_COMMENT_PAGE: Final = 49
"""WeChat refuses 50 and more."""
MASS_SEND_FANS: Final = range(2, 10_001)
"""How many openids one mass send takes."""
LONGEST_CLIENT_MSG_ID: Final = 64
"""Bytes of a `clientmsgid`."""


@dataclass(frozen=True, slots=True)
class MassSent:
    """An accepted mass send."""

    msg_id: str
    msg_data_id: str
    """Names the article for its comments; empty where WeChat gave none (a repeated send)."""
    repeated: bool
    """WeChat had accepted the same `clientmsgid` before."""


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment under an article."""

    comment_id: str
    openid: str
    """Empty where the author has no WeChat identity towards this account."""
    created_at: int
    """Unix seconds."""
    content: str
    elected: bool


@dataclass(frozen=True, slots=True)
class CommentPage:
    """Comments under an article, in the platform's order, newest first."""

    total: int
    """How many there are, as the platform says; live answers say the size of the page as well."""
    comments: tuple[Comment, ...]
    unreadable: int = 0
    """How many more the page has, that aren't as documented."""


class WeChatClient:
    """Calls the API for one account.

    Args:
        http: the client, with its timeouts and limits; closed by its owner.
        app_id: the account's AppID.
        app_secret: the account's AppSecret.
        base_url: where the API is, with any prefix.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        app_id: str,
        app_secret: SecretStr,
        base_url: str,
        clock: Callable[[], float],
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._tokens = TokenCache(
            http, base_url=base_url, app_id=app_id, app_secret=app_secret, clock=clock
        )

    async def send_text(self, openid: str, text: str) -> Outcome[str]:
        """Send a customer message; there is no idempotency key.

        Returns:
            Accepted with the message id where WeChat names one, else with an empty text.
        """
        return await self.send_customer_message(
            {"touser": openid, "msgtype": "text", "text": {"content": text}}
        )

    async def send_customer_message(
        self, message: Mapping[str, Any], *, latest: float = inf
    ) -> Outcome[str]:
        """Send a customer message of any `msgtype`, as WeChat's documentation words it.

        What has not begun by `latest`, by the client's clock, is not made: getting a token may
        have taken long.
        """
        answer = await self._post("/cgi-bin/message/custom/send", message, latest)
        if not isinstance(answer, Answer):
            return answer
        if code := answer.code("errcode"):
            return classify(code, answer.platform_time)
        if code is None or not answer.is_success:
            return answer.unreadable()
        return Accepted(read_id(answer.body.get("msgid")), answer.platform_time)

    async def send_mass_text(
        self, openids: Sequence[str], text: str, *, client_msg_id: str
    ) -> Outcome[MassSent]:
        """Send one text to 2 to 10,000 fans; repeatable under the same `client_msg_id` for 24 h."""
        return await self.send_mass(
            {"touser": list(openids), "msgtype": "text", "text": {"content": text}},
            client_msg_id=client_msg_id,
        )

    async def send_mass(
        self, message: Mapping[str, Any], *, client_msg_id: str, latest: float = inf
    ) -> Outcome[MassSent]:
        """Send a mass message of any `msgtype`, its `touser` included; `latest` as above.

        That WeChat has this `client_msg_id` already is success. Its "same key too soon" is
        `Unknown`: repeat the call with the same key after a minute.

        Raises:
            ValueError: the key or the number of fans is one that WeChat never takes.
        """
        if not 0 < len(client_msg_id.encode()) <= LONGEST_CLIENT_MSG_ID:
            raise ValueError(f"a clientmsgid has 1 to {LONGEST_CLIENT_MSG_ID} bytes")
        if len(message.get("touser", ())) not in MASS_SEND_FANS:
            raise ValueError("a mass send names 2 to 10,000 openids")
        answer = await self._post(
            "/cgi-bin/message/mass/send", {**message, "clientmsgid": client_msg_id}, latest
        )
        if not isinstance(answer, Answer):
            return answer
        code = answer.code("errcode")
        if code and code != SAME_MASS_SEND:
            return classify(code, answer.platform_time)
        msg_id = read_id(answer.body.get("msg_id")) or read_id(answer.body.get("msgid"))
        done = answer.is_success and code == 0 and msg_id
        if not done and code != SAME_MASS_SEND:
            return answer.unreadable()
        sent = MassSent(msg_id, read_id(answer.body.get("msg_data_id")), repeated=bool(code))
        return Accepted(sent, answer.platform_time)

    async def list_comments(
        self, msg_data_id: str, index: int, *, begin: int, count: int = LARGEST_COMMENT_PAGE
    ) -> Outcome[CommentPage]:
        """Read a page of an article's comments.

        Args:
            msg_data_id: as an accepted mass send or publication named it.
            index: the article's place in it, from 0.
            begin: how many comments to leave out.
            count: how many to read, at most `LARGEST_COMMENT_PAGE`.
        """
        answer = await self._post(
            "/cgi-bin/comment/list",
            {
                "msg_data_id": int(msg_data_id) if msg_data_id.isdecimal() else msg_data_id,
                "index": index,
                "begin": begin,
                "count": min(count, LARGEST_COMMENT_PAGE),
                "type": 0,
            },
        )
        if not isinstance(answer, Answer):
            return answer
        if code := answer.code("errcode"):
            return classify(code, answer.platform_time)
        page = _read_page(answer.body, said=code is not None) if answer.is_success else None
        return answer.unreadable() if page is None else Accepted(page, answer.platform_time)

    async def ask_time(self) -> datetime | None:
        """Make a light call without effect, for its `Date`; None where there was no answer."""
        return await self._tokens.ask_time()

    async def _post(
        self, path: str, payload: Mapping[str, Any], latest: float = inf
    ) -> Answer | Refused | Unknown:
        token = await self._tokens.get()
        if not isinstance(token, Accepted):
            return _not_called(token)
        answer = await self._post_with(token.value, path, payload, latest)
        if _refuses_token(answer):
            token = await self._tokens.replace(token.value)
            if not isinstance(token, Accepted):
                return _not_called(token)
            answer = await self._post_with(token.value, path, payload, latest)
            if (refused := _refuses_token(answer)) is not None:
                return replace(refused, reaction=self._tokens.note_new_refused(token.value))
        if isinstance(answer, Answer) and answer.code("errcode") is not None:
            self._tokens.note_taken()
        return answer

    async def _post_with(
        self, token: SecretStr, path: str, payload: Mapping[str, Any], latest: float
    ) -> Answer | Refused | Unknown:
        if self._clock() > latest:
            return Refused(Reason.UNREACHABLE, Reaction.RETRY)
        request = self._http.build_request(
            "POST",
            self._base_url + path,
            params={"access_token": token.get_secret_value()},
            # WeChat shows \uXXXX as it stands, so the body is real UTF-8
            content=json.dumps(payload, ensure_ascii=False).encode(),
            headers={"content-type": "application/json; charset=utf-8"},
        )
        return await call(self._http, request)


def _not_called(token: Refused | Unknown) -> Refused:
    """The call that needed the token was never made, however the token's own call ended."""
    if isinstance(token, Refused):
        return token
    return Refused(token.reason, Reaction.RETRY, token.code, token.platform_time)


def _refuses_token(answer: Answer | Refused | Unknown) -> Refused | None:
    if not isinstance(answer, Answer) or not (code := answer.code("errcode")):
        return None
    found = classify(code, answer.platform_time)
    if isinstance(found, Refused) and found.reaction is Reaction.REFRESH_TOKEN:
        return found
    return None


def _read_page(body: Mapping[str, Any], *, said: bool) -> CommentPage | None:
    """Return the page of an answer; `said`: it says that the call succeeded."""
    total, listed = body.get("total"), body.get("comment", [] if said else None)
    if not isinstance(total, int) or not isinstance(listed, list):
        return None
    comments = tuple(comment for item in listed if (comment := _read_comment(item)) is not None)
    if listed and not comments:
        return None  # not one of them is as documented: it is another kind of answer
    return CommentPage(total, comments, len(listed) - len(comments))


def _read_comment(item: object) -> Comment | None:
    if not isinstance(item, dict):
        return None
    comment_id, created_at = read_id(item.get("user_comment_id")), item.get("create_time")
    if not comment_id or not _SECONDS.fullmatch(read_id(created_at)):
        return None
    return Comment(
        comment_id=mend_text(comment_id),
        openid=mend_text(str(item.get("openid") or "")),
        created_at=int(read_id(created_at)),
        content=mend_text(str(item.get("content") or "")),
        elected=read_code(item.get("comment_type")) == 1,
    )


_SECONDS: Final = re.compile(r"[0-9]{1,12}")
