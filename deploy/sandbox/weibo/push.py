"""Weibo's pushes: the JSON of each action, signed in the query, and which answers Weibo accepts.

Source: Weibo wiki "消息推送服务", "Receive_General_Message", "Receive_Event_Push".
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from deploy.sandbox.actions import Action, Forgery
from deploy.sandbox.clock import weibo_time
from deploy.sandbox.config import Delivery, WeiboAccount
from deploy.sandbox.delivery import Patience, Push, Request
from deploy.sandbox.signing import sha1_of_sorted
from deploy.sandbox.wechat.push import STALE_S, UnknownActionError

_RETRY_PAUSE_S = 0.2
_REPLY_TYPES = frozenset({"text", "articles", "position"})
_PLAIN_TEXT = {"image": "发送了一张图片", "voice": "发了一个语音消息", "position": "发送了一个位置"}
_MESSAGE_DATA: Mapping[str, Mapping[str, Any]] = {
    "text": {},
    "image": {"vfid": 821804459, "tovfid": 821804469},
    "voice": {"vfid": 821804459, "tovfid": 821804469},
    "position": {"longitude": "121.473701", "latitude": "31.230416"},
    "mention": {"subtype": "status", "key": "3456789012345678"},
}
_EVENT_TEXT = {"follow": "关注事件消息", "unfollow": "取消关注事件消息", "scan_follow": "扫码关注"}
_SUBTYPES = frozenset(
    {"follow", "unfollow", "subscribe", "unsubscribe", "scan", "scan_follow", "click", "view"}
)


class WeiboPusher:
    """Builds one account's pushes."""

    def __init__(self, account: WeiboAccount, delivery: Delivery) -> None:
        self._account = account
        self._delivery = delivery
        self._captured: dict[str, str] | None = None

    def message(self, action: Action, at: float) -> dict[str, Any]:
        """Return the action's JSON.

        Raises:
            UnknownActionError: Weibo pushes nothing of that kind.
        """
        head = {
            "receiver_id": self._account.uid,
            "sender_id": int(action.fan),
            "created_at": weibo_time(at),
        }
        if action.kind in _MESSAGE_DATA:
            text = action.text or _PLAIN_TEXT.get(action.kind, "")
            data = {**_MESSAGE_DATA[action.kind], **action.fields}
            return {"type": action.kind, **head, "text": text, "data": data}
        subtype = action.key if action.kind == "event" else action.kind
        if action.kind != "event" and action.kind not in _SUBTYPES:
            raise UnknownActionError(f"Weibo pushes no {action.kind!r}")
        data = {"subtype": subtype}
        if action.kind in ("scan", "scan_follow"):
            scene = "QR_LIMIT_SCENE" if action.key.isdecimal() else "QR_LIMIT_STR_SCENE"
            data |= {"key": f"{scene}_{action.key}", "ticket": sha1_of_sorted(action.key)}
        elif action.kind in ("click", "view"):
            data |= {"key": action.key}
        text = action.text or _EVENT_TEXT.get(action.kind, "事件消息")
        return {"type": "event", **head, "text": text, "data": data | dict(action.fields)}

    def push(self, action: Action, at: float) -> Push:
        """Return the push that tells the service of the action."""
        params = self._signed(int(at * 1000), stale=action.forge is Forgery.STALE)
        if action.forge is Forgery.BODY and self._captured is not None:
            params = self._captured  # the signature does not cover the body
        elif action.forge in (Forgery.BODY, Forgery.SIGNATURE):
            params = {**params, "signature": secrets.token_hex(20)}
        body = json.dumps(self.message(action, at), ensure_ascii=False).encode()
        request = Request(self._account.webhook, params, {"Content-Type": "application/json"}, body)
        pauses = (_RETRY_PAUSE_S,) * (self._delivery.attempts - 1)
        return Push(
            name=f"{action.kind}:{params['nonce']}",
            requests=[request],
            judge=lambda answer: self.understands(answer, action.fan),
            patience=Patience(self._delivery.patience_s, pauses, self._delivery.retry_on_5xx),
            copies=action.copies,
            lost_answers=action.lost_answers,
            forged=action.forge is not None,
        )

    def capture(self, _action: Action, push: Push) -> None:
        """Remember an answered push's signature, as a forger on the line would."""
        self._captured = push.requests[0].params

    def verification(self, at: float) -> Push:
        """Return the GET that Weibo sends when the webhook's address is saved."""
        echostr = secrets.token_hex(5)
        params = {**self._signed(int(at * 1000)), "echostr": echostr}
        return Push(
            name="verify",
            requests=[Request(self._account.webhook, params, method="GET")],
            judge=lambda answer: answer == echostr.encode(),
            patience=Patience(self._delivery.patience_s, ()),
        )

    def understands(self, answer: bytes, fan: str) -> bool:
        """Tell whether Weibo accepts the answer: an empty body, `success`, or a passive reply."""
        if answer in (b"", b"success"):
            return True
        try:
            reply = json.loads(answer)
            data = json.loads(unquote(reply["data"]))
            return (
                reply["result"] is True
                and reply["type"] in _REPLY_TYPES
                and int(reply["receiver_id"]) == int(fan)
                and int(reply["sender_id"]) == self._account.uid
                and isinstance(data, dict)
            )
        except (ValueError, KeyError, TypeError):
            return False

    def _signed(self, at_ms: int, *, stale: bool = False) -> dict[str, str]:
        timestamp = str(at_ms - (STALE_S * 1000 if stale else 0))
        nonce = str(secrets.randbelow(10**9))
        signature = sha1_of_sorted(self._account.app_secret, timestamp, nonce)
        return {"signature": signature, "timestamp": timestamp, "nonce": nonce}
