"""What ends by itself is started again after growing pauses, and nothing else is touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from deploy.local.application import Application
from deploy.local.keeper import LONGEST_PAUSE_S, STEADY_S, Keeper, pause_after


@dataclass
class FakeProcess:
    running: bool = True
    exit_code: int | None = None

    def is_running(self) -> bool:
        return self.running

    def log_tail(self) -> str:
        return "tags.yaml:3:5: the words of the end"

    def end(self, code: int) -> None:
        self.running, self.exit_code = False, code


@dataclass
class FakeApplication:
    name: str
    process: FakeProcess = field(default_factory=FakeProcess)
    answers: bool = True

    def is_ready(self) -> bool:
        if not self.answers:
            raise OSError
        return True


@dataclass
class FakeStack:
    """Three services; `broken` end again as soon as they are started."""

    fakes: dict[str, FakeApplication]
    broken: set[str] = field(default_factory=set)
    spawned: list[str] = field(default_factory=list)

    @property
    def applications(self) -> dict[str, Application]:
        return cast("dict[str, Application]", self.fakes)

    def respawn_service(self, name: str) -> None:
        self.spawned.append(name)
        process = self.fakes[name].process
        process.running = True
        if name in self.broken:
            process.end(2)


@dataclass
class World:
    now: float = 0.0
    said: list[str] = field(default_factory=list)
    stack: FakeStack = field(
        default_factory=lambda: FakeStack(
            {name: FakeApplication(name) for name in ("ingest", "segmenter", "notifier")}
        )
    )

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.stack, self.said.append, lambda: self.now)

    def look_for(self, seconds: int) -> None:
        for _ in range(seconds):
            self.keeper.look()
            self.now += 1


def test_a_service_that_ends_again_and_again_is_started_after_growing_pauses() -> None:
    world = World()
    world.stack.broken = {"segmenter"}
    world.stack.fakes["segmenter"].process.end(2)
    world.look_for(300)
    assert set(world.stack.spawned) == {"segmenter"}
    # 1, 2, 4, … 60 s, and not once a second
    assert 8 <= len(world.stack.spawned) <= 11
    assert all(world.stack.fakes[name].process.running for name in ("ingest", "notifier"))


def test_it_says_what_ended_with_its_last_words_and_when_it_comes_again() -> None:
    world = World()
    world.stack.fakes["segmenter"].process.end(2)
    world.look_for(5)
    ended, starting, ready = world.said
    assert ended.startswith(
        "segmenter: ended with exit code 2; the others stay up, and it is started again in 1 s."
    )
    assert "the words of the end" in ended
    assert starting == "segmenter: starting it again …"
    assert ready == "segmenter: ready"


def test_pauses_are_forgiven_once_it_was_steady() -> None:
    world = World()
    for _ in range(3):
        world.stack.fakes["ingest"].process.end(1)
        world.look_for(10)
    assert "again in 4 s" in world.said[-3]
    world.look_for(int(STEADY_S) + 10)
    world.stack.fakes["ingest"].process.end(1)
    world.look_for(3)
    assert "again in 1 s" in world.said[-3]


def test_one_that_does_not_answer_yet_is_not_called_ready() -> None:
    world = World()
    world.stack.fakes["ingest"].process.end(1)
    world.stack.fakes["ingest"].answers = False
    world.look_for(20)
    assert "ingest: ready" not in world.said
    world.stack.fakes["ingest"].answers = True
    world.look_for(2)
    assert world.said.count("ingest: ready") == 1


def test_pauses_grow_to_a_bound() -> None:
    pauses = [pause_after(ends) for ends in range(1, 40)]
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S
