"""What must come of comments: written apart from the sentiment service, and of no model.

The test says which texts are complaints; all others are praise. Complaints of one account about one
thing make one incident, whatever their order and however often each arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ENOUGH_PEOPLE = 8


@dataclass(frozen=True)
class Expected:
    """The incident of one account."""

    people: int
    comments: int


def comments_by_id(values: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Text by (article, comment id), each comment once."""
    return {(v["article"], v["comment_id"]): v["text"] for v in values}


def expected_incidents(
    values: Iterable[Mapping[str, Any]], is_complaint: Callable[[str], bool]
) -> dict[str, Expected]:
    """The incident of each account that has enough complainers.

    Args:
        values: of `CommentPosted`.
        is_complaint: tells complaints by their text.
    """
    complaints: dict[str, dict[tuple[str, str], str]] = {}
    for value in values:
        if is_complaint(value["text"]):
            account = f"{value['platform']}:{value['account']}"
            comment = (value["article"], value["comment_id"])
            complaints.setdefault(account, {})[comment] = value.get("fan") or str(comment)
    return {
        account: Expected(len(set(authors.values())), len(authors))
        for account, authors in complaints.items()
        if len(set(authors.values())) >= ENOUGH_PEOPLE
    }
