"""The mistakes of `mistakes.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Mistake:
    """One change of text, and the test that fails with it."""

    name: str
    serious: bool
    path: str
    """From the project's root."""
    test: str
    """pytest's node id."""
    old: str
    """Stands once in the file."""
    new: str


def _read(path: Path) -> tuple[Mistake, ...]:
    found: Mapping[str, Mapping[str, Any]] = tomllib.loads(path.read_text("utf-8"))
    return tuple(Mistake(name=name, **fields) for name, fields in found.items())


MISTAKES: Final = _read(Path(__file__).with_name("mistakes.toml"))
