"""Whole WeChat webhook requests in safe mode, built by the sandbox's reading of the protocol."""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlencode

from deploy.local.brand import NAME, WECHAT, WECHAT_APP_ID, Brand
from deploy.sandbox.signing import sha1_of_sorted
from deploy.sandbox.wechat.aes import Envelope
from deploy.sandbox.wechat.xml import build_xml


def clicks(brand: Brand, count: int) -> Iterator[bytes]:
    """Requests of `count` menu clicks, all different."""
    now = int(time.time())
    for number in range(count):
        yield request(
            brand,
            {
                "ToUserName": WECHAT,
                "FromUserName": f"o{number % 5_000:027d}",
                "CreateTime": now - number // 50_000,
                "MsgType": "event",
                "Event": "CLICK",
                "EventKey": f"menu_{number}",
            },
        )


def request(brand: Brand, fields: dict[str, object]) -> bytes:
    """One POST as it stands on the wire."""
    envelope = Envelope(brand.wechat_aes_key, WECHAT_APP_ID)
    sealed = envelope.seal(build_xml(fields).encode(), secrets.token_bytes(16))
    timestamp, nonce = str(int(time.time())), secrets.token_hex(5)
    query = urlencode(
        {
            "signature": sha1_of_sorted(brand.wechat_token, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "openid": str(fields["FromUserName"]),
            "encrypt_type": "aes",
            "msg_signature": sha1_of_sorted(brand.wechat_token, timestamp, nonce, sealed),
        }
    )
    body = build_xml({"ToUserName": WECHAT, "Encrypt": sealed}).encode()
    head = (
        f"POST /wechat/{NAME}?{query} HTTP/1.1\r\nHost: bench\r\nContent-Type: text/xml\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def write(requests: Iterable[bytes], path: Path) -> None:
    """For `bench.workers.load`."""
    with path.open("wb") as file:
        for raw in requests:
            file.write(struct.pack(">I", len(raw)) + raw)
