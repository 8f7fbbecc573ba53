"""How values become documents and come back: plain BSON values, names as in the dataclasses. Pure.

A field that an older document lacks gets its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from services.sentiment.domain.incidents.incident import AccountIncidents, Incident, Known
from services.sentiment.domain.incidents.judgement import Reason
from services.sentiment.domain.incidents.usual import SLOTS, Stream, Usual
from services.sentiment.domain.paging.escalation import WantedPage
from services.sentiment.domain.paging.pages import Page

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class StoredComment:
    """A scored comment. An empty account is a comment never seen."""

    account: str = ""
    article: str = ""
    at: int = 0
    """Event time, ms."""
    author: str = ""
    """A pseudonym."""
    negative: bool = False
    """Whether it counts towards an incident."""
    subject: str = ""
    severity: int = 0
    fingerprint: str = ""
    tone: str = ""
    p_negative: float = 0.0
    kind: str = ""
    aspect: str = ""
    reasons: tuple[str, ...] = ()
    """What made it severe, `hazard:level:term`."""
    text: str = ""
    """Its beginning, for staff; erased after some weeks."""
    trace: str = ""
    """The `traceparent` it came with."""


def dump_comment(comment: StoredComment) -> dict[str, Any]:
    """A comment's fields."""
    return _plain(comment)


def load_comment(found: Mapping[str, Any]) -> StoredComment:
    """A comment from its fields."""
    return _value(StoredComment, found)


def dump_incidents(state: AccountIncidents) -> dict[str, Any]:
    """The fields of an account's incidents."""
    return _plain(state)


def load_incidents(found: Mapping[str, Any]) -> AccountIncidents:
    """An account's incidents from their fields."""
    return AccountIncidents(
        seen=found.get("seen", 0),
        ordinal=found.get("ordinal", 0),
        incidents=tuple(
            _value(
                Incident,
                {
                    **one,
                    "reason": _value(Reason, one["reason"]),
                    "known": _value(Known, known) if (known := one.get("known")) else None,
                },
            )
            for one in found.get("incidents", ())
        ),
    )


def dump_page(page: Page) -> dict[str, Any]:
    """A page's fields; what was wanted lies beside how far it is."""
    fields_of_page = _plain(page)
    return {**fields_of_page.pop("wanted"), **fields_of_page}


def load_page(found: Mapping[str, Any]) -> Page | None:
    """A page from its fields; None if there is none."""
    if "incident" not in found:
        return None
    return _value(Page, {**found, "wanted": _value(WantedPage, found)})


def dump_usual(usual: Usual) -> dict[str, Any]:
    """The fields of an account's history."""
    return _plain(usual)


def load_usual(found: Mapping[str, Any]) -> Usual:
    """An account's history from its fields."""
    if "hours" not in found:
        return Usual()
    weeks = tuple(found["weeks"])
    streams = {name: _value(Stream, one) for name, one in found["streams"].items()}
    if len(weeks) != SLOTS:
        raise ValueError("a week has 168 hours")
    return _value(Usual, {**found, "weeks": weeks, "streams": streams})


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = _lists(asdict(value))
    return plain


def _lists(value: Any) -> Any:
    match value:
        case dict():
            return {name: _lists(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_lists(inner) for inner in value]
        case _:
            return value


def _value(kind: type[V], found: Mapping[str, Any]) -> V:
    """A dataclass from those of the fields that it has; lists become tuples."""
    known = {
        field.name: tuple(inner) if isinstance(inner := found[field.name], list) else inner
        for field in fields(kind)  # type: ignore[arg-type]  # every V here is a dataclass
        if field.name in found
    }
    return kind(**known)
