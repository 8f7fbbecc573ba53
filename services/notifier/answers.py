"""What staff are shown of campaigns, pushes and mass sends: JSON values, times in ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.notifier.domain.campaigns import Campaign
from services.notifier.domain.fan import JobCounts
from services.notifier.domain.pushes import Push
from services.notifier.domain.wave_record import WaveRecord
from services.notifier.ports import Count


def _time(millis: int) -> str | None:
    if not millis:
        return None
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")


def show_campaign(one: Campaign) -> dict[str, Any]:
    """Its definition, and whether it is planned or cancelled."""
    return {
        "id": one.id,
        "name": one.name,
        "account": one.account,
        "channel": one.channel,
        "audience": {"tag": one.audience_tag} if one.audience_tag else None,
        "trigger": {"tag": one.trigger_tag} if one.trigger_tag else None,
        "content": {"kind": one.content.kind.value, "value": one.content.value},
        "promotion": one.promotion,
        "not_before": _time(one.not_before),
        "expires": _time(one.expires),
        "repeat": one.repeat.value,
        "created_at": _time(one.created_at),
        "cancelled": one.cancelled,
        "planned": one.plan.done,
    }


def show_count(one: Count) -> dict[str, Any]:
    """How many pushes are in a state for a reason."""
    return {
        "state": one.state.value,
        "reason": one.reason,
        "pushes": one.pushes,
        "next_at": _time(one.next_at),
    }


def show_wave(one: WaveRecord, job: JobCounts | None) -> dict[str, Any]:
    """One mass send, with the counts that the platform reported later."""
    counts = None
    if job is not None:
        counts = {
            "status": job.status,
            "total": job.total,
            "filtered": job.filtered,
            "sent": job.sent,
            "errors": job.errors,
        }
    return {
        "id": one.id,
        "outcome": one.outcome,
        "reason": one.reason,
        "fans": one.fans,
        "at": _time(one.at),
        "message_id": one.message_id,
        "article": one.article,
        "platform_counts": counts,
    }


def show_push(one: Push) -> dict[str, Any]:
    """One push of a fan."""
    return {
        "id": one.id,
        "campaign": one.campaign,
        "occurrence": one.occurrence,
        "channel": one.channel,
        "state": one.state.value,
        "reason": one.reason,
        "not_before": _time(one.not_before),
        "created_at": _time(one.created_at),
        "changed_at": _time(one.changed_at),
    }
