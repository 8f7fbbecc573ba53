"""The floor of ingest: a bare ASGI application that verifies the signature and produces the body.

FLOOR_TOKEN=… FLOOR_BOOTSTRAP=… FLOOR_TOPIC=… uvicorn bench.floors.webhook:app
"""

from __future__ import annotations

import hmac
import os
import re
from hashlib import sha1
from typing import Any
from urllib.parse import parse_qsl

from aiokafka import AIOKafkaProducer

ENCRYPT = re.compile(rb"<Encrypt><!\[CDATA\[(.*?)\]\]></Encrypt>")
TOKEN = os.environ.get("FLOOR_TOKEN", "")
TOPIC = os.environ.get("FLOOR_TOPIC", "")
producer: Any = None


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Serve uvicorn."""
    global producer  # noqa: PLW0603 -- the least program that works
    if scope["type"] == "lifespan":
        await receive()
        producer = AIOKafkaProducer(bootstrap_servers=os.environ["FLOOR_BOOTSTRAP"], acks="all")
        await producer.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await producer.stop()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = (await receive())["body"]
    query = dict(parse_qsl(scope["query_string"].decode()))
    found = ENCRYPT.search(body)
    parts = sorted([TOKEN, query["timestamp"], query["nonce"], found[1].decode() if found else ""])
    expected = sha1("".join(parts).encode()).hexdigest()  # noqa: S324 -- WeChat's own scheme
    status = 403
    if hmac.compare_digest(expected, query["msg_signature"]):
        await producer.send_and_wait(TOPIC, body)
        status = 200
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"7")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"success"})
