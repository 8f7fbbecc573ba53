"""Reads the shipped model from its one file, and writes it for the recipe."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from services.sentiment.domain.preference import Preference
from services.sentiment.domain.scorer import CommentScorer, ModelWeights, TableWeights
from services.sentiment.domain.tone.charnet import NetWeights

SHIPPED_MODEL: Final = Path(__file__).parent.parent / "model" / "sentiment.npz"
FORMAT: Final = 2
LARGEST_INT8: Final = 127


class UnreadableModelError(ValueError):
    """The file is no model of this version; train it again or take the shipped one."""


@cache
def shipped_model() -> CommentScorer:
    """The model that comes with the project; loaded once a process."""
    return load_model(SHIPPED_MODEL)


def load_model(path: Path, preference: Preference = "balanced") -> CommentScorer:
    """A model from its file, with the line at which a tone is «negative» as preferred.

    Raises:
        UnreadableModelError: the file is missing, damaged or of another format.
    """
    return CommentScorer(load_weights(path), preference)


def load_weights(path: Path) -> ModelWeights:
    """The weights of a model file, de-quantised where they are not used as stored."""
    try:
        # Opened here: numpy leaves a damaged archive open.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            if int(file["format"]) != FORMAT:
                raise UnreadableModelError(f"{path.name} is not of format {FORMAT}")
            return _unpack(file)
    except (OSError, KeyError, BadZipFile, ValueError, EOFError) as error:
        if isinstance(error, UnreadableModelError):
            raise
        raise UnreadableModelError(f"{path.name} cannot be read as a model: {error}") from error


def save_weights(path: Path, weights: ModelWeights) -> None:
    """Write a model file; the same weights give the same arrays."""
    embedding, embedding_scale = quantised(weights.net.embedding)
    filters, filters_scale = quantised(weights.net.filters)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        format=np.int64(FORMAT),
        table=weights.table.table[:-1, :3],
        table_scale=weights.table.scale,
        table_bias=weights.table.bias,
        alphabet=weights.net.alphabet,
        embedding=embedding,
        embedding_scale=embedding_scale,
        filters=filters,
        filters_scale=filters_scale,
        offsets=weights.net.offsets,
        output=weights.net.output,
        calibration=weights.calibration,
    )


def quantised(
    values: npt.NDArray[np.floating],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float64]]:
    """Whole steps of int8, and the size of a step for each column."""
    largest = np.abs(values).max(axis=0)
    step = np.where(largest > 0, largest, 1.0).astype(np.float64) / LARGEST_INT8
    return np.rint(values / step).astype(np.int8), step


def _unpack(file: Any) -> ModelWeights:
    stored = file["table"]
    table = np.zeros((len(stored) + 1, 4), dtype=np.int8)
    table[:-1, :3] = stored
    return ModelWeights(
        table=TableWeights(table, file["table_scale"], file["table_bias"]),
        net=NetWeights(
            alphabet=file["alphabet"],
            embedding=(file["embedding"] * file["embedding_scale"]).astype(np.float32),
            filters=(file["filters"] * file["filters_scale"]).astype(np.float32),
            offsets=file["offsets"],
            output=file["output"],
        ),
        calibration=file["calibration"],
    )
