"""Reads and writes an account's table: one file, beside it the report of how it came about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from services.sentiment.domain.adapting.bags import BUCKETS
from services.sentiment.domain.adapting.table import AccountTable

FORMAT: Final = 1
TONE_COUNT: Final = 3


class UnreadableTableError(ValueError):
    """The file is no table of this version; make it again with `adapt`."""


def load_table(path: Path) -> AccountTable:
    """A table from its file.

    Raises:
        UnreadableTableError: the file is missing, damaged or of another format.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            if int(file["format"]) != FORMAT:
                raise UnreadableTableError(f"{path.name} is not of format {FORMAT}: adapt again")
            return _unpack(file)
    except (OSError, KeyError, BadZipFile, ValueError, EOFError) as error:
        if isinstance(error, UnreadableTableError):
            raise
        raise UnreadableTableError(
            f"{path.name} cannot be read as an account's table ({error}): make one with `adapt`"
        ) from error


def save_table(path: Path, table: AccountTable, report: dict[str, Any]) -> None:
    """Write a table; the file takes this very name, and is whole or absent.

    Raises:
        OSError: there is no room, or no such folder.
    """
    part = path.with_name(path.name + ".part")
    with part.open("wb") as out:
        np.savez(
            out,
            format=np.int64(FORMAT),
            weights=table.weights,
            step=np.float64(table.step),
            bias=np.float64(table.bias),
            decision=np.array(table.decision),
            model=np.array(table.model),
            report=np.array(json.dumps(report, ensure_ascii=False)),
        )
    part.replace(path)


def _unpack(file: Any) -> AccountTable:
    weights, decision = file["weights"], file["decision"]
    if weights.shape != (BUCKETS,) or weights.dtype != np.int16 or decision.shape != (TONE_COUNT,):
        raise ValueError("its arrays have another shape")
    neg, neu, pos = (float(value) for value in decision)
    step, bias = float(file["step"]), float(file["bias"])
    if not np.isfinite([step, bias, neg, neu, pos]).all():
        raise ValueError("it holds numbers that are none")
    return AccountTable(weights, step, bias, (neg, neu, pos), str(file["model"]))
