"""Who must be told, and when: escalation until a person acknowledges, and the pages it takes. Pure.

The pages that must exist follow from the incident alone, so whoever looks at it after a crash comes
to the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from services.sentiment.domain.incidents.incident import Incident, StepWhy

Action = Literal["trigger", "acknowledge", "resolve"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: after so long without an acknowledgement, page these channels."""

    after_s: float
    """Seconds since the step before; for the first, since the incident opened."""
    channels: tuple[str, ...]
    mention: tuple[str, ...] = ()
    """Staff to name in the page, in the channel's own ids; `@all` for everybody."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The steps of an escalation; the last one is repeated until a person answers."""

    steps: tuple[Step, ...]
    repeat_s: float = 900.0
    """Seconds between repetitions of the last step."""

    def step(self, number: int) -> Step:
        """The step with this number, counted from 0; beyond the last it is the last."""
        return self.steps[min(number, len(self.steps) - 1)]

    def wait_s(self, number: int) -> float:
        """Seconds from the step before until this one."""
        return self.steps[number].after_s if number < len(self.steps) else self.repeat_s


@dataclass(frozen=True, slots=True)
class Escalate:
    """The next step is due."""

    step: int
    why: StepWhy


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing before then, ms."""

    until: int


@dataclass(frozen=True, slots=True)
class Done:
    """A person has it, or it is over."""


@dataclass(frozen=True, slots=True)
class WantedPage:
    """A page that must exist as a row before it is called."""

    incident: str
    account: str
    step: int
    channel: str
    action: Action
    mention: tuple[str, ...] = ()
    due_at: int = 0
    """ms, our clock."""
    deciding_at: int = 0
    """Event time of the comment that made it necessary, ms; 0 if time or a person did."""
    round: int = 0
    """The incident's round that it belongs to."""
    why: StepWhy = ""
    """Why its step was due."""

    @property
    def id(self) -> str:
        """One row for each incident, step, channel and action."""
        return f"{self.incident}/{self.step}/{self.channel}/{self.action}"


def next_escalation(
    incident: Incident, policy: Policy, now: int, *, refused: frozenset[str] = frozenset()
) -> Escalate | Wait | Done:
    """Whether the next step is due.

    Args:
        incident: the incident.
        policy: the steps.
        now: ms.
        refused: channels whose page of the step reached was refused for good.
    """
    if incident.status != "open":
        return Done()
    following = incident.step + 1
    if incident.grave:
        return Escalate(following, "severity_rose")
    # After an acknowledgement and a turn for the worse the policy's steps begin anew.
    number = following - incident.round_step
    here, there = policy.step(number - 1), policy.step(number)
    if set(here.channels) <= refused and not set(there.channels) <= refused:
        return Escalate(following, "channels_dead")  # waiting would page nobody
    due = incident.step_at + round(policy.wait_s(number) * 1000)
    return Escalate(following, "not_acknowledged") if now >= due else Wait(due)


def wanted_pages(incident: Incident, policy: Policy, paged: Iterable[str] = ()) -> list[WantedPage]:
    """Every page that this incident needs by now.

    While it is open: those of the step reached (earlier steps' rows were made on the way). Once a
    person took it or it is over: word of that to each channel that may have been paged. Word of an
    acknowledgement that is overtaken by the end is left out.

    Args:
        incident: the incident.
        policy: the steps.
        paged: channels that have a row of this incident, called or not.
    """
    if incident.status == "open":
        step = policy.step(incident.step - incident.round_step)
        return [_trigger(incident, step, channel) for channel in step.channels]
    channels = sorted(set(paged))
    if incident.status == "resolved":
        return [
            _word(incident, channel, "resolve", incident.resolved_at or 0) for channel in channels
        ]
    at = incident.acknowledged_at or 0
    return [_word(incident, channel, "acknowledge", at) for channel in channels]


def missing(wanted: Iterable[WantedPage], existing: Iterable[str]) -> list[WantedPage]:
    """The wanted pages that have no row yet."""
    have = set(existing)
    return [page for page in wanted if page.id not in have]


def _trigger(incident: Incident, step: Step, channel: str) -> WantedPage:
    return WantedPage(
        incident=incident.id,
        account=incident.account,
        step=incident.step,
        channel=channel,
        action="trigger",
        mention=step.mention,
        due_at=incident.step_at,
        deciding_at=incident.reason.crossed_at if incident.step == 0 else 0,
        round=incident.round,
        why=incident.step_why,
    )


def _word(incident: Incident, channel: str, action: Action, at: int) -> WantedPage:
    return WantedPage(
        incident=incident.id,
        account=incident.account,
        step=incident.round,  # one word of each kind for each round
        channel=channel,
        action=action,
        due_at=at,
        round=incident.round,
    )
