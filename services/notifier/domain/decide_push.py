"""Whether a push may go now: the one decision everything else here serves.

Pure: the fan, the row, the campaign, the account, the platform's clock and our rules are arguments.
What stands against it is named, with the time it may go; only what will never go is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from services.notifier.domain.account import Account
from services.notifier.domain.campaigns import Campaign, period_of
from services.notifier.domain.fan import Fan
from services.notifier.domain.ledger import (
    MASS_SENDS_A_MONTH,
    MOST_DEBITS,
    DebitKind,
    Room,
    find_room,
    prune,
)
from services.notifier.domain.periods import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    QuietHours,
    after_month,
    day_of,
    day_start,
    month_start,
)
from services.notifier.domain.pushes import Push

SHORTEST_LOOK_MS: Final = 250
LONGEST_LOOK_MS: Final = 5 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class PushRules:
    """What one channel of an account charges, and what the brand itself allows."""

    charge: DebitKind
    """Which limits the channel's pushes are charged to."""
    quiet_hours: QuietHours
    fan_cap_a_day: int
    """Pushes to one fan on one Shanghai day, whatever the channel."""
    mass_sends_a_month: int | None = MASS_SENDS_A_MONTH
    """To one fan; None for a subscription account, which has a slot a day instead."""
    reply_within: int = 0
    """Milliseconds after a fan's own act within which an answer to it may break the quiet hours;
    0 for never."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When it is being decided, by the platform's clock."""

    now: int
    unsure_until: int | None = None
    """Set while the platform's day is not sure; then nothing bound to the calendar goes."""


@dataclass(frozen=True, slots=True)
class Context:
    """What one campaign's pushes are decided in, beside the fan and the row."""

    campaign: Campaign
    account: Account
    moment: Moment
    rules: PushRules


@dataclass(frozen=True, slots=True)
class Send:
    """It may go, and is charged as this kind."""

    charge: DebitKind


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now. `not_before` is None where nobody can know when."""

    reason: str
    not_before: int | None
    look_at: int
    waits_for_fan: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Never."""

    reason: str


Verdict: TypeAlias = Send | Hold | Drop


def decide_push(fan: Fan, row: Push, context: Context) -> Verdict:
    """Decide on one push; a `Send` must be debited in the same write that read `fan`."""
    campaign, now = context.campaign, context.moment.now
    verdict = decide_campaign(context)
    period_verdict = _decide_period(row, campaign, now)
    fan_verdict = _decide_fan(fan, row, campaign, now)
    for drop in (verdict, period_verdict, fan_verdict):
        if isinstance(drop, Drop):
            return drop
    manners = _decide_manners(fan, row, now, context.rules)
    for hold in (verdict, period_verdict, fan_verdict, manners):
        if hold is not None:
            return _until_over(hold, row, campaign)
    charge = context.rules.charge
    found = (
        _decide_mass(fan, row, now, context.rules)
        if charge is DebitKind.MASS
        else _decide_window(fan, row, campaign, now)
    )
    return _until_over(found, row, campaign) if found is not None else Send(charge)


def decide_campaign(context: Context) -> Hold | Drop | None:
    """What stands against every push of a campaign alike."""
    campaign, now = context.campaign, context.moment.now
    if campaign.cancelled:
        return Drop("cancelled")
    if now >= campaign.expires:
        return Drop("expired")
    if now < campaign.not_before:
        return _dated("not_yet", campaign.not_before)
    return _decide_channel(context)


def backoff(row: Push, now: int) -> int:
    """Milliseconds until a row that waits for news is looked at again: longer, the older it is."""
    return max(SHORTEST_LOOK_MS, min(LONGEST_LOOK_MS, (now - row.created_at) // 4))


def _decide_channel(context: Context) -> Hold | None:
    campaign, account, moment = context.campaign, context.account, context.moment
    now = moment.now
    if campaign.promotion and account.paused:
        return _undated("promotions_paused", now + MINUTE_MS)
    stop = account.stop_of(campaign.channel, now)
    if stop is not None:
        return _dated(f"channel_stopped_{stop.reason}", stop.until)
    if context.rules.charge is DebitKind.MASS and moment.unsure_until is not None:
        return _undated("clock_unsure", max(moment.unsure_until, now + SHORTEST_LOOK_MS))
    return None


def _decide_period(row: Push, campaign: Campaign, now: int) -> Hold | Drop | None:
    """A repeat belongs to its period: what could not go then has been overtaken by the next."""
    period = period_of(campaign, row.created_at)
    if period is None:
        return None
    start, end = period
    if now >= end:
        return Drop("period_over")
    return _dated("not_yet", start) if now < start else None


def _decide_fan(fan: Fan, row: Push, campaign: Campaign, now: int) -> Hold | Drop | None:
    facts = fan.facts
    waiting = _undated("waiting_for_facts", now + backoff(row, now), waits_for_fan=True)
    if facts.seen_at < row.cause_at:
        return waiting
    if facts.opted_out:
        return Drop("opted_out")
    gone = facts.following_at <= fan.ledger.gone_at and fan.ledger.gone_at > 0
    if facts.following is False or (facts.following and gone):
        return Drop("not_following")
    if facts.following is None:
        return waiting
    if campaign.tag not in fan.tags.tags:
        return Drop("tag_lost")
    return None


def _decide_manners(fan: Fan, row: Push, now: int, rules: PushRules) -> Hold | None:
    quiet_until = rules.quiet_hours.ends_at(now)
    answers = rules.reply_within > 0 and now - fan.facts.acted_at <= rules.reply_within
    if quiet_until is not None and not (answers and not row.audience):
        return _dated("quiet_hours", quiet_until)
    ledger = prune(fan.ledger.without(row.id), now)
    if ledger.sent_on(day_of(now)) >= rules.fan_cap_a_day:
        tomorrow = day_start(day_of(now) + 1)
        return _dated("fan_cap", rules.quiet_hours.ends_at(tomorrow) or tomorrow)
    if len(ledger.debits) >= MOST_DEBITS:
        return _dated("ledger_full", now + DAY_MS)
    return None


def _decide_window(fan: Fan, row: Push, campaign: Campaign, now: int) -> Hold | None:
    room = find_room(fan.ledger.without(row.id), fan.facts.windows, campaign.platform, now)
    if room is Room.FREE:
        return None
    return _undated(room.value, now + HOUR_MS, waits_for_fan=True)


def _decide_mass(fan: Fan, row: Push, now: int, rules: PushRules) -> Hold | None:
    used = fan.ledger.without(row.id).mass_sent_since(month_start(now))
    if rules.mass_sends_a_month is not None and used >= rules.mass_sends_a_month:
        return _dated("month_spent", after_month(now))
    return None


def _dated(reason: str, not_before: int) -> Hold:
    return Hold(reason, not_before, not_before)


def _undated(reason: str, look_at: int, *, waits_for_fan: bool = False) -> Hold:
    return Hold(reason, None, look_at, waits_for_fan)


def _until_over(hold: Hold | Drop, row: Push, campaign: Campaign) -> Hold | Drop:
    """Looked at again no later than when it is to be dropped."""
    if isinstance(hold, Drop):
        return hold
    period = period_of(campaign, row.created_at)
    over = campaign.expires if period is None else min(campaign.expires, period[1])
    if hold.look_at <= over:
        return hold
    return Hold(hold.reason, hold.not_before, over, hold.waits_for_fan)
