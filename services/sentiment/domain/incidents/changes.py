"""Every change that may happen to an account's incidents: the next state, and what announces it.

One document an account holds them all, so "at most one open incident for an account and subject"
is a property of one value. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from services.sentiment.domain.incidents.incident import (
    AccountIncidents,
    Incident,
    StepWhy,
    find,
    known_now,
    open_about,
    split_account,
)
from services.sentiment.domain.incidents.judgement import (
    Joined,
    Judgement,
    Opened,
    Picture,
    Resolved,
)
from shared.events import (
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentEvent,
    IncidentOpened,
    IncidentResolved,
)
from shared.kafka.handler import Announcement, Change

KEPT_CLOSED = 100
"""Incidents that are over and stay in the document; the log has them all."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A next state and what to announce: pairs of an event and its cause."""

    state: AccountIncidents
    events: tuple[tuple[IncidentEvent, str], ...] = ()

    @property
    def change(self) -> Change[AccountIncidents]:
        """The same for a writer; each event goes on with its incident's trace."""
        traces = {incident.id: incident.trace for incident in self.state.incidents}
        announcements = (
            Announcement(event, cause, traces.get(event.incident, ""))
            for event, cause in self.events
        )
        return Change(self.state, tuple(announcements))


def apply_judgements(
    account: str,
    state: AccountIncidents,
    judgements: Iterable[Judgement],
    *,
    seen: int,
    now: int,
    pause_from_severity: int = 0,
) -> Announced | None:
    """What the evaluator's judgements do; None if nothing changes.

    A judgement made on an older counter than the state's is not applied: who read more has spoken.

    Args:
        account: `platform:account`.
        state: the incidents as they are.
        judgements: one a subject, made from `state`.
        seen: the counter that was read before the comments.
        now: ms, our clock.
        pause_from_severity: promotions pause for incidents at least this severe.
    """
    if seen < state.seen:
        return None
    after = replace(state, seen=seen)
    events: list[tuple[IncidentEvent, str]] = []
    for judgement in judgements:
        match judgement:
            case Opened() if open_about(after, judgement.subject) is None:
                after, opened = _opened(account, after, judgement, now, pause_from_severity)
                events.append((announce(IncidentOpened, opened, now), _cause(opened)))
            case Joined() if (mine := open_about(after, judgement.subject)) is not None:
                joined = _joined(mine, judgement.picture, pause_from_severity)
                if mine.status == "acknowledged" and (judgement.worse or joined.grave):
                    joined = _opened_again(mine, joined, now, pause_from_severity)
                    events.append((_escalated(joined, now), _cause(joined)))
                after = _put(after, joined)
            case Resolved() if (mine := open_about(after, judgement.subject)) is not None:
                over = _over(mine, judgement.reason, "", now)
                after = _put(after, over)
                events.append((announce(IncidentResolved, over, now), _cause(over)))
            case _:
                continue
    if after == state:
        return None
    return Announced(_forget_oldest(after), tuple(events))


def acknowledge(state: AccountIncidents, incident_id: str, who: str, now: int) -> Announced | None:
    """A person takes the incident; None if that was done already, or it is over or unknown."""
    incident = find(state, incident_id)
    if incident is None or incident.status != "open":
        return None
    return _announced(
        state,
        IncidentAcknowledged,
        replace(
            incident,
            status="acknowledged",
            acknowledged_at=now,
            acknowledged_by=who,
            known=known_now(incident, who, now),
            grave=False,
            number=incident.number + 1,
        ),
        now,
    )


def resume_promotions(
    state: AccountIncidents, incident_id: str, who: str, now: int
) -> Announced | None:
    """Let promotions go out again though the incident is not over; this acknowledges it too."""
    incident = find(state, incident_id)
    if incident is None or incident.status == "resolved" or not incident.pause_promotions:
        return None
    return _announced(
        state,
        IncidentAcknowledged,
        replace(
            incident,
            status="acknowledged",
            acknowledged_at=incident.acknowledged_at or now,
            acknowledged_by=incident.acknowledged_by or who,
            known=known_now(incident, who, now),
            grave=False,
            pause_promotions=False,
            number=incident.number + 1,
        ),
        now,
    )


def resolve(state: AccountIncidents, incident_id: str, who: str, now: int) -> Announced | None:
    """A person ends the incident; None if it is over or unknown."""
    incident = find(state, incident_id)
    if incident is None or incident.status == "resolved":
        return None
    return _announced(state, IncidentResolved, _over(incident, "by_hand", who, now), now)


