"""Decides which tags a fan gains and loses, by an event, by time, and by a changed rule book.

The order within a decision is fixed: what fell by time before the event, then what a changed book
changes, then the event itself. Time means the fan's clock, which never goes back: a late event
counts in the windows of its own time, but can't give a tag that has already run out. What falls
by time falls at the instant of its expiry, whoever notices it, so a clock tick between two events
gives the same changes as no tick. So the order in which a fan's acts arrive decides which changes
are announced on the way, but not which tags the fan has in the end, nor until when. Following and
leaving are taken in the order of the log.

A changed book takes a tag from its holder where memory shows that the new rule is not met, and
gives one where memory shows that it is. Where memory can't tell, the holder keeps the tag until the
end it had. What a rule remembered that is no longer in the book is kept for a day (`KEPT_MS`), so
that a line which is taken out by mistake and put back costs nobody a tag.

A fan who unfollows is forgotten at once, unless the leaving is older than the last follow. Only a
follow that is not older than the leaving starts the fan afresh; whatever else arrives for one who
left changes nothing.
"""

from __future__ import annotations

from services.segmenter.domain.fan import (
    KEPT_MS,
    MAX_SCENE_CHARS,
    Because,
    Fan,
    FanId,
    HeldTag,
    forgotten,
)
from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules import Rule
from shared.events import (
    Event,
    FanFollowed,
    FanUnfollowed,
    TagAssigned,
    TagEvent,
    TagRemoved,
    stable_id,
)


def apply_event(
    book: RuleBook, fan: Fan, who: FanId, event: Event, cause: str, *, today: int = 0
) -> tuple[Fan, list[TagEvent]]:
    """The fan after an event, and the tag changes in their order.

    Args:
        book: the rules in force.
        fan: the state so far; it is not changed.
        who: whose state it is.
        event: one that this fan's partition brought next.
        cause: its `ce_id`.
        today: what our clock says (ms), for what is done to the fan because the book changed; an
            event that was long on its way does not tell. 0: as the event says.
    """
    kind = type(event)  # exact types: pydantic's isinstance costs as much as a rule
    if fan.following is False:
        if kind is not FanFollowed or event.occurred_at < fan.clock:
            return forgotten(fan, event.occurred_at) if kind is FanUnfollowed else fan, []
        fan = Fan(number=fan.number, clock=fan.clock, rules=book.digest)
    at = event.occurred_at
    if kind is FanUnfollowed and at < (fan.followed_at or 0):
        return fan, []  # it came late: the fan has followed again since
    after = fan.copy()
    after.clock = max(after.clock, at)
    draft = _Draft(after, who)
    if after.due <= after.clock:
        draft.expire(after.clock)
    if kind is FanUnfollowed:
        for tag, held in sorted(after.tags.items()):
            draft.remove(tag, held.rule_version, "unfollowed", cause, at)
        return forgotten(after, at), draft.changes
    if after.rules != book.digest:
        draft.reexamine(book, after.clock, max(after.clock, today))
    if after.first_seen is None or at < after.first_seen:
        after.first_seen = at
    if type(event) is FanFollowed:
        _follow(after, event)
    for rule in book.concerning(kind):
        if rule.observe(after, event):
            draft.earn(rule, cause, at)
    return after, draft.changes


def advance(
    book: RuleBook, fan: Fan, who: FanId, now: int, *, today: int | None = None
) -> tuple[Fan, list[TagEvent]] | None:
    """The fan after time alone went on to `now` and the book became what it is.

    Args:
        book: the rules in force.
        fan: the state so far; it is not changed.
        who: whose state it is.
        now: up to here no event of the fan's is missing any more, so tags may fall.
        today: what our clock says; None: the same. A changed book gives no tag that would have
            fallen by then.

    Returns:
        None if neither changes the state: nothing to write.
    """
    if fan.following is False:
        return None
    outdated = fan.rules is not None and fan.rules != book.digest
    if fan.due > now and not outdated:
        return None
    after = fan.copy()
    draft = _Draft(after, who)
    if after.due <= now:
        draft.expire(now)
    if outdated:
        now = max(now, after.clock)
        draft.reexamine(book, now, max(now, today or 0))
    return after, draft.changes


def expiry_cause(key: str, tag: str, instant: int) -> str:
    """The id of the instant at which a fan's tag fell."""
    return stable_id("time", key, tag, instant)


def rules_cause(digest: str, key: str) -> str:
    """The id of a fan's re-examination by a rule book."""
    return stable_id("rules", digest, key)


def _follow(fan: Fan, event: FanFollowed) -> None:
    fan.following = True
    fan.followed_at = max(fan.followed_at or 0, event.occurred_at)
    if event.scene and not fan.scene:
        fan.scene = event.scene[:MAX_SCENE_CHARS]
        fan.scene_at = event.occurred_at


