"""Reads comments from files that people have: labelled TSV, and TSV, CSV or NDJSON by column name.

A line that cannot be read is handed on as a `Malformed` with its number, never guessed and never
dropped in silence. Files may be gzipped; they are UTF-8.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal

from services.sentiment.domain.verdict import TONES, Tone

TableFormat = Literal["tsv", "csv", "ndjson"]

_LOST_BYTE: Final = re.compile("[\udc80-\udcff]")  # what a byte that is no UTF-8 became
LARGEST_FIELD: Final = 16 * 1024 * 1024  # characters in one CSV field
_SUFFIXES: Final[dict[str, TableFormat]] = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
}


class UnreadableFileError(ValueError):
    """The file as a whole cannot be read: missing, no known format, or without the column."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that was not read, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A comment with its true tone."""

    line: int
    label: Tone
    text: str


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment to be scored."""

    line: int
    text: str


def read_labelled(path: Path) -> Iterator[Labelled | Malformed]:
    """The lines of a `label<TAB>text` file, labels neg, neu or pos.

    Raises:
        UnreadableFileError: the file cannot be opened or unzipped.
    """
    with _opened(path) as lines:
        for number, line in enumerate(_unbroken(lines, path), start=1):
            if _undecodable(line):
                yield Malformed(number, "not UTF-8")
                continue
            label, tab, text = line.rstrip("\r\n").partition("\t")
            if not tab:
                yield Malformed(number, "no tab between label and text")
            elif label not in TONES:
                yield Malformed(number, "the label is none of neg, neu, pos")
            elif not text.strip():
                yield Malformed(number, "the text is empty")
            else:
                yield Labelled(number, label, text)


def read_stream(path: Path) -> Iterator[Comment | Malformed]:
    """The lines of a file with one text a line; a label and tab before a text are passed over.

    Raises:
        UnreadableFileError: the file cannot be opened or unzipped.
    """
    with _opened(path) as lines:
        for number, line in enumerate(_unbroken(lines, path), start=1):
            text = line.rstrip("\r\n")
            label, _, told = text.partition("\t")
            text = told if label in TONES and told else text
            if _undecodable(text):
                yield Malformed(number, "not UTF-8")
            elif text.strip():
                yield Comment(number, text)


def format_of(path: Path) -> TableFormat:
    """The table format that the file's name tells.

    Raises:
        UnreadableFileError: its suffix is none of the known ones.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in _SUFFIXES:
        raise UnreadableFileError(f"{path.name}: name the format with --format (tsv, csv, ndjson)")
    return _SUFFIXES[suffix]


def read_comments(path: Path, table: TableFormat, column: str) -> Iterator[Comment | Malformed]:
    """The texts in one column of a table with a header, or under one key of NDJSON objects.

    Raises:
        UnreadableFileError: the file cannot be opened, or its header lacks the column.
    """
    with _opened(path) as lines:
        if table == "ndjson":
            yield from _json_comments(_unbroken(lines, path), column)
        else:
            yield from _table_comments(_unbroken(lines, path), path, table, column)


def _table_comments(
    lines: Iterator[str], path: Path, table: TableFormat, column: str
) -> Iterator[Comment | Malformed]:
    csv.field_size_limit(LARGEST_FIELD)
    rows = (
        csv.reader(lines, strict=True)
        if table == "csv"
        else csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    )
    header = next(rows, [])
    header = [name.strip().removeprefix("\ufeff") for name in header]
    if column not in header:
        raise UnreadableFileError(f"{path.name} has no column {column!r}; it has {header}")
    place = header.index(column)
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield Malformed(rows.line_num, f"not CSV: {error}")
            continue
        if row is None:
            return
        if not row:
            continue
        if len(row) != len(header):
            yield Malformed(rows.line_num, f"{len(row)} columns where {len(header)} are expected")
        elif _undecodable(row[place]):
            yield Malformed(rows.line_num, "not UTF-8")
        else:
            yield Comment(rows.line_num, row[place])


def _json_comments(lines: Iterator[str], column: str) -> Iterator[Comment | Malformed]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if _undecodable(line):
            yield Malformed(number, "not UTF-8")
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield Malformed(number, "not JSON")
            continue
        text = row.get(column) if isinstance(row, dict) else None
        if isinstance(text, str):
            yield Comment(number, text)
        else:
            yield Malformed(number, f"no text under {column!r}")


def _opened(path: Path) -> IO[str]:
    # Undecodable bytes become lone surrogates, so one bad line does not end the file.
    try:
        if path.name.endswith(".gz"):
            return gzip.open(path, "rt", encoding="utf-8", errors="surrogateescape", newline="\n")
        return path.open(encoding="utf-8", errors="surrogateescape", newline="\n")
    except OSError as error:
        raise UnreadableFileError(f"{path.name}: {error.strerror or error}") from error


def _unbroken(lines: IO[str], path: Path) -> Iterator[str]:
    try:
        yield from lines
    except (OSError, EOFError) as error:
        raise UnreadableFileError(f"{path.name} breaks off: {error}") from error


def _undecodable(text: str) -> bool:
    return _LOST_BYTE.search(text) is not None