def escalate(
    state: AccountIncidents,
    incident_id: str,
    step: int,
    now: int,
    why: StepWhy = "not_acknowledged",
) -> Announced | None:
    """Reach the next escalation step; None if that was done, or a person has taken it."""
    incident = find(state, incident_id)
    if incident is None or incident.status != "open" or incident.step != step - 1:
        return None
    after = _at_step(incident, step, why, now)
    return Announced(_put(state, after), ((_escalated(after, now), _cause(after)),))


def announce(kind: type[IncidentEvent], incident: Incident, now: int) -> IncidentEvent:
    """The event that tells what the incident is like now."""
    return kind(**_common(incident, now))


def _common(incident: Incident, now: int) -> dict[str, object]:
    platform, account = split_account(incident.account)
    return {
        "occurred_at": now,
        "platform": platform,
        "account": account,
        "incident": incident.id,
        "subject": incident.subject,
        "severity": incident.severity,
        "number": incident.number,
        "pause_promotions": incident.pause_promotions,
    }


def _cause(incident: Incident) -> str:
    """What causes an incident's event is the incident's own running number: one event each."""
    return f"{incident.id}#{incident.number}"


def _announced(
    state: AccountIncidents, kind: type[IncidentEvent], incident: Incident, now: int
) -> Announced:
    return Announced(_put(state, incident), ((announce(kind, incident, now), _cause(incident)),))


def _opened(
    account: str, state: AccountIncidents, judgement: Opened, now: int, pause_from_severity: int
) -> tuple[AccountIncidents, Incident]:
    ordinal = state.ordinal + 1
    picture = judgement.picture
    incident = Incident(
        id=f"{account}:{judgement.subject}:{ordinal}",
        account=account,
        subject=judgement.subject,
        status="open",
        severity=picture.severity,
        reason=judgement.reason,
        people=picture.people,
        comments=picture.comments,
        samples=picture.samples,
        started_at=picture.first_at,
        last_at=picture.last_at,
        opened_at=now,
        number=1,
        pause_promotions=picture.severity >= pause_from_severity,
        step_at=now,
        trace=picture.trace,
    )
    return replace(state, ordinal=ordinal, incidents=(*state.incidents, incident)), incident


def _joined(incident: Incident, picture: Picture, pause_from_severity: int) -> Incident:
    """Numbers only grow: old comments leave the horizon, but they were made.

    Promotions pause when the severity passes the threshold, whenever that is; where a person let
    them go on before, that was about what was known then.
    """
    severity = max(incident.severity, picture.severity)
    rose = severity > incident.severity
    pauses = incident.severity < pause_from_severity <= severity
    return replace(
        incident,
        severity=severity,
        people=max(incident.people, picture.people),
        comments=max(incident.comments, picture.comments),
        last_at=max(incident.last_at, picture.last_at),
        samples=picture.samples if rose else incident.samples,
        grave=incident.grave or (rose and severity > 1) or pauses,
        pause_promotions=incident.pause_promotions or pauses,
    )


def _opened_again(
    before: Incident, incident: Incident, now: int, pause_from_severity: int
) -> Incident:
    """It got worse after the acknowledgement: nobody has that yet, so paging begins anew."""
    at = before.acknowledged_at or before.opened_at
    return replace(
        _at_step(incident, incident.step + 1, "worse", now),
        status="open",
        round=incident.round + 1,
        round_step=incident.step + 1,
        known=before.known or known_now(before, before.acknowledged_by, at),
        acknowledged_at=None,
        acknowledged_by="",
        pause_promotions=incident.severity >= pause_from_severity,
    )


def _at_step(incident: Incident, step: int, why: StepWhy, now: int) -> Incident:
    return replace(
        incident, step=step, step_at=now, step_why=why, grave=False, number=incident.number + 1
    )


def _escalated(incident: Incident, now: int) -> IncidentEvent:
    return IncidentEscalated(**_common(incident, now), step=incident.step)


def _over(incident: Incident, resolution: str, who: str, now: int) -> Incident:
    return replace(
        incident,
        status="resolved",
        resolved_at=now,
        resolved_by=who,
        resolution=resolution,
        pause_promotions=False,
        number=incident.number + 1,
    )


def _put(state: AccountIncidents, incident: Incident) -> AccountIncidents:
    return replace(
        state,
        incidents=tuple(incident if one.id == incident.id else one for one in state.incidents),
    )


def _forget_oldest(state: AccountIncidents) -> AccountIncidents:
    closed = [one.id for one in state.incidents if one.status == "resolved"]
    if len(closed) <= KEPT_CLOSED:
        return state
    gone = set(closed[: len(closed) - KEPT_CLOSED])
    return replace(state, incidents=tuple(one for one in state.incidents if one.id not in gone))