class _Draft:
    """A fan's next state while it is being decided, and the changes so far."""

    __slots__ = ("changes", "fan", "who")

    def __init__(self, fan: Fan, who: FanId) -> None:
        self.fan = fan
        self.who = who
        self.changes: list[TagEvent] = []

    def expire(self, now: int) -> None:
        """Remove what has fallen by `now`, each tag at its instant, in the instants' order.

        What is kept of rules that are no more is forgotten in its time too.
        """
        retired = self.fan.retired
        if retired and any(until <= now for until, _ in retired.values()):
            self.fan.retire({key: kept for key, kept in retired.items() if kept[0] > now})
        fallen = [(held.until, tag) for tag, held in self.fan.tags.items() if held.until <= now]
        for until, tag in sorted(fallen):
            # Without this a late event could give the tag again, until the same instant.
            self.fan.clock = max(self.fan.clock, until)
            cause = expiry_cause(":".join(self.who), tag, until)
            self.remove(tag, self.fan.tags[tag].rule_version, "time", cause, until)

    def reexamine(self, book: RuleBook, settled: int, today: int) -> None:
        """Bring the tags into agreement with the book.

        Args:
            book: the rules in force.
            settled: up to here no event is missing: what is not met then, was not met.
            today: when it happens.
        """
        fan = self.fan
        if fan.rules is None:  # a fan never seen: there is nothing to examine
            fan.rules = book.digest
            return
        cause = rules_cause(book.digest, ":".join(self.who))
        fan.rules = book.digest
        doubts = self._hand_over(book, today)
        for tag, held in sorted(fan.tags.items()):
            rule = book.get(tag)
            if rule is None:
                self.remove(tag, held.rule_version, "rule_changed", cause, today)
            elif rule.version != held.rule_version:
                until = max(rule.until(fan), min(held.until, doubts[tag]))
                if until > settled:
                    fan.hold({**fan.tags, tag: held.renewed(until, rule.version)})
                else:
                    self.remove(tag, rule.version, "rule_changed", cause, today)
        for rule in book.rules:
            if rule.tag not in fan.tags and (until := rule.until(fan)) > today:
                self.assign(rule.tag, HeldTag(today, until, rule.version, "rule_changed", cause))

    def _hand_over(self, book: RuleBook, today: int) -> dict[str, int]:
        """Let each rule find what was remembered; set aside what none in the book remembers now.

        Returns:
            By tag until when, at the most, the fan may hold it by what memory does not show.
        """
        fan = self.fan
        back = {key for key in fan.retired if key in book.memory_keys}
        fan.memory = {**fan.memory, **{key: fan.retired[key][1] for key in back}}
        doubts = {rule.tag: rule.adopt(fan, self.who, today) for rule in book.rules}
        gone = {key: kept for key, kept in fan.memory.items() if key not in book.memory_keys}
        if gone or back:
            fan.memory = {key: kept for key, kept in fan.memory.items() if key not in gone}
            fan.retire(
                {key: kept for key, kept in fan.retired.items() if key not in back}
                | {key: (today + KEPT_MS, kept) for key, kept in gone.items()}
            )
        return doubts

    def earn(self, rule: Rule, cause: str, at: int) -> None:
        """Assign or renew what an event earned, unless it has run out already."""
        until = rule.until(self.fan)
        if until <= self.fan.clock:
            return
        held = self.fan.tags.get(rule.tag)
        if held is None:
            self.assign(rule.tag, HeldTag(at, until, rule.version, "event", cause))
        elif held.until < until:
            self.fan.hold({**self.fan.tags, rule.tag: held.renewed(until, rule.version)})

    def assign(self, tag: str, held: HeldTag) -> None:
        """Give the tag, and say so."""
        self.fan.hold({**self.fan.tags, tag: held})
        self._announce(
            TagAssigned,
            tag,
            held.rule_version,
            held.because,
            cause=held.cause,
            at=held.since,
        )

    def remove(self, tag: str, version: str, because: Because, cause: str, at: int) -> None:
        """Take the tag away, and say so."""
        self.fan.hold({name: kept for name, kept in self.fan.tags.items() if name != tag})
        self._announce(TagRemoved, tag, version, because, cause=cause, at=at)

    def _announce(
        self, kind: type[TagEvent], tag: str, version: str, because: Because, *, cause: str, at: int
    ) -> None:
        self.fan.number += 1
        self.changes.append(
            kind(
                occurred_at=at,
                platform=self.who[0],
                account=self.who[1],
                fan=self.who[2],
                tag=tag,
                rule_version=version,
                because=because,
                cause=cause,
                tags=tuple(sorted(self.fan.tags)),
                number=self.fan.number,
            )
        )
