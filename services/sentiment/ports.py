"""What the sentiment service's handlers need from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.sentiment.domain.verdict import Verdict


class SentimentModel(Protocol):
    """Judges comments. The shipped model and an encoder of one's own are interchangeable here."""

    def score(self, texts: Sequence[str]) -> list[Verdict]:
        """One verdict a text, in order; any string is valid, none depends on its neighbours."""
        ...
