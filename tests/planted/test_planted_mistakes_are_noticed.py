"""The tests notice what they claim to: with each mistake planted, the named test fails.

In a copy of the code, so that nothing else sees the mistake. A process each: what was imported
before would hide it. `tests/mutation.md` says which of these once went unnoticed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.planted.mistakes import MISTAKES, Mistake

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("deploy", "services", "shared", "tests", "pyproject.toml")
TESTS_FAILED = 1
"""pytest's exit code; others mean that no test was run at all."""


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, one for each worker."""
    folder = tmp_path_factory.mktemp("planted")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder / name)
    return folder


def run(copy: Path, test: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p"]
    return subprocess.run(
        [*command, "no:xdist", test],
        cwd=copy,
        # Compiled code of a planted mistake must not outlive it.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param(one, id=one.name, marks=() if one.serious else (pytest.mark.every_mistake,))
        for one in MISTAKES
    ],
)
def test_a_planted_mistake_makes_its_test_fail(mistake: Mistake, copy: Path) -> None:
    path = copy / mistake.path
    assert path.exists(), f"{mistake.path} has moved: plant the mistake where the code went"
    code = path.read_text("utf-8")
    assert code.count(mistake.old) == 1, (
        f"{mistake.path} has changed: plant the same mistake in the code as it is now"
    )
    path.write_text(code.replace(mistake.old, mistake.new), "utf-8")
    try:
        done = run(copy, mistake.test)
    finally:
        path.write_text(code, "utf-8")
    assert done.returncode == TESTS_FAILED, f"not noticed by {mistake.test}:\n{done.stdout}"


def test_every_named_test_passes_without_a_mistake(copy: Path) -> None:
    """Else it would fail with any mistake."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    tests = sorted({mistake.test for mistake in MISTAKES})
    done = subprocess.run(
        [*command, *tests], cwd=copy, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout
