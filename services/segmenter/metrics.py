"""The segmenter's own metrics. A tag's name is a label: the rule file bounds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from prometheus_client import Counter

from services.segmenter.domain.fan import Because
from shared.events import TagAssigned, TagEvent
from shared.observe.logs import get_logger
from shared.observe.metrics import Meter, Metric

TAG_CHANGES = Metric(
    "fan_segmenter_tag_changes_total",
    "counter",
    "Tag changes decided; a lost race counts twice.",
    ("tag", "change", "because"),
)
TAG_FANS = Metric("fan_segmenter_tag_fans", "gauge", "Fans who hold the tag.", ("tag",))
RULES = Metric("fan_segmenter_rules", "gauge", "Rules in force.")
RULES_READ = Metric("fan_segmenter_rules_read_total", "counter", "Rule files put in force.")
RULES_REFUSED = Metric(
    "fan_segmenter_rules_refused_total", "counter", "Changed rule files that can't be used."
)
FANS_EXAMINED = Metric(
    "fan_segmenter_fans_examined_total", "counter", "Fans examined by a changed rule file."
)

SEGMENTER_METRICS: tuple[Metric, ...] = (
    TAG_CHANGES,
    TAG_FANS,
    RULES,
    RULES_READ,
    RULES_REFUSED,
    FANS_EXAMINED,
)


class SegmenterMetrics:
    """Implements `services.segmenter.ports.TagNotes`."""

    def __init__(self, meter: Meter) -> None:
        self._log = get_logger(__name__)
        self._changes = meter.counter(TAG_CHANGES)
        self._fans = meter.gauge(TAG_FANS)
        self._rules = meter.gauge(RULES)
        self._read = meter.counter(RULES_READ)
        self._refused = meter.counter(RULES_REFUSED)
        self._examined = meter.counter(FANS_EXAMINED)
        self._known: frozenset[str] = frozenset()
        self._counters: dict[tuple[str, str, str], Counter] = {}
        """The counters of changes: to look one up costs as much as to count."""

    def changed(self, changes: Sequence[TagEvent]) -> None:
        """Count; a tag that fans still hold but no rule names is counted as `removed_rule`."""
        for change in changes:
            tag = change.tag if change.tag in self._known else "removed_rule"
            verb = "assigned" if type(change) is TagAssigned else "removed"
            series = (tag, verb, change.because)
            counter = self._counters.get(series)
            if counter is None:
                counter = self._counters[series] = self._changes.labels(*series)
            counter.inc()

    def rules_read(self, tags: Sequence[str], digest: str) -> None:
        """Prepare the series of each tag, so that a rate never misses its first change."""
        for gone in self._known.difference(tags):
            self._fans.remove(gone)
        self._known = frozenset(tags)
        for tag in (*tags, "removed_rule"):
            for because in get_args(Because):
                self._changes.labels(tag, "removed", because)
            self._changes.labels(tag, "assigned", "event")
        self._rules.set(len(tags))
        self._read.inc()
        self._log.info("segmenter.rules.read", rules=len(tags), digest=digest)

    def rules_refused(self, problems: Sequence[str]) -> None:
        """Count, and say what is wrong."""
        self._refused.inc()
        self._log.error("segmenter.rules.refused", problems=list(problems))

    def examined(self, fans: int) -> None:
        """Count."""
        self._examined.inc(fans)
        self._log.info("segmenter.fans.examined", fans=fans)

    def counted(self, fans_by_tag: Mapping[str, int]) -> None:
        """Set."""
        for tag, fans in fans_by_tag.items():
            if tag in self._known:
                self._fans.labels(tag).set(fans)
