"""Escalation, a link's purpose, an hour's grace, a lease's renewal: each at its very edge."""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256

import pytest

from services.sentiment.domain.incidents.history import (
    GRACE_MS,
    LONGEST_GAP_MS,
    MOST_HOURS,
    hours_to_fold,
)
from services.sentiment.domain.incidents.incident import Status
from services.sentiment.domain.incidents.judgement import got_worse
from services.sentiment.domain.incidents.usual import HOUR_MS, Usual
from services.sentiment.domain.paging import links
from services.sentiment.domain.paging.escalation import (
    Escalate,
    Policy,
    Step,
    Wait,
    next_escalation,
    wanted_pages,
)
from services.sentiment.domain.paging.links import Opens, Refused
from services.sentiment.loops.leases import LEASE_S, AccountLeases
from shared.testing.memory_store import MemoryLeases
from tests.unit.sentiment.incidents.builders import NOON, incident

SECRET = b"a secret of sixteen bytes or more"
BOTH = Policy((Step(0.0, ("robot", "pager")), Step(300.0, ("phone",))))


def test_one_dead_channel_is_not_all_of_them() -> None:
    def due(*refused: str) -> object:
        return next_escalation(incident(), BOTH, NOON, refused=frozenset(refused))

    assert isinstance(due("robot"), Wait)
    assert isinstance(due("pager", "phone"), Wait)
    assert due("robot", "pager") == Escalate(1, "channels_dead")
    assert isinstance(due("robot", "pager", "phone"), Wait)


def test_one_live_channel_of_the_next_step_is_enough_to_go_there() -> None:
    policy = Policy((Step(0.0, ("robot",)), Step(300.0, ("robot", "phone"))))
    dead = frozenset({"robot"})
    assert next_escalation(incident(), policy, NOON, refused=dead) == Escalate(1, "channels_dead")


def test_an_escalation_waits_for_its_seconds_from_when_its_step_was_reached() -> None:
    policy = Policy((Step(10.0, ("robot",)), Step(0.5, ("robot",))), repeat_s=2.0)
    reached = incident(step_at=NOON + 7)
    assert next_escalation(reached, policy, NOON) == Wait(NOON + 507)
    assert next_escalation(reached, policy, NOON + 506) == Wait(NOON + 507)
    assert next_escalation(reached, policy, NOON + 507) == Escalate(1, "not_acknowledged")
    last = incident(step=1, step_at=NOON)
    assert next_escalation(last, policy, NOON + 1_999) == Wait(NOON + 2_000)


@pytest.mark.parametrize(
    ("status", "action", "at"),
    [("acknowledged", "acknowledge", NOON + 5), ("resolved", "resolve", NOON + 9)],
)
def test_word_of_an_end_names_what_ended_and_when(status: Status, action: str, at: int) -> None:
    """Word of an acknowledgement is overtaken by the end."""
    over = incident(
        status=status,
        step=3,
        acknowledged_at=NOON + 5,
        resolved_at=NOON + 9 if status == "resolved" else None,
        number=4,
    )
    (page,) = wanted_pages(over, BOTH, ["robot"])
    assert (page.action, page.due_at, page.step, page.mention) == (action, at, 0, ())
    assert (page.incident, page.account) == (over.id, over.account)
    by_itself = incident(status="resolved", resolved_at=NOON + 9)
    assert [page.action for page in wanted_pages(by_itself, BOTH, ["robot"])] == ["resolve"]


def test_each_round_has_words_of_its_own() -> None:
    def word(number: int) -> str:
        taken = incident(status="acknowledged", acknowledged_at=NOON + 5, round=number)
        (page,) = wanted_pages(taken, BOTH, ["robot"])
        assert (page.step, page.round) == (number, number)
        return page.id

    assert len({word(number) for number in range(3)}) == 3


@pytest.mark.parametrize(
    ("known", "now", "worse"),
    [
        ((1, 10), (2, 10), True),
        ((2, 10), (3, 10), True),
        ((2, 10), (2, 10), False),
        ((3, 10), (2, 10), False),
        ((0, 10), (1, 10), False),
        ((2, 10), (2, 19), False),
        ((2, 10), (2, 20), True),
    ],
)
def test_worse_is_graver_from_severe_on_or_many_times_the_people(
    known: tuple[int, int], now: tuple[int, int], *, worse: bool
) -> None:
    assert got_worse(known, now, 2.0) is worse


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_a_mac_for_another_purpose_opens_no_incident() -> None:
    payload = f"{incident().id}|{NOON + 1}".encode()
    for purpose in (b"", b"fan-engagement incident link v0|", b"session|"):
        mac = hmac.new(SECRET, purpose + payload, sha256).digest()
        assert links.verify(f"{encode(payload)}.{encode(mac)}", NOON, [SECRET]) == Refused("forged")


