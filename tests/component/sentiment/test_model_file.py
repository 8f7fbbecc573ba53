from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.sentiment.adapters.model_file import (
    SHIPPED_MODEL,
    UnreadableModelError,
    load_model,
    load_weights,
    save_weights,
)


def test_the_shipped_model_is_small() -> None:
    assert SHIPPED_MODEL.stat().st_size <= 2 * 1024 * 1024


def test_a_saved_model_is_read_back_as_it_was(tmp_path: Path) -> None:
    copy = tmp_path / "copy.npz"
    save_weights(copy, load_weights(SHIPPED_MODEL))
    texts = ["很好", "太差了", "一般", "什么时候发货"]
    assert np.array_equal(
        load_model(copy).decision(texts), load_model(SHIPPED_MODEL).decision(texts)
    )


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04broken"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.npz"
    path.write_bytes(content)
    with pytest.raises(UnreadableModelError, match=r"damaged\.npz"):
        load_model(path)


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.npz"
    path.write_bytes(SHIPPED_MODEL.read_bytes()[:100_000])
    with pytest.raises(UnreadableModelError, match=r"cut\.npz"):
        load_model(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableModelError, match=r"none\.npz"):
        load_model(tmp_path / "none.npz")


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, format=np.int64(99))
    with pytest.raises(UnreadableModelError, match="format"):
        load_model(path)


def test_loading_needs_neither_the_recipe_nor_a_learning_framework() -> None:
    code = (
        "import sys; from services.sentiment.adapters.model_file import shipped_model; "
        "shipped_model().score(['好']); "
        "print([name for name in ('sklearn', 'scipy', 'torch', 'snownlp') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
