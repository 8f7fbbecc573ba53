"""What was seen from outside while the story was played, and the summary that comes of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.local.audit import Account, events_in, records_in
from deploy.local.demo import plan, summary
from deploy.local.demo.staff import Staff
from deploy.local.stack import Stack
from deploy.sandbox.actions import Counts
from deploy.sandbox.driver import SandboxDriver

TOPICS = ("fan-events.v1", "tag-changes.v1", "push-outcomes.v1", "incidents.v1")
PLATFORMS = ("wechat", "weibo")
PAGERS = ("wecom", "pagerduty")


@dataclass(slots=True)
class Seen:
    """What was seen from outside, for the summary."""

    counts: Counts = field(default_factory=Counts)
    tag_delays_s: list[float] = field(default_factory=list)
    page_delays_s: list[float] = field(default_factory=list)
    pushes: Counter[str] = field(default_factory=Counter)
    held_reasons: Counter[str] = field(default_factory=Counter)
    page: str = ""
    pressed: set[str] = field(default_factory=set)
    accounts: list[Account] = field(default_factory=list)


async def sum_up(
    stack: Stack, staff: Staff, driver: SandboxDriver, seen: Seen, seconds: float
) -> summary.Summary:
    """Ask the services, the platforms and the log, and put it beside what was seen.

    Args:
        stack: the running services, drained.
        staff: asks the notifier for its campaigns.
        driver: asks the sandbox for its books.
        seen: counts of campaigns are added to it.
        seconds: how long the story took.
    """
    for name in plan.CAMPAIGNS:
        campaign = await staff.campaign(name)
        seen.pushes.update(campaign["pushes"])
        for one in campaign["reasons"]:
            if one["state"] == "held":
                seen.held_reasons[one["reason"]] += one["pushes"]
    books = (await driver.books(entries=False))["platforms"]
    log, prefix = stack.bootstrap_servers, stack.topic_prefix
    records = [await asyncio.to_thread(records_in, log, prefix + topic) for topic in TOPICS]
    tags = await asyncio.to_thread(events_in, log, f"{prefix}tag-changes.v1")
    incidents = await asyncio.to_thread(events_in, log, f"{prefix}incidents.v1")
    pushes = seen.pushes
    unbalanced = summary.unbalanced(seen.accounts)
    return summary.Summary(
        webhooks=summary.webhooks(seen.counts),
        events=summary.events(sum(records), seen.accounts),
        tags_assigned=tags["TagAssigned"],
        pushes=summary.Pushes(
            sent=pushes["sent"],
            held=pushes["held"],
            failed=pushes["refused"],
            unknown=pushes["unknown"],
            dropped=pushes["dropped"],
            platform_count=_total(books, PLATFORMS, "accepted_sends"),
            over_quota=_total(books, PLATFORMS, "over_quota"),
        ),
        held_reasons=dict(seen.held_reasons),
        incidents=summary.Incidents(
            opened=incidents["IncidentOpened"],
            pages_sent=_total(books, PAGERS, "accepted_calls"),
            escalations=incidents["IncidentEscalated"],
            acknowledged=incidents["IncidentAcknowledged"],
            resolved=incidents["IncidentResolved"],
        ),
        latency_ms=summary.Latency(
            webhook_to_tag_p50=_millis(summary.percentile(seen.tag_delays_s, 0.5)),
            webhook_to_tag_p99=_millis(summary.percentile(seen.tag_delays_s, 0.99)),
            comment_to_page_p99=_millis(summary.percentile(seen.page_delays_s, 0.99)),
        ),
        balanced=not unbalanced,
        unbalanced=unbalanced,
        seconds=round(seconds, 1),
    )


def _total(books: Mapping[str, Mapping[str, int]], platforms: tuple[str, ...], what: str) -> int:
    return sum(books.get(name, {}).get(what, 0) for name in platforms)


def _millis(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
