"""Reads the shipped model from its one file, and writes it for the recipe."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np

from services.sentiment.domain.scorer import LinearModel, Weights

SHIPPED_MODEL: Final = Path(__file__).parent.parent / "model" / "sentiment.npz"
FORMAT: Final = 1


class UnreadableModelError(ValueError):
    """The file is no model of this version; train it again or take the shipped one."""


@cache
def shipped_model() -> LinearModel:
    """The model that comes with the project; loaded once a process."""
    return load_model(SHIPPED_MODEL)


def load_model(path: Path) -> LinearModel:
    """A model from its file.

    Raises:
        UnreadableModelError: the file is missing, damaged or of another format.
    """
    return LinearModel(load_weights(path))


def load_weights(path: Path) -> Weights:
    """The weights of a model file, as they are stored."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if int(file["format"]) != FORMAT:
                raise UnreadableModelError(f"{path.name} is not of format {FORMAT}")
            packed = file["table"]
            table = np.zeros((len(packed) + 1, 4), dtype=np.int8)
            table[:-1, :3] = packed
            return Weights(table, file["scale"], file["bias"], file["calibration"])
    except (OSError, KeyError, BadZipFile, ValueError) as error:
        if isinstance(error, UnreadableModelError):
            raise
        raise UnreadableModelError(f"{path.name} cannot be read as a model: {error}") from error


def save_weights(path: Path, weights: Weights) -> None:
    """Write a model file; the same weights give the same arrays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        format=np.int64(FORMAT),
        table=weights.table[:-1, :3],
        scale=weights.scale,
        bias=weights.bias,
        calibration=weights.calibration,
    )
