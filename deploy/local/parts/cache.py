"""Where fetched and built parts are kept: outside the tracked files, shared between check-outs."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local.parts.errors import PartError, PartMissingError

CACHE_ENV = "FAN_CACHE"
OUTPUT_TAIL = 3_000  # characters


def cache_dir() -> Path:
    """``$FAN_CACHE``, else ``$XDG_CACHE_HOME/fan-engagement``, else the same below ``~/.cache``."""
    if own := os.environ.get(CACHE_ENV):
        return Path(own).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "fan-engagement"


def cached(name: str, proof: str, build: Callable[[Path], None]) -> Path:
    """The folder ``name`` in the cache, built if it is not there; whole or not at all.

    Args:
        name: the folder's name, with the version in it.
        proof: a file in it that must exist after the build.
        build: fills the folder that it is given.

    Raises:
        PartError: the build left no ``proof``, or itself failed.
    """
    target = cache_dir() / name
    if (target / proof).exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two check-outs may build at the same time
        if (target / proof).exists():
            return target
        shutil.rmtree(target, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as unfinished:
            made = Path(unfinished) / "made"
            made.mkdir()
            build(made)
            if not (made / proof).exists():
                raise PartError(f"building {name} left no {proof}")
            made.rename(target)
    return target


def need_tools(*tools: str, purpose: str) -> None:
    """Check that programs are installed.

    Raises:
        PartMissingError: some are not; the message names them and what they are for.
    """
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise PartMissingError(
            f"{purpose} needs {', '.join(tools)}; not found on PATH: {', '.join(missing)}"
        )


def run_build(argv: Sequence[str], cwd: Path, timeout_s: float) -> None:
    """Run a build step.

    Raises:
        PartError: it failed or took too long; the message has the end of its output.
    """
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PartError(f"{' '.join(argv)} took longer than {timeout_s:g} s") from error
    if done.returncode != 0:
        output = done.stdout.decode(errors="replace")[-OUTPUT_TAIL:]
        raise PartError(f"{' '.join(argv)} failed with {done.returncode}:\n{output}")
