"""A finished mass send, kept for staff beside the counts that the platform reports later."""

from __future__ import annotations

from dataclasses import dataclass

from services.notifier.domain.account import Wave
from shared.events import MassSendAccepted, stable_id
from shared.kafka.handler import Announcement, Change


@dataclass(frozen=True, slots=True)
class WaveRecord:
    """What became of one wave. Times in milliseconds by the platform's clock."""

    id: str
    """Its `clientmsgid`."""
    campaign: str
    account: str
    fans: int
    at: int
    known_at: int
    outcome: str
    """accepted, refused or unknown."""
    reason: str
    message_id: str
    article: str


def record_wave(account: str, wave: Wave) -> Change[WaveRecord]:
    """Keep a wave whose outcome is known; an accepted one announces its article."""
    record = WaveRecord(
        id=wave.id,
        campaign=wave.campaign,
        account=account,
        fans=wave.fans,
        at=wave.at,
        known_at=wave.known_at,
        outcome=wave.outcome,
        reason=wave.reason,
        message_id=wave.message_id,
        article=wave.article,
    )
    if wave.outcome != "accepted":
        return Change(record)
    platform, _, name = account.partition(":")
    event = MassSendAccepted.model_validate(
        {
            "occurred_at": wave.known_at,
            "platform": platform,
            "account": name,
            "campaign": wave.campaign,
            "wave": wave.id,
            "message_id": wave.message_id or wave.id,
            "article": wave.article,
            "fans": wave.fans,
        }
    )
    return Change(record, (Announcement(event, stable_id("wave", wave.id)),))
