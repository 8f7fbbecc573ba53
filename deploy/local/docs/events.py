"""`docs/events.md`: every event, with its fields and an example."""

from __future__ import annotations

import json
from typing import Any

from deploy.local.docs.markdown import code, one_line, page, table
from deploy.local.docs.schemas import Schema, schema_of
from shared.events import (
    DEAD_LETTER_HEADROOM_BYTES,
    EVENT_TYPES,
    TOPICS,
    Event,
    Topic,
    dead_letter_topic,
)
from shared.events.envelope import Envelope, to_headers

OCCURRED_AT = 1_793_600_523_456
FIRST_ID = "6f1c0a4be2d94f0c8d5b3a7e91c2f604"
SAMPLES: dict[str, Any] = {
    "platform": "wechat",
    "account": "gh_0123456789ab",
    "fan": "oLbV20a1b2c3d4e5f6g7h8i9j0k1",
    "occurred_at": OCCURRED_AT,
    "message_type": "text",
    "text": "这款什么时候有货？",
    "fields": {"MsgId": "23456789012345678"},
    "scene": "store-001",
    "menu_key": "new-arrivals",
    "url": "https://shop.example.com/new",
    "items": ["栗子蒙布朗"],
    "article": "2247483655_1",
    "fans": 2_000,
    "status": "send success",
    "tag": "想买",
    "tags": ["已购", "想买"],
    "not_before": OCCURRED_AT + 3_600_000,
    "campaign": "autumn-2026",
    "occurrence": "once",
    "channel": "wechat_customer_message",
    "subject": "food_safety",
    "severity": 3,
}
"""Values that read well; what is not here is made from the field's type."""
MILLIS_BEFORE = 32_503_680_000_000
DAY_MS = 86_400_000


def render() -> str:
    """The page."""
    parts = [
        "# Events",
        (
            "Services speak through these events alone. A record's value is the JSON of one"
            " event; its envelope is in the record's headers (CloudEvents 1.0, Kafka binding,"
            " binary mode):"
        ),
        table(
            ("header", "meaning", "example"),
            ((code(name), ENVELOPE[name], code(value.decode())) for name, value in _headers()),
        ),
        (
            "Ids are deterministic: whatever is produced again has the same id. Consumers ignore"
            " fields that they don't know, and skip and count events of a type that they don't"
            " know. A field without a value is left out. Times are milliseconds since 1970 UTC."
            " The schemas are in [schemas/](schemas); a change that breaks a reader is refused by"
            " `make docs`, `make check` and `tests/contract/test_event_schemas.py`."
        ),
        "## Topics",
        table(
            ("topic", "partitions", "kept", "largest record", "events"),
            map(_topic_row, TOPICS.values()),
        ),
        (
            "Partitions are never added to a live topic: a fan's events would change their place. A"
            " record that a service can't process goes to the topic"
            f" {code(dead_letter_topic('<topic>', '<service>'))}, which takes"
            f" {DEAD_LETTER_HEADROOM_BYTES // 1024} KiB more than its source."
        ),
    ]
    for topic in TOPICS:
        parts.append(f"## {topic}")
        for name, event in EVENT_TYPES.items():
            if event.topic == topic:
                parts += _event(name, event)
    return page(*parts)


ENVELOPE = {
    "ce_specversion": "version of CloudEvents",
    "ce_id": "the event's id, unique within its source",
    "ce_source": "who saw it",
    "ce_type": "the event's name, as below",
    "ce_time": "when it happened",
    "content-type": "of the value",
    "traceparent": "W3C trace context, where there is a trace",
}


def example(event: type[Event]) -> Event:
    """A valid event with telling values."""
    schema = schema_of(event)
    fields = {name: _sample(name, field, schema) for name, field in schema["properties"].items()}
    return event.model_validate(fields)


def _headers() -> list[tuple[str, bytes]]:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    source = "/wechat/gh_0123456789ab/ingest"
    return to_headers(Envelope(FIRST_ID, source, "MessageReceived", OCCURRED_AT, trace))


def _topic_row(topic: Topic) -> tuple[str, ...]:
    events = [code(name) for name, event in EVENT_TYPES.items() if event.topic == topic.name]
    kept = f"{topic.config['retention.ms'] // DAY_MS} days"
    largest = f"{topic.max_message_bytes // 1024} KiB"
    return code(topic.name), str(topic.partitions), kept, largest, ", ".join(events)


def _event(name: str, event: type[Event]) -> list[str]:
    schema = schema_of(event)
    required = set(schema.get("required", ()))
    rows = [
        (
            code(field),
            describe_type(found, schema),
            "yes" if field in required else _default(found),
            found.get("description", ""),
        )
        for field, found in schema["properties"].items()
    ]
    sample = json.loads(example(event).to_json())
    return [
        f"### {name}",
        one_line(event.__doc__),
        f"Key: {one_line(event.key.__doc__)} Schema: [{name}.json](schemas/{name}.json)",
        table(("field", "type", "required", "meaning"), rows),
        f"```json\n{json.dumps(sample, ensure_ascii=False, indent=2)}\n```",
    ]


def _default(field: Schema) -> str:
    value = field.get("default")
    return f"no ({json.dumps(value, ensure_ascii=False)})" if value not in (None, "") else "no"


def describe_type(field: Schema, root: Schema) -> str:  # noqa: PLR0911 - one answer a kind
    """A field's type in words, with its bounds and unit."""
    if "$ref" in field:
        return describe_type(root["$defs"][field["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in field:
        return " or ".join(describe_type(choice, root) for choice in field["anyOf"])
    if "enum" in field:
        return "one of " + ", ".join(code(str(value)) for value in field["enum"])
    if "const" in field:
        return code(str(field["const"]))
    match field.get("type"):
        case "string":
            return _described_text(field)
        case "integer" if field.get("exclusiveMaximum") == MILLIS_BEFORE:
            return "milliseconds since 1970 UTC"
        case "integer":
            return "integer" + _range(field, "minimum", "maximum", "")
        case "array":
            return f"list of {describe_type(field.get('items', {}), root)}"
        case "object":
            inner = field.get("additionalProperties", {})
            return f"mapping of text to {describe_type(inner, root)}"
        case other:
            return str(other or "anything")


def _described_text(field: Schema) -> str:
    if "pattern" in field:
        return f"text like {code(field['pattern'])}"
    return "text" + _range(field, "minLength", "maxLength", " characters")


def _range(field: Schema, low: str, high: str, unit: str) -> str:
    match field.get(low), field.get(high):
        case None, None:
            return ""
        case least, None:
            return f", {least} or more{unit}"
        case None, most:
            return f", at most {most}{unit}"
        case least, most:
            return f", {least} to {most}{unit}"
    return ""


def _sample(name: str, field: Schema, root: Schema) -> Any:  # noqa: PLR0911 - one answer a kind
    if "$ref" in field:
        return _sample(name, root["$defs"][field["$ref"].removeprefix("#/$defs/")], root)
    if name in SAMPLES:
        return SAMPLES[name]
    if "enum" in field:
        return field["enum"][0]
    if field.get("default") not in (None, "", 0, []):
        return field["default"]
    match field.get("type"):
        case "integer":
            return max(1, field.get("minimum", 1))
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            return {}
        case _:
            return f"{name}-1"
