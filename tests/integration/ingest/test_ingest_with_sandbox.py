"""Ingest against the stand-in platforms, each a process of its own: their pushes, our polling."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.brand import SHOP, WECHAT, WEIBO
from deploy.local.stack import Stack
from services.ingest.handlers.comments import LEASE_S
from tests.support.crash_books import Record, once, read_topic
from tests.support.parts import unique_name

FAN = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
WEIBO_FAN = "2489518277"
TIMEOUT_S = 60.0


@pytest.fixture
def stack(
    log: str, store: str, topic_prefix: str, parts_kind: str, tmp_path: Path
) -> Iterator[Stack]:
    environment = {
        "FAN_CREATE_TOPICS": json.dumps(parts_kind == "real"),
        "FAN_INGEST_COMMENT_POLL_EVERY_S": "0.2",
    }
    with Stack(
        tmp_path / "stack",
        bootstrap_servers=log,
        mongodb_url=store,
        topic_prefix=topic_prefix,
        database_prefix=unique_name("test"),
        environment=environment,
        services=["ingest"],
    ) as running:
        yield running


@pytest.fixture
def sandbox(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url("sandbox"), timeout=TIMEOUT_S, trust_env=False) as client:
        yield client


def send(sandbox: httpx.Client, **action: Any) -> dict[str, Any]:
    answer = sandbox.post("/_story/send", json=action)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def metric(stack: Stack, name: str) -> float:
    """The sum of a metric's series whose line starts so."""
    answer = httpx.get(f"{stack.url('ingest')}/metrics", timeout=TIMEOUT_S, trust_env=False)
    lines = answer.text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def events(stack: Stack) -> list[Record]:
    """Every event in the log, once: a platform may send one again, and we may write it again."""
    return once(read_topic(stack.bootstrap_servers, f"{stack.topic_prefix}fan-events.v1"))


def comments_found(stack: Stack) -> int:
    """How many different comments are in the log."""
    return len({e.value["comment_id"] for e in events(stack) if e.type == "CommentPosted"})


def eventually(check: Callable[[], bool], within_s: float = TIMEOUT_S) -> None:
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.1)  # a deadline's step, not a guess


GENUINE: list[dict[str, Any]] = [
    *(
        {"account": WECHAT, "fan": FAN, **action}
        for action in (
            {"kind": "subscribe", "key": "7"},
            {"kind": "text", "text": "你好😀]]>"},
            {"kind": "text", "text": "a", "mode": "compatible"},
            {"kind": "image"},
            {"kind": "scan", "key": "7"},
            {"kind": "click", "key": "V1"},
            {"kind": "view", "key": "https://x"},
            {"kind": "unsubscribe"},
        )
    ),
    *(
        {"account": WEIBO, "fan": WEIBO_FAN, **action}
        for action in (
            {"kind": "follow"},
            {"kind": "text", "text": "好"},
            {"kind": "scan", "key": "7"},
            {"kind": "click", "key": "V1"},
            {"kind": "image"},
            {"kind": "unfollow"},
        )
    ),
    {
        "account": SHOP,
        "kind": "order.paid",
        "fan": FAN,
        "fields": {
            "platform": "wechat",
            "account": WECHAT,
            "order_id": "A-1",
            "amount_minor": 100,
        },
    },
]


def test_what_the_platforms_send_is_taken_and_what_forgers_send_is_not(
    stack: Stack, sandbox: httpx.Client
) -> None:
    for action in GENUINE:
        assert send(sandbox, **action)["status"] == 200, action
    for forge in ("signature", "stale", "body"):
        for action in (GENUINE[1], GENUINE[9], GENUINE[-1]):
            told = send(sandbox, **action, forge=forge)
            assert 400 <= told["status"] < 500, (forge, action, told)
    plain = send(sandbox, **GENUINE[1], mode="plain")
    assert plain["status"] == 403
    assert len(events(stack)) == len(GENUINE)
    assert metric(stack, 'fan_webhook_events_total{type="OtherReceived"}') == 0


def test_a_lost_answer_makes_the_platform_send_again_and_that_is_taken(
    stack: Stack, sandbox: httpx.Client
) -> None:
    told = send(sandbox, **GENUINE[1], lost_answers=1, copies=2)
    assert told["status"] == 200
    assert metric(stack, 'fan_webhooks_total{outcome="taken",platform="wechat"}') >= 3


def test_comments_are_found_by_polling_also_after_a_kill(
    stack: Stack, sandbox: httpx.Client
) -> None:
    published = sandbox.post("/_story/articles", json={"account": WECHAT}).json()
    article = str(published["msg_data_id"])
    token = stack.brand.staff_tokens["operations"]
    added = httpx.post(
        f"{stack.url('ingest')}/v1/articles",
        json={"account": WECHAT, "article": article},
        headers={"authorization": f"Bearer {token}"},
        timeout=TIMEOUT_S,
        trust_env=False,
    )
    assert added.status_code == 201

    def comment(count: int) -> None:
        comments = [{"text": f"评论{number}", "fan": FAN} for number in range(count)]
        body = {"account": WECHAT, "msg_data_id": int(article), "index": 0,
                "comments": comments}  # fmt: skip
        assert sandbox.post("/_story/comments", json=body).status_code == 200

    comment(120)
    eventually(lambda: comments_found(stack) == 120)
    stack.kill_service("ingest")
    comment(3)
    stack.restart_service("ingest")
    # Killed in the middle of a reading, it leaves a lease that must run out first.
    eventually(lambda: comments_found(stack) == 123, within_s=LEASE_S + 60)
