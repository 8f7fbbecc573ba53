"""A stack that is left running: one service that ends takes no other with it."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.keeper import Keeper
from deploy.local.stack import Stack
from tests.integration.deploy.test_local_stack import fake, get

DEADLINE_S = 60.0


@contextmanager
def kept(folder: Path) -> Iterator[tuple[Stack, Keeper, list[str]]]:
    said: list[str] = []
    stack = Stack(
        folder,
        bootstrap_servers="x:1",
        mongodb_url="mongodb://x",
        services=["segmenter", "sentiment"],
        command=fake,
        keeps_others_up=True,
    )
    with stack:
        yield stack, Keeper(stack, said.append), said


def until(keeper: Keeper, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, "did not happen in time"
        keeper.look()
        time.sleep(0.05)


def test_a_service_that_ends_while_it_starts_leaves_the_others_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mistake: one wrong file, and everything stopped, at the start and at each restart."""
    monkeypatch.setenv("FAKE_BROKEN", "sentiment")
    with kept(tmp_path / "run") as (stack, keeper, said):
        other = get(stack.url("segmenter"))
        until(keeper, lambda: sum("sentiment: ended with exit code 1" in one for one in said) >= 2)
        assert "the settings need attention" in said[0]
        assert get(stack.url("segmenter")) == other
        monkeypatch.delenv("FAKE_BROKEN")  # the file was mended
        until(keeper, lambda: "sentiment: ready" in said)
        assert get(stack.url("segmenter")) == other


def test_the_sandbox_is_started_again_on_its_port(tmp_path: Path) -> None:
    with kept(tmp_path / "run") as (stack, keeper, said):
        url, first = stack.url("sandbox"), get(stack.url("sandbox"))
        stack.kill_service("sandbox")
        until(keeper, lambda: "sandbox: ready" in said)
        assert stack.url("sandbox") == url
        assert get(url) != first


def test_nobody_else_can_read_what_a_stack_writes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    with kept(folder):
        written = [folder, *folder.rglob("*")]
        modes = {str(path): stat.S_IMODE(path.stat().st_mode) for path in written}
    assert len(written) > 6
    assert not {path: oct(mode) for path, mode in modes.items() if mode & 0o077}
