"""What we answer to a WeChat push.

WeChat takes "success" and the empty body as "received, nothing to show", also in safe mode; any
other answer must be XML, and encrypted where the push was. An answer it can't read makes the fan
see that the account is out of order. Source: WeChat "Passive user reply message".
"""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr

from shared.platforms import sorted_sha1
from shared.platforms.wechat.crypto import MessageCipher
from shared.platforms.wechat.messages import build_xml

SUCCESS: Final = b"success"


def build_text_reply(*, to_fan: str, from_account: str, text: str, now: float) -> bytes:
    """Return the XML of a text that the fan sees at once; `now` is in Unix seconds."""
    return build_xml(
        {
            "ToUserName": to_fan,
            "FromUserName": from_account,
            "CreateTime": str(int(now)),
            "MsgType": "text",
            "Content": text,
        }
    )


def seal_reply(
    reply: bytes,
    *,
    cipher: MessageCipher,
    token: SecretStr,
    nonce: str,
    now: float,
    random: bytes | None = None,
) -> bytes:
    """Return the encrypted, signed form of a reply, as compatible and safe mode want it.

    Args:
        reply: the clear XML.
        cipher: the account's.
        token: the account's.
        nonce: any text; the push's own will do.
        now: Unix seconds; becomes the reply's timestamp, which its signature covers.
        random: see `MessageCipher.encrypt`.
    """
    encrypted = cipher.encrypt(reply, random=random)
    timestamp = str(int(now))
    return build_xml(
        {
            "Encrypt": encrypted,
            "MsgSignature": sorted_sha1.sign(token.get_secret_value(), timestamp, nonce, encrypted),
            "TimeStamp": timestamp,
            "Nonce": nonce,
        }
    )
