"""Mistakes of the kind people really make, each with the tests that must notice it.

A mistake is a change of text: `old`, which stands once in `path`, becomes `new`. When the code
moves, the mistake moves with it: it stays the same mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Mistake:
    """One change, and the test (pytest's node id) that fails with it."""

    name: str
    path: str
    old: str
    new: str
    test: str


_SIGNATURES = "tests/unit/shared/platforms/test_a_part_of_a_signature_is_forged.py"
_SEVERE = "tests/unit/sentiment/test_severity_wins_over_what_a_text_sells.py"
_SENDERS = "tests/component/notifier/test_senders_look_again_before_they_call.py"
_LEASES = "tests/component/notifier/test_leases_of_accounts_are_renewed_and_lapses_noticed.py"
_BOUNDS = "tests/unit/shared/kafka/test_bounds_of_bookkeeping.py"

MISTAKES: Final = (
    Mistake(
        "sha1_signature_compared_by_prefix",
        "shared/platforms/sorted_sha1.py",
        "hmac.compare_digest(sign(*parts).encode(), given)",
        "sign(*parts).encode().startswith(given)",
        f"{_SIGNATURES}::test_no_piece_of_a_shared_signature_matches",
    ),
    Mistake(
        "webhook_signature_compared_by_prefix",
        "shared/platforms/standard_webhooks.py",
        "hmac.compare_digest(expected, one)",
        "expected.startswith(one)",
        f"{_SIGNATURES}::test_no_proper_prefix_of_a_webhooks_signature_is_genuine",
    ),
    Mistake(
        "spam_wins_over_severity",
        "services/sentiment/domain/judge.py",
        '"spam" in signs and severity < SEVERE',
        '"spam" in signs',
        f"{_SEVERE}::test_a_grave_text_with_signs_of_spam_stays_a_negative_complaint",
    ),
    Mistake(
        "wave_opens_on_stale_state",
        "services/notifier/loops/mass.py",
        "and self._decide_wave(fresh) is None",
        "and True",
        f"{_SENDERS}::test_an_incident_that_opens_while_a_wave_is_gathered_stops_it",
    ),
    Mistake(
        "lease_is_not_renewed",
        "services/notifier/loops/account_loop.py",
        "lapsed = reading.mono - self._held_at > LEASE_S * 1000\n",
        "lapsed = reading.mono - self._held_at > LEASE_S * 1000\n"
        "        if self._tenure is not None and not lapsed:\n"
        "            return True\n",
        f"{_LEASES}::test_a_holder_that_steps_keeps_the_account_longer_than_a_lease_lasts",
    ),
    Mistake(
        "lapse_goes_unnoticed",
        "services/notifier/loops/account_loop.py",
        "if self._tenure is None or lapsed:",
        "if self._tenure is None:",
        f"{_LEASES}::test_a_lapse_is_noticed_even_if_the_lease_is_got_again",
    ),
    Mistake(
        "audience_breaks_the_quiet_hours",
        "services/notifier/domain/decide_push.py",
        "not (answers and row.cause != row.campaign)",
        "not answers",
        f"{_SENDERS}::test_a_push_to_an_audience_keeps_the_quiet_hours_also_after_a_fans_act",
    ),
    Mistake(
        "store_away_means_go",
        "services/notifier/loops/single.py",
        "except TransientError:\n            return False",
        "except TransientError:\n            return True",
        f"{_SENDERS}::test_a_store_that_cannot_be_asked_right_before_a_call_means_no_call",
    ),
    Mistake(
        "newest_dropped_time_is_new",
        "shared/kafka/bookkeeping.py",
        '"too_old" if time <= self.dropped',
        '"too_old" if time < self.dropped',
        f"{_BOUNDS}::test_an_id_of_exactly_the_newest_dropped_time_is_not_new",
    ),
)
