"""Which pushes there must be, and what the platform's books allow: written apart from the notifier.

It knows the events' JSON and the sandbox's books, and nothing of `services`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FINAL_WORDS = {
    "PushSent": "sent",
    "PushRefused": "refused",
    "PushUnknown": "unknown",
    "PushHeld": "held",
    "PushDropped": "dropped",
}
Push = tuple[str, str]
"""Campaign, and the fan's openid: campaigns here are one-off, so there is one occurrence."""


def triggered_pushes(
    tag_changes: Iterable[Mapping[str, Any]], triggers: Mapping[str, str]
) -> set[Push]:
    """One push for each campaign and each fan who ever gained its tag.

    Args:
        tag_changes: values of `TagAssigned`.
        triggers: tag by campaign.
    """
    return {
        (campaign, change["fan"])
        for change in tag_changes
        for campaign, tag in triggers.items()
        if change["tag"] == tag
    }


def last_words(outcomes: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[Push, str]:
    """What `push-outcomes` says of each push in the end: the highest number of each wins."""
    newest: dict[Push, tuple[int, str]] = {}
    for kind, value in outcomes:
        if kind in FINAL_WORDS:
            push = (value["campaign"], value["fan"])
            newest[push] = max(newest.get(push, (0, "")), (value["number"], FINAL_WORDS[kind]))
    return {push: word for push, (_, word) in newest.items()}


def platform_pushes(
    accepted: Sequence[Mapping[str, Any]], told_by: Mapping[str, str]
) -> Counter[Push]:
    """How often the platform took each push.

    Args:
        accepted: calls from the platform's books.
        told_by: by campaign, its text, or the name of the call that no other campaign makes.
    """
    campaign_of = {told: campaign for campaign, told in told_by.items()}
    return Counter(
        (campaign_of[told], fan)
        for call in accepted
        for told in (call.get("text") or call["call"],)
        if told in campaign_of
        for fan in call["fans"]
    )


def broken_promises(ours: Mapping[Push, str], theirs: Counter[Push]) -> list[str]:
    """What contradicts "our sent ⊆ their books ⊆ our sent ∪ unknown, and nothing twice"."""
    sent = {push for push, word in ours.items() if word == "sent"}
    unknown = {push for push, word in ours.items() if word == "unknown"}
    return [
        *(f"{push}: we say sent, they know nothing" for push in sorted(sent - theirs.keys())),
        *(
            f"{push}: they took it, we say {ours.get(push)}"
            for push in sorted(theirs.keys() - sent - unknown)
        ),
        *(f"{push}: taken {times} times" for push, times in theirs.items() if times > 1),
    ]
