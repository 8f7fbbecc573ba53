"""Whatever the interleaving of acts, late facts, debits, calls, credits and time: never over."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from services.notifier.domain.fan import FanFacts, apply_event
from services.notifier.domain.ledger import DebitKind, Ledger, Room, find_room, prune
from services.notifier.domain.periods import day_of, month_start, near_boundary
from services.notifier.domain.windows import WINDOW_RULES
from shared.events import Event, FanFollowed, MenuClicked, MessageReceived

HOUR = 3_600_000
DAY = 24 * HOUR
A_MONTH = 4
LATEST_START = 4_900
"""The sender starts no call later after its debit; beside this a window's margin is 5 s."""
START = 1_800_000_000_000
RULES = {"message": (48 * HOUR, 5), "click": (60_000, 3), "subscribe": (60_000, 3)}
"""The platform's own table, written down once more."""
EVENTS: dict[str, type[Event]] = {
    "message": MessageReceived,
    "click": MenuClicked,
    "subscribe": FanFollowed,
}
ACTS = st.sampled_from(sorted(RULES))


@dataclass
class Platform:
    """Charges at the instant at which a call arrives."""

    windows: dict[str, list[int]] = field(default_factory=dict)
    over: list[str] = field(default_factory=list)
    days: Counter[int] = field(default_factory=Counter)
    months: Counter[int] = field(default_factory=Counter)

    def act(self, act: str, now: int) -> None:
        self.windows[act] = [now]

    def charge(self, kind: DebitKind, now: int) -> None:
        self.days[day_of(now)] += 1
        if kind is DebitKind.MASS:
            self.months[month_start(now)] += 1
            return
        running = {a: w for a, w in self.windows.items() if now < w[0] + RULES[a][0]}
        if not running:
            self.over.append("45015")
        elif all(len(w) - 1 >= RULES[a][1] for a, w in running.items()):
            self.over.append("45047")
        for window in running.values():
            window.append(now)


class LedgerMachine(RuleBasedStateMachine):
    """One fan, its ledger as the sender keeps it, and the platform."""

    @initialize(cap=st.sampled_from([3, 100]))
    def begin(self, cap: int) -> None:
        self.cap = cap
        self.now = START
        self.facts = FanFacts()
        self.ledger = Ledger()
        self.platform = Platform()
        self.pushes = count()
        self.events = list[Event]()

    @rule(act=ACTS, arrival=st.sampled_from(["now", "late"]))
    def fan_acts(self, act: str, arrival: str) -> None:
        self.events.append(self._act(act))
        if arrival == "now":
            self.all_late_facts_arrive()

    @precondition(lambda self: self.events)
    @rule()
    def all_late_facts_arrive(self) -> None:
        for event in self.events:
            self.facts = apply_event(self.facts, event)
        self.events.clear()

    @rule(millis=st.sampled_from([1, 900, 20_000, 54_900, 56_000, 6 * HOUR, 47 * HOUR, 5 * DAY]))
    def time_passes(self, millis: int) -> None:
        self.now += millis

    @rule(
        kind=st.sampled_from(DebitKind),
        before=st.sampled_from([0, 200, LATEST_START]),
        act=st.one_of(st.none(), ACTS),
        end=st.sampled_from(["noted", "crashed", "refused"]),
    )
    def one_push_goes(self, kind: DebitKind, before: int, act: str | None, end: str) -> None:
        self._push(kind, before, act, end)

    @rule(act=ACTS)
    def an_act_overtakes_a_push_whose_end_nobody_notes(self, act: str) -> None:
        self._push(DebitKind.MESSAGE, LATEST_START, act, "crashed")
        self.all_late_facts_arrive()

    @rule()
    def as_many_messages_go_as_may(self) -> None:
        for _ in range(8):
            self._push(DebitKind.MESSAGE, 0, None, "noted")

    @rule()
    def as_many_go_just_before_a_window_closes(self) -> None:
        closing = [
            opened_at + WINDOW_RULES["wechat"][act].length
            for act, opened_at in self.facts.windows.items()
        ]
        ahead = [at for at in closing if at - 5_500 > self.now]
        if ahead:
            self.now = min(ahead) - 5_500
            for _ in range(3):
                self._push(DebitKind.MESSAGE, LATEST_START, None, "noted")

    def _push(self, kind: DebitKind, before: int, act: str | None, end: str) -> None:
        """Debit, then the call lands, perhaps after the fan has acted again; then it is noted."""
        ledger = prune(self.ledger, self.now)
        if ledger.sent_on(day_of(self.now)) >= self.cap or near_boundary(self.now):
            return
        if kind is DebitKind.MASS:
            if ledger.mass_sent_since(month_start(self.now)) >= A_MONTH:
                return
        elif find_room(ledger, self.facts.windows, "wechat", self.now) is not Room.FREE:
            return
        push = f"p{next(self.pushes)}"
        self.ledger = self.ledger.charge(push, kind, self.now)
        self.now += before
        if act is not None:
            self.events.append(self._act(act))
        if end == "refused":
            self.ledger = self.ledger.without(push)
            return
        self.platform.charge(kind, self.now)
        if end == "noted":
            self.now += 200
            self.ledger = self.ledger.settle(push, self.now)

    @invariant()
    def never_over(self) -> None:
        if not hasattr(self, "platform"):
            return
        assert not self.platform.over
        assert max(self.platform.months.values(), default=0) <= A_MONTH
        assert max(self.platform.days.values(), default=0) <= self.cap

    def _act(self, act: str) -> Event:
        self.platform.act(act, self.now)
        return EVENTS[act].model_validate(
            {
                "occurred_at": self.now // 1000 * 1000,
                "platform": "wechat",
                "account": "brand",
                "fan": "f",
                "authenticated_by": "wechat_safe",
                "message_type": "text",
                "menu_key": "k",
            }
        )


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=250, stateful_step_count=25, deadline=None)
