"""How the notifier's state is kept: one `Documents` for each loop.

Plain mappings of BSON values. Names of incidents and channels are values, never field names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Final

from services.notifier.domain.account import Account, Incident, Slot, Stop, Wave
from services.notifier.domain.campaigns import Campaign, Content, ContentKind, Plan, Repeat
from services.notifier.domain.fan import Fan, FanFacts, FanTags, JobCounts
from services.notifier.domain.ledger import Debit, DebitKind, Ledger
from services.notifier.domain.pushes import Push, PushState
from services.notifier.domain.wave_record import WaveRecord
from services.notifier.domain.windows import Act

FANS: Final = "fans"
ACCOUNTS: Final = "accounts"
PUSHES: Final = "pushes"
CAMPAIGNS: Final = "campaigns"
WAVES: Final = "waves"

NO_PUSH: Final = Push("", "", "", "", "", "", "", 0, 0)
"""A row that is not there."""
NO_CAMPAIGN: Final = Campaign(
    "", "", "", "", Content(ContentKind.TEXT, ""), False, 0, 0, Repeat.ONCE, 0
)
NO_WAVE: Final = WaveRecord("", "", "", 0, 0, 0, "", "", "", "")


class FanDocuments:
    """What the loops that write fans share: all read all."""

    collection: ClassVar[str] = FANS

    def load(self, fields: Mapping[str, Any]) -> Fan:
        """All three parts."""
        return Fan(
            facts=_load_facts(fields.get("facts") or {}),
            tags=FanTags(tuple(fields.get("tags") or ()), fields.get("tags_number") or 0),
            ledger=_load_ledger(fields.get("ledger") or {}),
        )


class FactDocuments(FanDocuments):
    """Written by the events loop."""

    loop: ClassVar[str] = "events"

    def dump(self, state: Fan) -> dict[str, Any]:
        """The facts."""
        facts = asdict(state.facts)
        facts["windows"] = {act.value: at for act, at in state.facts.windows.items()}
        facts["jobs"] = list(facts["jobs"])
        return {"facts": facts}


class TagDocuments(FanDocuments):
    """Written by the tags loop; `tags` lies at the top for its index."""

    loop: ClassVar[str] = "tags"

    def dump(self, state: Fan) -> dict[str, Any]:
        """The tags."""
        return {"tags": list(state.tags.tags), "tags_number": state.tags.number}


class LedgerDocuments(FanDocuments):
    """Written by the senders."""

    loop: ClassVar[str] = "ledger"

    def dump(self, state: Fan) -> dict[str, Any]:
        """The ledger."""
        ledger = state.ledger
        return {
            "ledger": {
                "debits": [
                    {"push": one.push, "kind": one.kind.value, "at": one.at, "until": one.until}
                    for one in ledger.debits
                ],
                "refused_at": ledger.refused_at,
                "gone_at": ledger.gone_at,
            }
        }


class AccountDocuments:
    """What the loops that write accounts share."""

    collection: ClassVar[str] = ACCOUNTS

    def load(self, fields: Mapping[str, Any]) -> Account:
        """Both parts."""
        sending = fields.get("sending") or {}
        wave = sending.get("wave")
        return Account(
            incidents={
                one["incident"]: Incident(one["number"], one["pausing"], one["at"])
                for one in fields.get("incidents") or ()
            },
            tenure=sending.get("tenure", 0),
            wave=Wave(**wave) if wave else None,
            slots=tuple(Slot(**one) for one in sending.get("slots", ())),
            calls=tuple(sending.get("calls", ())),
            stops={
                one["channel"]: Stop(one["reason"], one["until"])
                for one in sending.get("stops", ())
            },
        )


class IncidentDocuments(AccountDocuments):
    """Written by the incidents loop."""

    loop: ClassVar[str] = "incidents"

    def dump(self, state: Account) -> dict[str, Any]:
        """The incidents."""
        return {
            "incidents": [
                {"incident": name, **asdict(one)} for name, one in state.incidents.items()
            ]
        }


class SendingDocuments(AccountDocuments):
    """Written by the holder of the account's sender lease."""

    loop: ClassVar[str] = "sending"

    def dump(self, state: Account) -> dict[str, Any]:
        """All but the incidents."""
        return {
            "sending": {
                "tenure": state.tenure,
                "wave": asdict(state.wave) if state.wave else None,
                "slots": [asdict(one) for one in state.slots],
                "calls": list(state.calls),
                "stops": [
                    {"channel": channel, **asdict(one)} for channel, one in state.stops.items()
                ],
            }
        }


