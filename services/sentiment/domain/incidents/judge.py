"""Is this an incident: decides for one subject of one account, from the set of its comments.

A pure function of the comments (as a set), the usual, the configuration and the time; so a replay,
a repeated comment or another order of arrival gives the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from services.sentiment.domain.incidents.comments import SEVERE, NegativeComment
from services.sentiment.domain.incidents.judgement import (
    Current,
    Joined,
    Judgement,
    Opened,
    Picture,
    Quiet,
    Reason,
    Resolved,
    Thresholds,
    Yardstick,
    got_worse,
)
from services.sentiment.domain.incidents.subjects import SUBJECTS
from services.sentiment.domain.incidents.usual import (
    HOUR_MS,
    Expectation,
    expect,
    limit_in,
    stream_name,
)
from services.sentiment.domain.incidents.windows import (
    Volume,
    Window,
    crossings,
    in_order,
    people_since,
    windows,
)

LEVELS = (3, 2, 0)
"""The severities that have a limit of their own, gravest first; 0 takes all comments in."""


SAMPLES = 3


COPIED_SHARE = 0.5


COPIED_PEOPLE = 3


def judge(
    subject: str,
    comments: Iterable[NegativeComment],
    volume: Volume,
    current: Current | None,
    yardstick: Yardstick,
    *,
    now: int,
) -> Judgement:
    """Decide for one subject.

    Args:
        subject: what the comments are about.
        comments: its negative comments that belong to no earlier incident, in any order.
        volume: the account's comments that are not negative.
        current: the incident that is open, if any.
        yardstick: the usual and the configuration.
        now: ms; decides only whether it is calm, and whether comments are late.
    """
    ordered, thresholds = in_order(comments), yardstick.thresholds
    if current is None:
        return _judge_new(subject, ordered, volume, yardstick, now)
    mine = [comment for comment in ordered if comment.at >= current.started_at]
    picture = picture_of(mine, thresholds) if mine else None
    worse = (
        current.acknowledged
        and picture is not None
        and got_worse(
            (current.known_severity, current.known_people),
            (picture.severity, picture.people),
            thresholds.page_again_people_factor,
        )
    )
    # What is worse must be told first, also where its comments came late and it is calm by now.
    if current.acknowledged and not worse and (calm := _calm(mine, current, thresholds, now)):
        return Resolved(subject, calm)
    if picture is None:
        return Quiet(subject, "no_new_comments")
    return Joined(subject, picture, worse)


def picture_of(ordered: Sequence[NegativeComment], thresholds: Thresholds) -> Picture:
    """Summarise the comments of an incident; at least one."""
    return Picture(
        severity=_severity(ordered, thresholds),
        people=people_since(ordered, 0),
        comments=len(ordered),
        first_at=ordered[0].at,
        last_at=ordered[-1].at,
        samples=_samples(ordered),
        trace=next((comment.trace for comment in reversed(ordered) if comment.trace), ""),
    )


def _judge_new(
    subject: str,
    ordered: Sequence[NegativeComment],
    volume: Volume,
    yardstick: Yardstick,
    now: int,
) -> Judgement:
    if not ordered:
        return Quiet(subject, "no_comments")
    thresholds = yardstick.thresholds
    for level in LEVELS:
        counted = [comment for comment in ordered if comment.severity >= level]
        if len(counted) < thresholds.least_people[level]:
            continue
        severe = level >= SEVERE
        name = stream_name(subject, severe=severe)
        expected = _expecter(name, volume, yardstick, severe=severe)
        a_month = (
            thresholds.severe_false_alarms_a_month if severe else thresholds.false_alarms_a_month
        )
        false_alarms = a_month / (len(SUBJECTS) * len(thresholds.windows_ms))

        def limit(
            window: Window,
            least: int = thresholds.least_people[level],
            expected: Callable[[Window], tuple[float, Expectation]] = expected,
            false_alarms: float = false_alarms,
        ) -> int:
            if window.people < least:  # spares the arithmetic, not the answer
                return least
            people, expectation = expected(window)
            return max(least, limit_in(expectation, people, window.width, false_alarms))

        found = list(crossings(counted, thresholds.windows_ms, limit))
        if not found:
            continue
        worst, bound = max(
            found, key=lambda one: (one[0].people / one[1], -one[0].width, -one[0].end)
        )
        people, expectation = expected(worst)
        start = min(counted[window.first].at for window, _ in found)
        mine = [comment for comment in ordered if comment.at >= start]
        crossed_at = min(window.end for window, _ in found)
        reason = Reason(
            level=level,
            window_ms=worst.width,
            people=worst.people,
            limit=bound,
            expected=round(people, 3),
            source=expectation.source,
            times=expectation.times,
            crossed_at=crossed_at,
            copied_people=_copied(counted[worst.first : worst.last + 1], worst.people),
            late=now - crossed_at > thresholds.late_after_ms,
        )
        return Opened(subject, reason, picture_of(mine, thresholds))
    return Quiet(subject, "within_the_usual")


def _expecter(
    name: str,
    volume: Volume,
    yardstick: Yardstick,
    *,
    severe: bool,
) -> Callable[[Window], tuple[float, Expectation]]:
    """What is usual in a window: by the time, or by the volume of comments if that is more."""
    by_hour: dict[int, Expectation] = {}

    def usual_in(hour: int) -> Expectation:
        if hour not in by_hour:
            by_hour[hour] = expect(
                yardstick.usual, yardstick.prior, name, hour * HOUR_MS, severe=severe
            )
        return by_hour[hour]

    def expected(window: Window) -> tuple[float, Expectation]:
        start = window.end - window.width
        people = 0.0  # a window may lie across hours that are not alike
        for hour in range(start // HOUR_MS, window.end // HOUR_MS + 1):
            overlap = min(window.end, (hour + 1) * HOUR_MS) - max(start, hour * HOUR_MS)
            people += usual_in(hour).per_hour * overlap / HOUR_MS
        expectation = usual_in(window.end // HOUR_MS)
        if not severe:
            # A busy article brings more of everything; what is grave is grave in any crowd.
            share = min(expectation.share, 0.5)
            calm = volume.between(start, window.end)
            people = max(people, calm * share / (1 - share))
        return people, expectation

    return expected


def _calm(
    mine: Sequence[NegativeComment], current: Current, thresholds: Thresholds, now: int
) -> str:
    """Why it is over, or nothing."""
    since = now - thresholds.quiet_ms
    if current.changed_at > since:
        return ""
    recent = [c for c in mine if c.at > since and c.severity >= current.level]
    if not recent:
        return "no_more_comments"
    peak = max(window.people for window in windows(recent, current.window_ms))
    return "back_to_the_usual" if peak < thresholds.quiet_share * current.limit else ""


def _severity(ordered: Sequence[NegativeComment], thresholds: Thresholds) -> int:
    """The highest severity that enough different people report; one voice doesn't make it."""
    for level in (3, 2):
        people = {comment.author for comment in ordered if comment.severity >= level}
        if len(people) >= thresholds.least_people[level]:
            return level
    return 1 if any(comment.severity for comment in ordered) else 0


def _samples(ordered: Sequence[NegativeComment]) -> tuple[str, ...]:
    chosen: dict[str, str] = {}
    for comment in sorted(ordered, key=lambda c: (-c.severity, c.at, c.id)):
        chosen.setdefault(comment.fingerprint, comment.id)
        if len(chosen) == SAMPLES:
            break
    return tuple(chosen.values())


def _copied(counted: Sequence[NegativeComment], people: int) -> int:
    """People who posted the commonest text, if they are so many that it looks organised."""
    by_text = Counter(
        fingerprint for _, fingerprint in {(c.author, c.fingerprint) for c in counted}
    )
    most = max(by_text.values())
    return most if most >= COPIED_PEOPLE and most >= COPIED_SHARE * people else 0
