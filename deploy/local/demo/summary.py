"""What came out of the demo, as `var/demo/summary.json` has it, and what is wrong with it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from deploy.local.audit import Account
from deploy.sandbox.actions import Counts

GROUPS = (
    "segmenter.fan-events.v1",
    "notifier.fan-events.v1",
    "notifier.tag-changes.v1",
    "sentiment.fan-events.v1",
)
"""Groups whose books must be there: one that never read anything would balance as well."""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """HTTP requests that the sandbox made; `rejected` were answered with an error."""

    sent: int
    acknowledged: int
    rejected: int
    unanswered: int
    forged: int
    forged_accepted: int
    genuine_rejected: int
    lost: int


@dataclass(frozen=True, slots=True)
class Events:
    """Records in the four topics, and what the consumer groups made of them."""

    published: int
    applied: int
    duplicates: int
    skipped: int
    dead_lettered: int


@dataclass(frozen=True, slots=True)
class Pushes:
    """The notifier's own counts beside the platforms': fans named in accepted calls."""

    sent: int
    held: int
    failed: int
    unknown: int
    dropped: int
    platform_count: int
    over_quota: int


@dataclass(frozen=True, slots=True)
class Incidents:
    """From the incidents topic; `pages_sent` from the pagers' books."""

    opened: int
    pages_sent: int
    escalations: int
    acknowledged: int
    resolved: int


@dataclass(frozen=True, slots=True)
class Latency:
    """In milliseconds, measured from outside; None where nothing was measured."""

    webhook_to_tag_p50: float | None
    webhook_to_tag_p99: float | None
    comment_to_page_p99: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole result."""

    webhooks: Webhooks
    events: Events
    tags_assigned: int
    pushes: Pushes
    held_reasons: Mapping[str, int]
    incidents: Incidents
    latency_ms: Latency
    balanced: bool
    unbalanced: Sequence[str]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """As the file has it."""
        return asdict(self)


def webhooks(counts: Counts) -> Webhooks:
    """The sandbox's counts, of all acts together."""
    return Webhooks(
        sent=counts.sent,
        acknowledged=counts.acknowledged,
        rejected=counts.rejected,
        unanswered=counts.unanswered,
        forged=counts.forged,
        forged_accepted=counts.forged_accepted,
        genuine_rejected=counts.genuine_rejected,
        lost=counts.lost,
    )


def events(published: int, accounts: Sequence[Account]) -> Events:
    """Sums over all groups; a record that two groups read counts in both."""
    return Events(
        published=published,
        applied=sum(account.applied for account in accounts),
        duplicates=sum(account.duplicates for account in accounts),
        skipped=sum(account.skipped for account in accounts),
        dead_lettered=sum(account.dead_lettered for account in accounts),
    )


def unbalanced(accounts: Sequence[Account]) -> list[str]:
    """One line for each group whose books do not balance, or that has none."""
    lines = [
        f"{account.group}/{account.partition}: {account.missing} records missing"
        for account in accounts
        if not account.is_balanced
    ]
    known = {account.group for account in accounts}
    return lines + [f"{group}: no books" for group in GROUPS if group not in known]


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of the values do not exceed."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def problems(summary: Summary) -> list[str]:
    """What was expected and did not happen; empty when all is well."""
    hooks, pushes, incidents = summary.webhooks, summary.pushes, summary.incidents
    expectations = [
        (hooks.acknowledged > 0, "no webhook was acknowledged"),
        (hooks.forged > 0, "no forged webhook was tried"),
        (hooks.forged_accepted == 0, f"{hooks.forged_accepted} forged webhooks were accepted"),
        (hooks.genuine_rejected == 0, f"{hooks.genuine_rejected} genuine webhooks were refused"),
        (hooks.lost == 0, f"{hooks.lost} genuine webhooks were given up by the platforms"),
        (summary.events.published > 0, "no event was published"),
        (summary.events.dead_lettered == 0, f"{summary.events.dead_lettered} dead letters"),
        (summary.tags_assigned > 0, "no tag was assigned"),
        (pushes.sent > 0, "no push was sent"),
        (pushes.held > 0, "no push was held back, though some fans may not be written to"),
        (pushes.failed == 0, f"{pushes.failed} pushes were refused by a platform"),
        (pushes.unknown == 0, f"the outcome of {pushes.unknown} pushes is unknown"),
        (
            pushes.platform_count == pushes.sent,
            f"the notifier says {pushes.sent} were sent, the platforms say {pushes.platform_count}",
        ),
        (pushes.over_quota == 0, f"{pushes.over_quota} sends were over a platform's quota"),
        (incidents.opened > 0, "no incident was opened"),
        (incidents.pages_sent > 1, f"{incidents.pages_sent} pages reached the on-call staff"),
        (incidents.escalations > 0, "an incident that nobody answered did not escalate"),
        (incidents.acknowledged > 0, "the acknowledgement through the page's link had no effect"),
        (incidents.resolved > 0, "the incident was not resolved"),
        (summary.latency_ms.webhook_to_tag_p99 is not None, "no tag was seen to appear"),
        (summary.latency_ms.comment_to_page_p99 is not None, "no page was seen to arrive"),
        (summary.balanced, "the books do not balance: " + "; ".join(summary.unbalanced)),
    ]
    return [problem for is_met, problem in expectations if not is_met]
