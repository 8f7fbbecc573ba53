"""The events still fit the committed schemas, and a change that breaks a reader is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field, ValidationError

from deploy.local.docs import schemas
from deploy.local.docs.compatibility import breaking_changes
from deploy.local.docs.events import example
from shared.events import EVENT_TYPES, Event, FanEvent

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "schemas"


class Before(FanEvent):
    """An event as it was; each class below is one change of it."""

    topic: ClassVar[str] = "fan-events.v1"

    kind: Literal["a", "b"]
    count: Annotated[int, Field(ge=0, le=9)] = 0
    words: tuple[str, ...] = ()
    note: Annotated[str, Field(max_length=10)] | None = None


def changed(**fields: Any) -> type[Event]:
    """`Before` with other fields: `name=(annotation, default)`; no default makes it required."""
    body: dict[str, Any] = {
        "__annotations__": {"topic": ClassVar[str]}
        | {name: annotation for name, (annotation, *_) in fields.items()},
        "__module__": __name__,
    }
    body |= {name: rest[0] for name, (_, *rest) in fields.items() if rest}
    made: type[Event] = type("Before", (Before,), body)
    return made


def of(**fields: Any) -> dict[str, Any]:
    return schemas.schema_of(changed(**fields))


def without(name: str) -> dict[str, Any]:
    """The schema of `Before` as if a field had never been."""
    schema = schemas.schema_of(Before)
    del schema["properties"][name]
    schema["required"] = [one for one in schema["required"] if one != name]
    return schema


def moved() -> dict[str, Any]:
    return schemas.schema_of(Before) | {"x-topic": "fan-events.v2"}


def told(old: dict[str, Any], new: dict[str, Any]) -> str:
    return "\n".join(breaking_changes(old, new))


BREAKING: list[tuple[str, Callable[[], dict[str, Any]], str]] = [
    ("a field is removed", lambda: without("count"), ".count: removed"),
    ("a required field is new", lambda: of(shop=(str,)), ".shop: new and required"),
    ("a field becomes required", lambda: of(count=(int,)), ".count: required now"),
    ("a field is no longer required", lambda: of(kind=(str, "")), ".kind: no longer required"),
    ("a word is lost", lambda: of(kind=(Literal["a"],)), ".kind: b no longer accepted"),
    ("words replace free text", lambda: of(fan=(Literal["x"],)), ".fan: only x now"),
    ("another type", lambda: of(count=(str, "")), ".count: was integer, is string"),
    ("a list becomes a number", lambda: of(words=(int, 0)), ".words: was array, is integer"),
    ("a higher minimum", lambda: of(count=(Annotated[int, Field(ge=1, le=9)], 1)), "minimum"),
    ("a lower maximum", lambda: of(count=(Annotated[int, Field(ge=0, le=8)], 0)), "maximum"),
    ("a new maximum", lambda: of(account=(Annotated[str, Field(max_length=9)],)), "maxLength"),
    ("a pattern", lambda: of(fan=(Annotated[str, Field(pattern="^o")],)), ".fan: has another"),
    ("narrower items", lambda: of(words=(tuple[Literal["x"], ...], ())), ".words.items: only x"),
    ("no longer empty", lambda: of(note=(str, "")), ".note: null no longer accepted"),
    ("another topic", moved, "moved from topic fan-events.v1 to fan-events.v2"),
]
HARMLESS: list[tuple[str, Callable[[], dict[str, Any]]]] = [
    ("nothing changed", of),
    ("a field with a default is new", lambda: of(shop=(str, ""))),
    ("one more word", lambda: of(kind=(Literal["a", "b", "c"],))),
    ("words become free text", lambda: of(kind=(str,))),
    ("a wider range", lambda: of(count=(Annotated[int, Field(ge=0, le=99)], 0))),
    ("no range", lambda: of(count=(int, 0))),
    ("a longer text", lambda: of(note=(Annotated[str, Field(max_length=99)] | None, None))),
    ("one more alternative", lambda: of(note=(str | int | None, None))),
]


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_an_event_still_fits_its_committed_schema(name: str) -> None:
    old = schemas.committed(COMMITTED)
    assert name in old, "run `make docs`"
    assert breaking_changes(old[name], schemas.schema_of(EVENT_TYPES[name])) == []


def test_no_event_of_the_committed_schemas_is_gone() -> None:
    assert schemas.incompatibilities(COMMITTED) == []
    fewer = {name: event for name, event in EVENT_TYPES.items() if name != "TagAssigned"}
    assert "TagAssigned: the event is gone" in schemas.incompatibilities(COMMITTED, fewer)[0]


@pytest.mark.parametrize(
    ("change", "problem"), [pytest.param(*case[1:], id=case[0]) for case in BREAKING]
)
def test_a_change_that_breaks_a_reader_is_refused(
    change: Callable[[], dict[str, Any]], problem: str
) -> None:
    assert problem in told(schemas.schema_of(Before), change())


@pytest.mark.parametrize("change", [pytest.param(case[1], id=case[0]) for case in HARMLESS])
def test_a_change_that_harms_nobody_passes(change: Callable[[], dict[str, Any]]) -> None:
    assert told(schemas.schema_of(Before), change()) == ""


def test_an_unknown_keyword_of_a_schema_is_not_overlooked() -> None:
    new = schemas.schema_of(Before)
    new["properties"]["count"]["multipleOf"] = 5
    assert ".count: multipleOf changed" in told(schemas.schema_of(Before), new)


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_the_example_of_an_event_goes_to_bytes_and_back(name: str) -> None:
    event = example(EVENT_TYPES[name])
    assert EVENT_TYPES[name].model_validate_json(event.to_json()) == event
    lacking = json.loads(event.to_json())
    del lacking["occurred_at"]
    with pytest.raises(ValidationError):
        EVENT_TYPES[name].model_validate(lacking)
