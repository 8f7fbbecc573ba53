"""How a fan's state is kept in the store: short names, plain BSON values.

`due` and `rules` are null where there is nothing to do, so that their indexes only find work. What
a rule remembered that is no longer in the file lies in `memory` too, under its key with `-` before
it, the instant until when it is kept first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.segmenter.domain.fan import NEVER, Fan, HeldTag, Memory

RETIRED = "-"


def load_fan(fields: Mapping[str, Any]) -> Fan:
    """State from a document's fields; empty fields are a fan never seen."""
    if "number" not in fields:
        return Fan()
    due = fields["due"]
    memory = {key: _frozen(memory) for key, memory in fields["memory"].items()}
    return Fan(
        number=fields["number"],
        clock=fields["clock"],
        following=fields["following"],
        first_seen=fields["first_seen"],
        followed_at=fields["followed_at"],
        scene=fields["scene"],
        scene_at=fields["scene_at"],
        rules=fields["rules"],
        memory={key: kept for key, kept in memory.items() if key[:1] != RETIRED},
        tags={
            tag["tag"]: HeldTag(
                since=tag["since"],
                until=NEVER if tag["until"] is None else tag["until"],
                rule_version=tag["rule"],
                because=tag["because"],
                cause=tag["cause"],
            )
            for tag in fields["tags"]
        },
        due=NEVER if due is None else due,
        retired={key[1:]: (kept[0], kept[1]) for key, kept in memory.items() if key[:1] == RETIRED},
    )


def dump_fan(fan: Fan) -> dict[str, Any]:
    """The fields of a document; always the same names."""
    return {
        "number": fan.number,
        "clock": fan.clock,
        "following": fan.following,
        "first_seen": fan.first_seen,
        "followed_at": fan.followed_at,
        "scene": fan.scene,
        "scene_at": fan.scene_at,
        "rules": fan.rules,
        "memory": {**fan.memory, **{RETIRED + key: kept for key, kept in fan.retired.items()}},
        "tags": [
            {
                "tag": name,
                "since": tag.since,
                "until": None if tag.until == NEVER else tag.until,
                "rule": tag.rule_version,
                "because": tag.because,
                "cause": tag.cause,
            }
            for name, tag in fan.tags.items()
        ],
        "due": None if fan.due == NEVER else fan.due,
    }


def _frozen(value: Any) -> Memory:
    """Lists, as the store gives them, back to tuples."""
    return tuple(_frozen(item) if isinstance(item, list) else item for item in value)
