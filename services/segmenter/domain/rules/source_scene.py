"""Rule kind `source_scene`: the fan came by a certain QR scene.

The scene is part of the profile (the first one since the fan follows), so a new or changed rule
of this kind also finds the fans who came before it was written.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.segmenter.domain.fan import NEVER, Fan, FanId
from services.segmenter.domain.rules.base import Rule, RuleSpec
from shared.events import Event, FanFollowed

Scene = Annotated[str, Field(min_length=1, max_length=256)]


class SourceSceneSpec(RuleSpec):
    """The source scene is one of `scenes`, or begins with `prefix`."""

    kind: Literal["source_scene"]
    scenes: Annotated[list[Scene], Field(max_length=10_000)] = Field(default_factory=list)
    prefix: Scene | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.scenes) == (self.prefix is not None):
            raise ValueError("scenes: write either scenes or prefix")
        return self

    def compile(self) -> Rule:
        """The rule itself."""
        return SourceSceneRule(self)


class SourceSceneRule:
    """A compiled `source_scene` rule; it needs no memory beyond the profile."""

    __slots__ = ("_for", "_prefix", "_scenes", "events", "memory_key", "tag", "version")

    def __init__(self, spec: SourceSceneSpec) -> None:
        self.tag = spec.tag
        self.version = spec.version
        self.events: frozenset[type[Event]] = frozenset({FanFollowed})
        self.memory_key: str | None = None
        self._for = spec.for_ms
        self._scenes = frozenset(spec.scenes)
        self._prefix = spec.prefix

    def observe(self, fan: Fan, event: Event) -> bool:
        """Whether the profile, which this follow has just updated, names such a scene."""
        return self._came_by(fan.scene)

    def until(self, fan: Fan) -> int:
        """`for` after the fan came; without `for`: never."""
        if not self._came_by(fan.scene):
            return 0
        return NEVER if self._for is None else fan.scene_at + self._for

    def adopt(self, fan: Fan, who: FanId, now: int) -> int:
        """The profile shows all."""
        del fan, who, now
        return 0

    def remembered(self, fan: Fan, now: int) -> dict[str, int | str | None]:
        """Nothing beyond the profile."""
        del fan, now
        return {}

    def _came_by(self, scene: str) -> bool:
        if self._prefix is not None:
            return scene.startswith(self._prefix)
        return scene in self._scenes
