"""JSON Schemas of the events, and whether a changed one still fits the committed one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.docs.compatibility import breaking_changes
from shared.events import EVENT_TYPES, Event

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def schema_of(event: type[Event]) -> Schema:
    """The schema of one event's value, with its topic; what a consumer accepts."""
    body = event.model_json_schema(mode="validation")
    body.pop("title", None)
    for found in body["properties"].values():
        found.pop("title", None)
        if "description" in found:
            found["description"] = " ".join(found["description"].split())
    head = {"$schema": DIALECT, "title": event.__name__, "x-topic": event.topic}
    return head | body | {"description": " ".join((event.__doc__ or "").split())}


def render(events: Mapping[str, type[Event]] = EVENT_TYPES) -> dict[str, str]:
    """The text of each event's file, by the event's name."""
    return {
        name: json.dumps(schema_of(event), ensure_ascii=False, indent=2) + "\n"
        for name, event in events.items()
    }


def committed(folder: Path) -> dict[str, Schema]:
    """The schemas as they were last written, by the event's name."""
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(folder.glob("*.json"))
    }


def incompatibilities(folder: Path, events: Mapping[str, type[Event]] = EVENT_TYPES) -> list[str]:
    """One line for each change since the committed schemas that breaks a reader."""
    found: list[str] = []
    for name, old in committed(folder).items():
        if name not in events:
            found.append(f"{name}: the event is gone; records of it are still in the log")
            continue
        new = schema_of(events[name])
        found += [f"{name}{change}" for change in breaking_changes(old, new)]
    return found
