"""The cache of fetched and built parts: whole or not at all, and clear about what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.parts import cache, store
from deploy.local.parts.errors import PartError, PartMissingError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.CACHE_ENV, str(tmp_path))
    return tmp_path


def test_what_is_built_once_is_not_built_again(folder: Path) -> None:
    builds: list[Path] = []

    def build(into: Path) -> None:
        builds.append(into)
        (into / "jar").touch()

    first = cache.cached("part-1", "jar", build)
    assert cache.cached("part-1", "jar", build) == first == folder / "part-1"
    assert len(builds) == 1


def test_a_build_that_fails_half_way_leaves_nothing_that_looks_whole(folder: Path) -> None:
    def build(into: Path) -> None:
        (into / "half").touch()
        raise PartError("out of memory")

    with pytest.raises(PartError, match="out of memory"):
        cache.cached("part-1", "jar", build)
    assert [entry.name for entry in folder.iterdir()] == ["part-1.lock"]


def test_a_build_without_its_result_is_an_error(folder: Path) -> None:
    with pytest.raises(PartError, match="left no jar"):
        cache.cached("part-1", "jar", lambda into: (into / "other").touch())
    assert not (folder / "part-1").exists()


def test_a_missing_tool_is_named_with_its_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PartMissingError, match=r"the compiled store needs cargo.*: cargo, cmake"):
        cache.need_tools("cargo", "cmake", purpose="building the compiled store")


def test_the_compiled_store_says_what_is_missing_before_it_builds(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(PartMissingError, match="cmake"):
        store.compiled_store()


def test_a_failed_build_step_quotes_the_end_of_its_output(tmp_path: Path) -> None:
    with pytest.raises(PartError, match="failed with 3:\nno network"):
        cache.run_build(["sh", "-c", "echo no network; exit 3"], tmp_path, 10)
