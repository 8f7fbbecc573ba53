"""A signature over joined parts is right for other cuts of the same digits, and binds all the same.

The joined parts are sorted, so the attacks need parts whose order stays: the token here begins with
a letter and comes last.
"""

from __future__ import annotations

import pytest

from services.ingest.domain.incoming import Incoming
from services.ingest.domain.nonces import NonceTable
from services.ingest.domain.refusals import Refusal
from services.ingest.handlers.wechat_door import WeChatDoor
from services.ingest.handlers.weibo_door import WeiboDoor
from services.ingest.ports import Request
from tests.support.platform_pushes import (
    NOW,
    TOKEN,
    WECHAT_ACCOUNT,
    WEIBO_ACCOUNT,
    WEIBO_SECRET,
    plain_request,
    sealed_request,
    sha1,
    text_xml,
    wechat_door,
    weibo_door,
    weibo_push,
    weibo_request,
)


def query(secret: str, timestamp: str, nonce: str) -> dict[str, str]:
    return {"signature": sha1(secret, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}


def test_a_digit_does_not_move_from_the_nonce_to_the_timestamp() -> None:
    """`0120` sorts before the timestamp, so the joined text begins with it."""
    door = wechat_door(allow_plain=True)
    seen = query(TOKEN, "1764000000", "0120")
    assert isinstance(door.read(Request(seen, {}, text_xml("first")), NOW), Incoming)
    moved = {**seen, "timestamp": "01764000000", "nonce": "012"}
    assert sha1(TOKEN, "01764000000", "012") == seen["signature"]
    assert door.read(Request(moved, {}, text_xml("forged")), NOW) is Refusal.UNSIGNED


def test_nor_from_the_timestamp_to_the_nonce_on_weibo() -> None:
    """Milliseconds may be cut to seconds where the nonce comes next."""
    table = NonceTable()
    seen = query(WEIBO_SECRET, "1764000000900", "955")
    assert isinstance(weibo_door(table).read(Request(seen, {}, weibo_push()), NOW), Incoming)
    moved = {**seen, "timestamp": "1764000000", "nonce": "900955"}
    assert sha1(WEIBO_SECRET, "1764000000", "900955") == seen["signature"]
    forged = Request(moved, {}, weibo_push(text="forged"))
    assert weibo_door(table).read(forged, NOW) is Refusal.NONCE_REUSED


def test_timestamp_and_nonce_are_not_exchanged() -> None:
    table = NonceTable()
    door = wechat_door(allow_plain=True, nonces=table)
    seen = query(TOKEN, "1764000000", "1764000100")
    assert isinstance(door.read(Request(seen, {}, text_xml("first")), NOW), Incoming)
    exchanged = {**seen, "timestamp": "1764000100", "nonce": "1764000000"}
    assert door.read(Request(exchanged, {}, text_xml("forged")), NOW + 100) is Refusal.NONCE_REUSED


@pytest.mark.parametrize("first_came", ["verification", "push"])
def test_a_signature_of_one_account_carries_no_other_body_to_another_with_its_secret(
    first_came: str,
) -> None:
    table = NonceTable()
    account = WECHAT_ACCOUNT.model_copy(update={"allow_plain": True})
    other = account.model_copy(update={"original_id": "gh_other", "name": "other"})
    first, second = WeChatDoor(account, table), WeChatDoor(other, table)
    if first_came == "verification":
        assert first.greet(plain_request(b"", echostr="1"), NOW) == b"1"
    else:
        assert isinstance(first.read(plain_request(text_xml("first")), NOW), Incoming)
    assert second.read(plain_request(text_xml("forged")), NOW) is Refusal.NONCE_REUSED


def test_not_even_to_another_platform() -> None:
    table = NonceTable()
    weibo = WEIBO_ACCOUNT.model_copy(update={"app_secret": WECHAT_ACCOUNT.token})
    seen = query(TOKEN, "1764000000", "n1")
    door = wechat_door(allow_plain=True, nonces=table)
    assert isinstance(door.read(Request(seen, {}, text_xml("first")), NOW), Incoming)
    forged = Request(seen, {}, weibo_push(text="forged"))
    assert WeiboDoor(weibo, table).read(forged, NOW) is Refusal.NONCE_REUSED


def test_a_restart_opens_a_window_that_closes_when_the_timestamp_is_stale() -> None:
    """What is documented in docs/adr/0020: a restarted process knows no binding."""
    first = plain_request(text_xml("first"))
    assert isinstance(wechat_door(allow_plain=True).read(first, NOW), Incoming)
    forged = plain_request(text_xml("forged"))
    restarted = wechat_door(allow_plain=True)
    assert isinstance(restarted.read(forged, NOW + 300), Incoming)
    assert restarted.read(first, NOW + 300) is Refusal.NONCE_REUSED
    assert wechat_door(allow_plain=True).read(forged, NOW + 301) is Refusal.STALE


@pytest.mark.parametrize("timestamp", ["1764000000", "1764000000000"])
def test_weibo_may_sign_seconds_or_milliseconds(timestamp: str) -> None:
    found = weibo_door().read(weibo_request(weibo_push(), timestamp=timestamp), NOW)
    assert isinstance(found, Incoming)


def test_the_signature_beside_a_sealed_body_carries_no_plain_one() -> None:
    """An account may take both modes, as while it changes from one to the other."""
    door = wechat_door(allow_plain=True)
    sealed = sealed_request(text_xml("first"))
    assert isinstance(door.read(sealed, NOW), Incoming)
    seen = {name: sealed.query[name] for name in ("signature", "timestamp", "nonce")}
    assert door.read(Request(seen, {}, text_xml("forged")), NOW) is Refusal.NONCE_REUSED


def test_a_sealed_body_is_taken_whatever_else_came_with_its_signature() -> None:
    door = wechat_door(allow_plain=True)
    sealed = sealed_request(text_xml("genuine"))
    seen = {name: sealed.query[name] for name in ("signature", "timestamp", "nonce")}
    assert isinstance(door.read(Request(seen, {}, text_xml("raced")), NOW), Incoming)
    assert isinstance(door.read(sealed, NOW), Incoming)
    assert isinstance(door.read(sealed_request(text_xml("again")), NOW), Incoming)
