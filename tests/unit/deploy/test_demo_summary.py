"""The demo's verdict on itself: everything expected must have happened, and books must agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.audit import Account
from deploy.local.demo import summary as s
from deploy.sandbox.actions import Counts

GOOD = s.Summary(
    webhooks=s.Webhooks(
        sent=110,
        acknowledged=100,
        rejected=10,
        unanswered=0,
        forged=10,
        forged_accepted=0,
        genuine_rejected=0,
        lost=0,
    ),
    events=s.Events(published=100, applied=180, duplicates=5, skipped=15, dead_lettered=0),
    tags_assigned=40,
    pushes=s.Pushes(
        sent=30, held=4, failed=0, unknown=0, dropped=1, platform_count=30, over_quota=0
    ),
    held_reasons={"quiet_hours": 4},
    incidents=s.Incidents(opened=1, pages_sent=4, escalations=1, acknowledged=1, resolved=1),
    latency_ms=s.Latency(40.0, 90.0, 1500.0),
    balanced=True,
    unbalanced=(),
    seconds=70.0,
)


def account(group: str, **changes: int) -> Account:
    numbers = {"start": 0, "end": 10, "applied": 7, "duplicates": 1, "skipped": 1}
    return Account(group, "fan-events.v1", 0, **{**numbers, "dead_lettered": 1, **changes})


def test_a_run_in_which_all_happened_has_no_problems() -> None:
    assert s.problems(GOOD) == []


@pytest.mark.parametrize(
    ("part", "changes", "words"),
    [
        ("webhooks", {"acknowledged": 0}, "no webhook was acknowledged"),
        ("webhooks", {"forged": 0}, "no forged webhook was tried"),
        ("webhooks", {"forged_accepted": 2}, "2 forged webhooks were accepted"),
        ("webhooks", {"genuine_rejected": 3}, "3 genuine webhooks were refused"),
        ("webhooks", {"lost": 1}, "1 genuine webhooks were given up"),
        ("events", {"published": 0}, "no event was published"),
        ("events", {"dead_lettered": 7}, "7 dead letters"),
        ("pushes", {"sent": 0, "platform_count": 0}, "no push was sent"),
        ("pushes", {"held": 0}, "no push was held back"),
        ("pushes", {"failed": 1}, "1 pushes were refused"),
        ("pushes", {"unknown": 1}, "outcome of 1 pushes is unknown"),
        ("pushes", {"platform_count": 31}, "says 30 were sent, the platforms say 31"),
        ("pushes", {"over_quota": 1}, "1 sends were over"),
        ("incidents", {"opened": 0}, "no incident was opened"),
        ("incidents", {"pages_sent": 1}, "1 pages reached"),
        ("incidents", {"escalations": 0}, "did not escalate"),
        ("incidents", {"acknowledged": 0}, "acknowledgement"),
        ("incidents", {"resolved": 0}, "was not resolved"),
        ("latency_ms", {"webhook_to_tag_p99": None}, "no tag was seen"),
        ("latency_ms", {"comment_to_page_p99": None}, "no page was seen"),
    ],
)
def test_what_did_not_happen_is_said(part: str, changes: dict[str, Any], words: str) -> None:
    spoilt = replace(GOOD, **{part: replace(getattr(GOOD, part), **changes)})
    (problem,) = s.problems(spoilt)
    assert words in problem


def test_missing_tags_and_books_that_do_not_balance_are_said() -> None:
    assert s.problems(replace(GOOD, tags_assigned=0)) == ["no tag was assigned"]
    (problem,) = s.problems(replace(GOOD, balanced=False, unbalanced=["a/0: 1 records missing"]))
    assert "a/0: 1 records missing" in problem


def test_the_file_has_the_keys_that_were_promised() -> None:
    written = GOOD.as_json()
    promised = {
        "webhooks": {"sent", "acknowledged", "rejected"},
        "events": {"published", "applied", "duplicates", "skipped", "dead_lettered"},
        "pushes": {"sent", "held", "failed", "platform_count", "over_quota"},
        "incidents": {"opened", "pages_sent", "escalations", "acknowledged", "resolved"},
        "latency_ms": {"webhook_to_tag_p99", "comment_to_page_p99"},
    }
    for part, keys in promised.items():
        assert keys <= set(written[part])
    assert {"tags_assigned", "balanced"} <= set(written)


def test_a_group_that_lost_a_record_or_never_read_is_not_balanced() -> None:
    accounts = [account(group) for group in s.GROUPS]
    assert s.unbalanced(accounts) == []
    assert s.unbalanced(accounts[1:]) == [f"{s.GROUPS[0]}: no books"]
    lost = [account(s.GROUPS[0], end=11), *accounts[1:]]
    assert s.unbalanced(lost) == [f"{s.GROUPS[0]}/0: 1 records missing"]


def test_events_are_summed_over_groups_and_webhooks_taken_as_the_sandbox_counts_them() -> None:
    assert s.events(9, [account("a"), account("b")]) == s.Events(9, 14, 2, 2, 2)
    assert s.webhooks(Counts(sent=5, acknowledged=3, rejected=2, forged=2)).rejected == 2


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_measured_value_that_enough_of_them_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = s.percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_no_values_have_no_percentile() -> None:
    assert s.percentile([], 0.99) is None