class PushDocuments:
    """Rows."""

    collection: ClassVar[str] = PUSHES
    loop: ClassVar[str] = "rows"
    _names: ClassVar[tuple[str, ...]] = tuple(NO_PUSH.__dataclass_fields__)

    def load(self, fields: Mapping[str, Any]) -> Push:
        """A row; `NO_PUSH` where there is none."""
        if "_id" not in fields:
            return NO_PUSH
        found = {name: fields[name] for name in self._names if name in fields}
        return Push(**{**found, "id": fields["_id"], "state": PushState(fields["state"])})

    def dump(self, state: Push) -> dict[str, Any]:
        """The row."""
        fields = asdict(state)
        del fields["id"]
        fields["state"] = state.state.value
        return fields


class CampaignDocuments:
    """Campaigns."""

    collection: ClassVar[str] = CAMPAIGNS
    loop: ClassVar[str] = "campaigns"
    _names: ClassVar[tuple[str, ...]] = tuple(NO_CAMPAIGN.__dataclass_fields__)

    def load(self, fields: Mapping[str, Any]) -> Campaign:
        """A campaign; `NO_CAMPAIGN` where there is none."""
        if "_id" not in fields:
            return NO_CAMPAIGN
        found: dict[str, Any] = {name: fields[name] for name in self._names if name in fields}
        content = found["content"]
        found["id"] = fields["_id"]
        found["content"] = Content(ContentKind(content["kind"]), content["value"])
        found["repeat"] = Repeat(found["repeat"])
        found["plan"] = Plan(**found["plan"])
        return Campaign(**found)

    def dump(self, state: Campaign) -> dict[str, Any]:
        """The campaign."""
        fields = asdict(state)
        del fields["id"]
        fields["content"] = {"kind": state.content.kind.value, "value": state.content.value}
        fields["repeat"] = state.repeat.value
        return fields


class WaveDocuments:
    """Finished mass sends."""

    collection: ClassVar[str] = WAVES
    loop: ClassVar[str] = "waves"

    def load(self, fields: Mapping[str, Any]) -> WaveRecord:
        """A record; `NO_WAVE` where there is none."""
        if "_id" not in fields:
            return NO_WAVE
        found = {name: fields[name] for name in NO_WAVE.__dataclass_fields__ if name in fields}
        return WaveRecord(**{**found, "id": fields["_id"]})

    def dump(self, state: WaveRecord) -> dict[str, Any]:
        """The record."""
        fields = asdict(state)
        del fields["id"]
        return fields


def _load_facts(fields: Mapping[str, Any]) -> FanFacts:
    if not fields:
        return FanFacts()
    windows = {Act(act): at for act, at in fields["windows"].items()}
    jobs = tuple(JobCounts(**one) for one in fields["jobs"])
    return FanFacts(**{**fields, "windows": windows, "jobs": jobs})


def _load_ledger(fields: Mapping[str, Any]) -> Ledger:
    if not fields:
        return Ledger()
    return Ledger(
        debits=tuple(
            Debit(one["push"], DebitKind(one["kind"]), one["at"], one["until"])
            for one in fields["debits"]
        ),
        refused_at=fields["refused_at"],
        gone_at=fields["gone_at"],
    )
