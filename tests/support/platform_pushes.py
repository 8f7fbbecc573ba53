"""Doors of invented accounts, and pushes as the platforms would send them to those.

The signing and sealing are written apart from `shared.platforms`, so that a mistake there can't
cancel itself out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import struct
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pydantic import SecretStr

from services.ingest.domain.nonces import NonceTable
from services.ingest.handlers.shop_door import ShopDoor
from services.ingest.handlers.wechat_door import WeChatDoor
from services.ingest.handlers.weibo_door import WeiboDoor
from services.ingest.ports import Request
from shared.platforms.accounts import Shop, WeChatAccount, WeiboAccount

NOW: Final = 1_764_000_000.0
TOKEN: Final = "wechat-token"
AES_KEY: Final = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
APP_ID: Final = "wx0123456789abcdef"
GH: Final = "gh_0123456789ab"
WEIBO_SECRET: Final = "weibo-secret"
WEIBO_UID: Final = "1902538057"
SHOP_KEY: Final = b"twenty-four bytes of key"
SHOP_SECRET: Final = "whsec_" + base64.b64encode(SHOP_KEY).decode()

WECHAT_ACCOUNT: Final = WeChatAccount(
    name="brand",
    kind="service",
    app_id=APP_ID,
    original_id=GH,
    token=SecretStr(TOKEN),
    app_secret=SecretStr("app-secret"),
    encoding_aes_key=SecretStr(AES_KEY),
)
WEIBO_ACCOUNT: Final = WeiboAccount(
    name="brand", uid=WEIBO_UID, app_secret=SecretStr(WEIBO_SECRET), access_token=SecretStr("t")
)
SHOP: Final = Shop(name="shop", secrets=(SecretStr(SHOP_SECRET),))
OWN_IDS: Final = {("wechat", "brand"): GH, ("wechat", GH): GH, ("weibo", "brand"): WEIBO_UID}


def wechat_door(
    *, allow_plain: bool = False, key: bool = True, nonces: NonceTable | None = None
) -> WeChatDoor:
    account = WECHAT_ACCOUNT.model_copy(
        update={
            "allow_plain": allow_plain,
            "encoding_aes_key": WECHAT_ACCOUNT.encoding_aes_key if key else None,
        }
    )
    return WeChatDoor(account, nonces or NonceTable())


def weibo_door(nonces: NonceTable | None = None) -> WeiboDoor:
    return WeiboDoor(WEIBO_ACCOUNT, nonces or NonceTable())


def shop_door() -> ShopDoor:
    return ShopDoor(SHOP, OWN_IDS)


def sha1(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def seal(message: bytes, *, app_id: str = APP_ID, key: str = AES_KEY) -> str:
    clear = os.urandom(16) + struct.pack(">I", len(message)) + message + app_id.encode()
    size = 32 - len(clear) % 32
    return seal_bytes(clear + bytes([size]) * size, key=key)


def seal_bytes(clear: bytes, *, key: str = AES_KEY) -> str:
    """Whole blocks, encrypted as they are."""
    raw = base64.b64decode(key + "=")
    encryptor = Cipher(algorithms.AES(raw), modes.CBC(raw[:16])).encryptor()
    return base64.b64encode(encryptor.update(clear) + encryptor.finalize()).decode()


def xml(**fields: str) -> bytes:
    inner = "".join(f"<{name}><![CDATA[{text}]]></{name}>" for name, text in fields.items())
    return f"<xml>{inner}</xml>".encode()


def wechat_xml(**fields: str) -> bytes:
    """A push's clear XML, with the fields every push has."""
    return xml(
        **{
            "ToUserName": GH,
            "FromUserName": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M",
            "CreateTime": "1764000000",
            **fields,
        }
    )


def text_xml(content: str = "你好", msg_id: str = "24012345678901234") -> bytes:
    return wechat_xml(MsgType="text", Content=content, MsgId=msg_id)


def sealed_request(
    clear: bytes,
    *,
    encrypted: str | None = None,
    timestamp: str = "1764000000",
    nonce: str = "n1",
    beside: dict[str, str] | None = None,
    **query: str,
) -> Request:
    """A push in safe mode; with fields `beside`, in compatible mode."""
    cipher_text = seal(clear) if encrypted is None else encrypted
    return Request(
        query={
            "signature": sha1(TOKEN, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "encrypt_type": "aes",
            "msg_signature": sha1(TOKEN, timestamp, nonce, cipher_text),
            **query,
        },
        headers={},
        body=xml(ToUserName=GH, Encrypt=cipher_text, **(beside or {})),
    )


def plain_request(
    body: bytes, *, timestamp: str = "1764000000", nonce: str = "n1", **query: str
) -> Request:
    """A push in plain mode."""
    signed = {"signature": sha1(TOKEN, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
    return Request(query={**signed, **query}, headers={}, body=body)


def weibo_push(**fields: Any) -> bytes:
    return json.dumps(
        {
            "type": "text",
            "receiver_id": int(WEIBO_UID),
            "sender_id": 2489518277,
            "created_at": "Tue Nov 25 00:00:00 +0800 2025",
            "text": "私信",
            "data": {},
            **fields,
        }
    ).encode()


def weibo_xml(**fields: str) -> bytes:
    """A push in Weibo's XML, with the fields every push has."""
    return xml(
        **{
            "ToUserName": WEIBO_UID,
            "FromUserName": "2489518277",
            "CreateTime": "1764000000",
            **fields,
        }
    )


def weibo_request(
    body: bytes, *, timestamp: str = "1764000000000", nonce: str = "n1", **query: str
) -> Request:
    signed = {
        "signature": sha1(WEIBO_SECRET, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
    }
    return Request(query={**signed, **query}, headers={}, body=body)


ORDER: Final = {
    "type": "order.paid",
    "timestamp": "2025-11-25T00:00:00+08:00",
    "data": {
        "platform": "wechat",
        "account": "brand",
        "fan": "o6",
        "order_id": "A-1",
        "amount_minor": 19900,
        "items": ["茶"],
    },
}


def shop_headers(
    body: bytes, *, webhook_id: str = "msg_1", timestamp: str = "1764000000"
) -> dict[bytes, bytes]:
    content = f"{webhook_id}.{timestamp}.".encode() + body
    mac = base64.b64encode(hmac.new(SHOP_KEY, content, hashlib.sha256).digest())
    return {
        b"webhook-id": webhook_id.encode(),
        b"webhook-timestamp": timestamp.encode(),
        b"webhook-signature": b"v1," + mac,
    }


def shop_request(document: object, **signed: str) -> Request:
    body = json.dumps(document).encode()
    return Request(query={}, headers=shop_headers(body, **signed), body=body)
