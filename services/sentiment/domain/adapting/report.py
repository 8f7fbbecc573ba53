"""What came of adapting, in figures for machines and in words for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from services.sentiment.domain.adapting.guard import Comparison
from services.sentiment.domain.verdict import TONES


class Outcome(Enum):
    """What the account's table holds, or why there is none."""

    TAUGHT = "stream and labels"
    STUDENT = "stream only"
    STUDENT_ONLY = "stream only, labels gave no gain"
    NO_GAIN = "no gain"
    FEW_LABELS = "too few labels"
    ONE_KIND = "labels of one kind"
    UNBELIEVED = "labels contradict the model"
    SHORT_STREAM = "too short a stream"
    DISAGREEMENT = "no agreement"


_WORDS = {
    Outcome.TAUGHT: "Learned from the stream and the labels, and switched on.",
    Outcome.STUDENT: "Learned from the stream alone, since there are no labels.",
    Outcome.STUDENT_ONLY: "Learned from the stream alone: what the labels taught did not rank other"
    " labelled texts better by more than chance. They moved the line between the tones at most."
    " More labels may help.",
    Outcome.NO_GAIN: "The ranking stays as it is: what was learned did not rank labelled texts"
    " better by more than chance. The labels moved the line between the tones at most. More labels"
    " may help.",
    Outcome.FEW_LABELS: "The labels were not used: there are fewer than 20, or fewer than 5 of"
    " negative texts or of others. Label more, half from the top of the queue, half at random.",
    Outcome.ONE_KIND: "The labels were not used: (nearly) all say the same. Label comments of both"
    " kinds, half from the top of the queue, half at random.",
    Outcome.UNBELIEVED: "The labels were not used: they contradict the model nearly as often as"
    " they agree with it (AUC 0.6 or less), as labels given by chance would. Check them.",
    Outcome.SHORT_STREAM: "Nothing is switched on: the stream has fewer than 300 texts and there"
    " are no labels. Wait for more comments, or label some.",
    Outcome.DISAGREEMENT: "Nothing is switched on: the words of this stream do not tell what the"
    " model says about it, and there are no labels. Label some comments.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """`labels` counts neg, neu, pos; `agreement` is the student's correlation with the model.

    `comparison` is of the frozen and the adapted model on labelled texts that were not taught.
    `newly_negative` and `no_longer_negative` count the texts of the stream whose tone changes.
    """

    outcome: Outcome
    stream_texts: int
    labels: tuple[int, int, int]
    agreement: float | None
    comparison: Comparison | None
    newly_negative: int
    no_longer_negative: int

    def as_json(self) -> dict[str, Any]:
        """The figures, rounded."""
        told = self.comparison
        return {
            "learned_from": self.outcome.value,
            "says": _WORDS[self.outcome],
            "stream_texts": self.stream_texts,
            "labels": dict(zip(TONES, self.labels, strict=True)),
            "agreement": None if self.agreement is None else round(self.agreement, 4),
            "auc_before": None if told is None else round(told.before, 4),
            "auc_after": None if told is None else round(told.after, 4),
            "auc_gain": None if told is None else round(told.gain, 4),
            "auc_gain_standard_error": None if told is None else round(told.error, 4),
            "newly_negative": self.newly_negative,
            "no_longer_negative": self.no_longer_negative,
        }

    def in_words(self) -> str:
        """A few lines for a person."""
        lines = [_WORDS[self.outcome]]
        counts = ", ".join(f"{n} {tone}" for n, tone in zip(self.labels, TONES, strict=True))
        lines.append(f"Texts of the stream: {self.stream_texts}. Labels: {counts}.")
        if self.comparison is not None:
            told = self.comparison
            lines.append(
                f"Ranking of labelled texts that were not taught (AUC): {told.before:.3f} before, "
                f"{told.after:.3f} after; gain {told.gain:+.3f}, standard error {told.error:.3f}."
            )
        lines.append(
            f"Of the stream {self.newly_negative} texts become negative, "
            f"{self.no_longer_negative} are negative no longer."
        )
        return "\n".join(lines)
