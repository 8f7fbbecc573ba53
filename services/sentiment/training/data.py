"""Which labelled texts there are, how they are cleaned, split and grouped.

A text is identified by its normalised form: exact copies count once, copies whose labels disagree
are dropped, and a hash of the text decides whether it is for training or for testing, so the same
text is never on both sides, whichever set it comes from.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.tone.text import normalise_batch

CleanUp = Callable[[list[str]], list[str]]

LABELS: Final = ("neg", "neu", "pos")
TEST_SHARE: Final = 5  # one text in five is for testing

# Near-copies of one another are left out together.
GROUPS: Final[tuple[tuple[str, ...], ...]] = (
    ("htl", "chnsenti", "shop10", "senti_weibo_test"),
    ("nlpcc14sc",),
    ("product4",),
    ("amazon_zh",),
    ("bdci_car",),
    ("weibo100k", "weibo100k_noemo"),
    ("weibo2018",),
    ("ewect_usual",),
    ("nlpcc13", "weibo_emo8", "covid_weibo"),
)
SETS: Final = (
    "htl", "chnsenti", "shop10", "nlpcc14sc", "product4", "amazon_zh", "bdci_car", "weibo100k",
    "weibo100k_noemo", "weibo2018", "ewect_usual", "nlpcc13", "weibo_emo8", "covid_weibo",
    "senti_weibo_test",
)  # fmt: skip
# Acceptance sets: refused by name, wherever they lie.
SEALED: Final = ("ewect_virus", "waimai", "osm_comments")

_EMOTICON = re.compile(
    r"\[[^\[\]\n]{1,8}\]|[\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
)


@dataclass(frozen=True, slots=True)
class TextSet:
    """The distinct texts of one set, normalised, with their label index and side of the split.

    `raws` are the texts as they were read, for what looks at more than the normalised form.
    """

    name: str
    texts: list[str]
    raws: list[str]
    labels: npt.NDArray[np.int8]
    test: npt.NDArray[np.bool_]

    @property
    def has_neutral(self) -> bool:
        """Is the set decided among three classes?"""
        return bool((self.labels == 1).any())


def load_sets(
    folder: Path, names: Iterable[str] = SETS, clean_up: CleanUp | None = None
) -> dict[str, TextSet]:
    """Read and clean the named sets; `weibo100k_noemo` is made from `weibo100k`.

    `clean_up` stands in for the service's normaliser, for a baseline.
    """
    return {name: _load(folder, name, clean_up or normalised) for name in names}


def group_of(name: str) -> tuple[str, ...]:
    """The sets that are left out together with this one."""
    return next(group for group in GROUPS if name in group)


def read_rows(path: Path) -> list[tuple[str, str]]:
    """The (label, text) rows of a `label<TAB>text` file; refuses acceptance sets."""
    if any(sealed in path.name for sealed in SEALED):
        raise ValueError(f"{path.name} is an acceptance set: not for training")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t", 1) for line in lines]
    return [(row[0], row[1]) for row in rows if len(row) == 2]


def strip_emoticons(text: str) -> str:
    """The text without emoticons in words or pictures."""
    return _EMOTICON.sub("", text)


def normalised(texts: list[str], chunk: int = 4096) -> list[str]:
    """All texts normalised, in chunks."""
    out: list[str] = []
    for first in range(0, len(texts), chunk):
        out += normalise_batch(texts[first : first + chunk])[1:-1].split("\n")
    return out


def is_test(text: str) -> bool:
    """Which side a normalised text falls on, by its hash."""
    return hashlib.blake2b(text.encode(), digest_size=4).digest()[0] % TEST_SHARE == 0


def clean(name: str, rows: list[tuple[str, str]], clean_up: CleanUp) -> TextSet:
    """Distinct normalised texts; a text with two labels is dropped."""
    texts = clean_up([text for _, text in rows])
    seen: dict[str, int] = {}
    first: dict[str, str] = {}
    for text, (label, raw) in zip(texts, rows, strict=True):
        index = LABELS.index(label)
        seen[text] = index if seen.get(text, index) == index else -1
        first.setdefault(text, raw)
    kept = {text: index for text, index in seen.items() if index >= 0 and text}
    return TextSet(
        name,
        list(kept),
        [first[text] for text in kept],
        np.array(list(kept.values()), dtype=np.int8),
        np.array([is_test(text) for text in kept], dtype=bool),
    )


def _load(folder: Path, name: str, clean_up: CleanUp) -> TextSet:
    source = name.removesuffix("_noemo")
    rows = read_rows(folder / f"{source}.tsv.gz")
    if source != name:
        rows = [(label, strip_emoticons(text)) for label, text in rows]
    return clean(name, rows, clean_up)
