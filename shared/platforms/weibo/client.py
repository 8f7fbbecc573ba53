"""Weibo's API as calls with typed outcomes: the reply to a fan's message.

There is no idempotency key: what isn't known to have failed must not be sent again.
Source: Weibo "Messages_reply".
"""

from __future__ import annotations

import json

import httpx
from pydantic import SecretStr

from shared.platforms.calls import Answer, call, read_id
from shared.platforms.outcomes import Accepted, Outcome
from shared.platforms.weibo.errors import DELAYED, classify


class WeiboClient:
    """Calls the API for one account.

    Args:
        http: the client, with its timeouts and limits; closed by its owner.
        access_token: valid a year from binding; no call renews it.
        base_url: where the messages API is, with any prefix.
    """

    def __init__(self, http: httpx.AsyncClient, *, access_token: SecretStr, base_url: str) -> None:
        self._http = http
        self._access_token = access_token
        self._url = base_url.rstrip("/") + "/2/messages/reply.json"

    async def reply_text(self, receiver_id: str, text: str) -> Outcome[str]:
        """Send a text to a fan within 48 h of the fan's action.

        Returns:
            Accepted with the message id where Weibo names one, else with an empty text.
        """
        request = self._http.build_request(
            "POST",
            self._url,
            data={
                "access_token": self._access_token.get_secret_value(),
                "type": "text",
                # The form itself is what URL-encodes the JSON, once.
                "data": json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":")),
                "receiver_id": receiver_id,
                "save_sender_box": "0",
            },
        )
        answer = await call(self._http, request)
        if not isinstance(answer, Answer):
            return answer
        code = answer.code("error_code", "errcode")
        if code and code != DELAYED:
            return classify(code, answer.platform_time)
        done = answer.is_success and answer.body.get("result") is True
        if not done and code != DELAYED:
            return answer.unreadable()
        return Accepted(read_id(answer.body.get("msg_id")), answer.platform_time)
