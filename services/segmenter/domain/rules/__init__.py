"""The kinds of tag rule. To add one: a module in this folder and a line in `RULE_KINDS`."""

from __future__ import annotations

from services.segmenter.domain.rules.base import Rule, RuleSpec
from services.segmenter.domain.rules.count import CountSpec
from services.segmenter.domain.rules.keywords import KeywordsSpec
from services.segmenter.domain.rules.source_scene import SourceSceneSpec

RULE_KINDS: dict[str, type[RuleSpec]] = {
    "count": CountSpec,
    "keywords": KeywordsSpec,
    "source_scene": SourceSceneSpec,
}
"""`kind` in `tags.yaml` to the model of its line."""

__all__ = ["RULE_KINDS", "CountSpec", "KeywordsSpec", "Rule", "RuleSpec", "SourceSceneSpec"]
