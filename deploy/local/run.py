"""`make run`: the stack left running, with its addresses and a sample call for each input.

``python -m deploy.local.run``; ``FAN_PARTS=real`` takes Apache Kafka and the compiled store. A
process that ends by itself, also while it starts, is started again after growing pauses; the others
stay up.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.local.brand import SHOP, WECHAT, WEIBO
from deploy.local.keeper import Keeper
from deploy.local.parts.embedded_log import REPOSITORY
from deploy.local.parts.errors import PartError
from deploy.local.private import make_private_folder, open_private
from deploy.local.signals import stop_on_signals
from deploy.local.stack import Kind, Stack

FOLDER = REPOSITORY / "var" / "run"
LOOK_EVERY_S = 1.0
FAN = "oDemoFan0000000000000000000A"
WEIBO_FAN = "5012345678"


def main() -> int:
    """Run until Ctrl-C; the exit status is 1 if something did not come up."""
    kind: Kind = "real" if os.environ.get("FAN_PARTS") == "real" else "embedded"
    try:
        with (
            stop_on_signals(),
            only_one(FOLDER),
            Stack(FOLDER / "stack", kind=kind, report=_report, keeps_others_up=True) as stack,
        ):
            print(describe(stack), flush=True)
            _watch(stack)
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.")
    except PartError as error:
        print(f"\n{error}\nStopped; nothing is left running.", file=sys.stderr)
        return 1
    return 0


def describe(stack: Stack) -> str:
    """Addresses, sample calls, and how to stop it."""
    sandbox, ingest = stack.url("sandbox"), stack.url("ingest")
    volatile = stack.log is not None and stack.log.is_volatile
    note = (
        "The embedded log is volatile: everything is gone when it stops (FAN_PARTS=real keeps it)."
        if volatile
        else "The log and the store keep their data while this runs; the next start begins anew."
    )
    return f"""
The platform runs. {note}

  ingest     {ingest}   webhooks
  segmenter  {stack.url("segmenter")}   tags
  notifier   {stack.url("notifier")}   pushes
  sentiment  {stack.url("sentiment")}   incidents
  sandbox    {sandbox}   stand-in WeChat, Weibo, shop, WeCom robot and PagerDuty
  log        {stack.bootstrap_servers}
  store      {stack.mongodb_url}
  log files  {stack.logs}
  Each service has /livez, /readyz and /metrics.

One call for each input. The sandbox signs and encrypts what it pushes, like the platforms:

  # WeChat: a fan follows by a shop's QR code, then writes
  {_act(sandbox, account=WECHAT, kind="subscribe", fan=FAN, key="store-001")}
  {_act(sandbox, account=WECHAT, kind="text", fan=FAN, text="新品多少钱？")}

  # Weibo: a fan writes
  {_act(sandbox, account=WEIBO, kind="text", fan=WEIBO_FAN, text="怎么买")}

  # A shop posts a purchase, signed here (Standard Webhooks)
  {_purchase(ingest, stack)}

Staff look at the result, a second or two later:

  {_get(stack, "segmenter", "viewer", f"/v1/fans/wechat:{WECHAT}:{FAN}")}
  {_get(stack, "segmenter", "viewer", "/v1/tags")}
  {_get(stack, "notifier", "viewer", "/v1/campaigns")}
  {_get(stack, "sentiment", "oncall", "/v1/incidents")}
  curl -s {sandbox}/_books        # what reached the platforms

Ctrl-C stops everything.
"""


def _act(sandbox: str, **action: str) -> str:
    content = "-H 'content-type: application/json'"
    return f"curl -s {sandbox}/_story/send {content} -d '{json.dumps(action, ensure_ascii=False)}'"


def _purchase(ingest: str, stack: Stack) -> str:
    order: dict[str, Any] = {
        "type": "order.paid",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {
            "platform": "wechat",
            "account": WECHAT,
            "fan": FAN,
            "order_id": "A1",
            "amount_minor": 12900,
            "currency": "CNY",
            "items": ["栗子蒙布朗"],
        },
    }
    body = json.dumps(order, ensure_ascii=False)
    return f"""body='{body}'
  id=msg_$(date +%s); at=$(date +%s)
  sig=$(printf '%s.%s.%s' "$id" "$at" "$body" | openssl dgst -sha256 -binary \\
    -mac HMAC -macopt hexkey:{stack.brand.shop_key.hex()} | base64)
  curl -s {ingest}/events/{SHOP} -H 'content-type: application/json' -d "$body" \\
    -H "webhook-id: $id" -H "webhook-timestamp: $at" -H "webhook-signature: v1,$sig\""""


def _get(stack: Stack, service: str, role: str, path: str) -> str:
    token = stack.brand.staff_tokens[role]
    return f"curl -s -H 'authorization: Bearer {token}' '{stack.url(service)}{path}'"


def _watch(stack: Stack) -> None:
    keeper = Keeper(stack, lambda line: print(f"  {line}", flush=True))
    while True:
        time.sleep(LOOK_EVERY_S)
        keeper.look()


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Refuse a second stack in the same folder: it would remove the first one's files."""
    make_private_folder(folder)
    with open(folder / "lock", "w", encoding="utf-8", opener=open_private) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            said = (
                f"another stack runs already from {folder}; end it first, with Ctrl-C where it runs"
            )
            raise PartError(said) from error
        yield


def _report(line: str) -> None:
    print(f"  starting {line} …", flush=True)


if __name__ == "__main__":
    sys.exit(main())