def test_no_piece_of_a_links_mac_opens_it() -> None:
    token = links.sign(incident().id, NOON + 1, SECRET)
    payload, _, mac = token.partition(".")
    raw = base64.urlsafe_b64decode(mac + "=")
    for length in range(len(raw)):
        found = links.verify(f"{payload}.{encode(raw[:length])}", NOON, [SECRET])
        assert found == Refused("forged"), length
    assert links.verify(payload, NOON, [SECRET]) == Refused("forged")
    assert links.verify(token, NOON, []) == Refused("forged")


def test_a_link_is_good_until_its_last_millisecond_and_opens_its_own_incident() -> None:
    token = links.sign("wechat:gh|odd:service:1", NOON, SECRET)
    assert links.verify(token, NOON - 1, [b"another secret, of today", SECRET]) == Opens(
        "wechat:gh|odd:service:1"
    )
    assert links.verify(token, NOON, [SECRET]) == Refused("expired")


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "forged"),
        (".", "forged"),
        ("AAAX.AAAX", "forged"),
        ("AAAX", "forged"),
        ("\u00e9.\u00e9", "malformed"),
        ("AAAA.\uff21\uff21\uff21\uff21", "malformed"),
        ("a.b.c", "malformed"),
        ("YQ==.YQ", "malformed"),
        ("YR.YQ", "malformed"),
        ("*.*", "malformed"),
        ("A A A A", "malformed"),
        ("AAAA.AA/A", "malformed"),
        ("AAAAA.AAAA", "malformed"),
    ],
)
def test_what_is_no_token_is_said_to_be_none_and_what_nobody_signed_is_forged(
    token: str, reason: str
) -> None:
    found = links.verify(token, NOON, [SECRET])
    assert isinstance(found, Refused)
    assert found.reason == reason


def test_a_token_may_be_as_long_as_an_address_takes_and_no_longer() -> None:
    longest = "i" * 1489
    token = links.sign(longest, NOON, SECRET)
    assert len(token) == links.MAX_TOKEN_CHARS
    assert links.verify(token, NOON - 1, [SECRET]) == Opens(longest)
    longer = links.sign(longest + "i", NOON, SECRET)
    assert links.verify(longer, NOON - 1, [SECRET]) == Refused("malformed")


def test_an_hour_is_folded_when_its_grace_is_over_and_not_before() -> None:
    hour = NOON // HOUR_MS * HOUR_MS
    begun = Usual(folded_upto=hour)
    assert hours_to_fold(begun, None, hour + HOUR_MS) == (0, 0)
    for late, end in ((GRACE_MS - 1, hour), (GRACE_MS, hour + HOUR_MS)):
        now = hour + HOUR_MS + late
        assert hours_to_fold(begun, hour, now) == (hour, end)


def test_at_most_a_day_is_folded_at_once_and_nothing_before_the_longest_gap() -> None:
    hour = NOON // HOUR_MS * HOUR_MS
    assert hours_to_fold(Usual(folded_upto=hour), hour, hour + 90 * HOUR_MS) == (
        hour,
        hour + MOST_HOURS * HOUR_MS,
    )
    first, _ = hours_to_fold(Usual(), hour + 5, hour + HOUR_MS)
    assert first == hour
    start, _ = hours_to_fold(Usual(), hour - 2 * LONGEST_GAP_MS, hour)
    assert start == hour - LONGEST_GAP_MS


async def test_a_lease_is_renewed_before_it_lapses() -> None:
    store = MemoryLeases()
    mine, other = AccountLeases(store, "mine"), AccountLeases(store, "other")
    assert await mine.hold("wechat:a", NOON)
    for now in range(NOON, NOON + 60_000, 500):
        assert not await other.hold("wechat:a", now), "asked before the renewal that is due"
        assert await mine.hold("wechat:a", now)
    assert mine.held("wechat:a", NOON + 60_000)


async def test_who_was_frozen_for_a_lease_does_not_believe_that_it_holds() -> None:
    store = MemoryLeases()
    mine, other = AccountLeases(store, "mine"), AccountLeases(store, "other")
    assert await mine.hold("wechat:a", NOON)
    lease = round(LEASE_S * 1_000)
    assert mine.held("wechat:a", NOON + lease - 1)
    assert not mine.held("wechat:a", NOON + lease)
    assert not await other.hold("wechat:a", NOON + lease)
    assert await other.hold("wechat:a", NOON + lease + 1)
    assert not await mine.hold("wechat:a", NOON + lease + 2)
    assert not mine.held("wechat:a", NOON + lease + 2)


async def test_a_clock_that_was_set_back_does_not_keep_a_lease_unrenewed() -> None:
    store = MemoryLeases()
    mine = AccountLeases(store, "mine")
    assert await mine.hold("wechat:a", NOON)
    assert await mine.hold("wechat:a", NOON - 3_600_000)
    _, until = store.leases["incidents:wechat:a"]
    assert until == (NOON - 3_600_000) / 1000 + LEASE_S
