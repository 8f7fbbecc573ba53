"""WeChat's pushes: what each action looks like on the wire, and which answers WeChat accepts.

It signs and encrypts by its own code, in the three modes of the platform's console.
Source: WeChat "Message push", "Receiving standard messages", "Receiving event pushes".
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from itertools import count
from typing import Any

from deploy.sandbox.actions import Action, Forgery
from deploy.sandbox.config import Delivery, Mode, WechatAccount
from deploy.sandbox.delivery import Patience, Push, Request
from deploy.sandbox.signing import sha1_of_sorted
from deploy.sandbox.wechat.aes import Envelope, EnvelopeError
from deploy.sandbox.wechat.xml import ReplyError, build_xml, parse_xml

STALE_S = 3600  # how old a stale forgery's timestamp is

_RETRY_PAUSE_S = 0.2
_RANDOM_LETTERS = 8  # bytes; 16 letters in hex, as the samples show
_MENU_ID = 401234567
_EVENTS = {
    "subscribe": "subscribe",
    "unsubscribe": "unsubscribe",
    "scan": "SCAN",
    "click": "CLICK",
    "view": "VIEW",
}
_MEDIA: Mapping[str, Mapping[str, Any]] = {
    "image": {"PicUrl": "http://mmbiz.qpic.cn/sandbox", "MediaId": "media_sandbox"},
    "voice": {"MediaId": "media_sandbox", "Format": "amr"},
    "video": {"MediaId": "media_sandbox", "ThumbMediaId": "thumb_sandbox"},
    "location": {"Location_X": 31.23, "Location_Y": 121.47, "Scale": 15, "Label": "上海市黄浦区"},
    "link": {"Title": "分享", "Description": "", "Url": "https://example.com/"},
}


class UnknownActionError(ValueError):
    """The platform has no such push."""


class WechatPusher:
    """Builds one account's pushes."""

    def __init__(self, account: WechatAccount, delivery: Delivery) -> None:
        self._account = account
        self._delivery = delivery
        self._envelope = Envelope(account.encoding_aes_key, account.appid)
        self._msg_ids = count(time.time_ns() // 1000)
        self._captured: dict[Mode, dict[str, str]] = {}

    def fields(self, action: Action, at: float) -> dict[str, Any]:
        """Return the fields of the action's XML.

        Raises:
            UnknownActionError: WeChat pushes nothing of that kind.
        """
        head: dict[str, Any] = {
            "ToUserName": self._account.account,
            "FromUserName": action.fan,
            "CreateTime": int(at),
        }
        if action.kind == "text":
            body = {"MsgType": "text", "Content": action.text, "MsgId": next(self._msg_ids)}
        elif action.kind in _MEDIA:
            body = {
                "MsgType": action.kind,
                **_MEDIA[action.kind],
                "MsgId": next(self._msg_ids),
            }
        else:
            body = {"MsgType": "event", **self._event(action)}
        return {**head, **body, **action.fields}

    def push(self, action: Action, at: float) -> Push:
        """Return the push that tells the service of the action, with its re-sends."""
        mode = action.mode or self._account.mode
        fan_fields = self.fields(action, at)
        attempts = self._delivery.attempts if self._delivery.resign_on_retry else 1
        requests = [self._request(fan_fields, mode, at, action.forge) for _ in range(attempts)]
        pauses = (_RETRY_PAUSE_S,) * (self._delivery.attempts - 1)
        return Push(
            name=f"{action.kind}:{fan_fields.get('MsgId', '')}",
            requests=requests,
            judge=lambda answer: self.understands(answer, action.fan, mode),
            patience=Patience(self._delivery.patience_s, pauses, self._delivery.retry_on_5xx),
            copies=action.copies,
            lost_answers=action.lost_answers,
            forged=action.forge is not None,
        )

    def capture(self, action: Action, push: Push) -> None:
        """Remember an answered push's signature, as a forger on the line would."""
        self._captured[action.mode or self._account.mode] = push.requests[0].params

    def verification(self, at: float) -> Push:
        """Return the GET that the console sends when the webhook's address is saved."""
        timestamp, nonce = str(int(at)), secrets.token_hex(5)
        echostr = str(secrets.randbelow(10**19))
        params = {
            "signature": sha1_of_sorted(self._account.token, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "echostr": echostr,
        }
        request = Request(self._account.webhook, params, method="GET")
        return Push(
            name="verify",
            requests=[request],
            judge=lambda answer: answer == echostr.encode(),
            patience=Patience(self._delivery.patience_s, ()),
        )

    def understands(self, answer: bytes, fan: str, mode: Mode) -> bool:
        """Tell whether the platform accepts the answer: `success`, nothing, or a passive reply.

        In safe mode a reply must be encrypted; in compatible mode it may be.
        """
        if answer in (b"", b"success"):
            return True
        try:
            reply = parse_xml(answer)
            if "Encrypt" in reply and mode is not Mode.PLAIN:
                reply = parse_xml(self._open_reply(reply))
            elif mode is Mode.SAFE:
                return False
        except (ReplyError, EnvelopeError):
            return False
        return (
            reply.get("ToUserName") == fan
            and reply.get("FromUserName") == self._account.account
            and bool(reply.get("MsgType"))
            and reply.get("CreateTime", "").isdecimal()
        )

    def _open_reply(self, reply: Mapping[str, str]) -> bytes:
        signed = (reply.get("TimeStamp", ""), reply.get("Nonce", ""), reply["Encrypt"])
        if reply.get("MsgSignature") != sha1_of_sorted(self._account.token, *signed):
            raise ReplyError("the reply's signature is wrong")
        return self._envelope.open(reply["Encrypt"])

    def _event(self, action: Action) -> dict[str, Any]:
        if action.kind == "event":
            return {"Event": action.key}
        if action.kind not in _EVENTS:
            raise UnknownActionError(f"WeChat pushes no {action.kind!r}")
        event: dict[str, Any] = {"Event": _EVENTS[action.kind]}
        if action.kind == "unsubscribe":
            return event
        by_code = action.kind == "scan" or (action.kind == "subscribe" and bool(action.key))
        prefix = "qrscene_" if by_code and action.kind == "subscribe" else ""
        event["EventKey"] = prefix + action.key
        if by_code:
            event["Ticket"] = f"gQH_{sha1_of_sorted(action.key)}"
        if action.kind == "view":
            event["MenuId"] = _MENU_ID
        return event

    def _request(
        self, fields: Mapping[str, Any], mode: Mode, at: float, forge: Forgery | None
    ) -> Request:
        timestamp = str(int(at) - (STALE_S if forge is Forgery.STALE else 0))
        nonce = secrets.token_hex(5)
        signature = sha1_of_sorted(self._account.token, timestamp, nonce)
        params = {
            "signature": signature,
            "timestamp": timestamp,
            "nonce": nonce,
            "openid": str(fields["FromUserName"]),
        }
        body: Mapping[str, Any] = fields
        if mode is not Mode.PLAIN:
            random = secrets.token_hex(_RANDOM_LETTERS).encode()
            encrypt = self._envelope.seal(build_xml(fields).encode(), random)
            params["encrypt_type"] = "aes"
            params["msg_signature"] = sha1_of_sorted(self._account.token, timestamp, nonce, encrypt)
            outer = {"ToUserName": fields["ToUserName"], "Encrypt": encrypt}
            body = outer if mode is Mode.SAFE else {**fields, **outer}
        return Request(
            self._account.webhook,
            self._forge(params, mode, forge),
            {"Content-Type": "text/xml"},
            build_xml(body).encode(),
        )

    def _forge(self, params: dict[str, str], mode: Mode, forge: Forgery | None) -> dict[str, str]:
        invented = {"signature": secrets.token_hex(20)}
        if mode is not Mode.PLAIN:
            invented["msg_signature"] = secrets.token_hex(20)
        if forge is Forgery.SIGNATURE:
            return {**params, **invented}
        if forge is Forgery.BODY:
            # In plain mode nothing covers the body, so a forger needs only a captured signature.
            return self._captured.get(mode, {**params, **invented})
        return params
