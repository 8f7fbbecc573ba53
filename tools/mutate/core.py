"""What is mutated, and which tests are asked about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Group:
    """Modules that the same tests are asked about; mutmut runs once for each group."""

    name: str
    modules: tuple[str, ...]
    """Paths from the project's root."""
    tests: tuple[str, ...]
    """What pytest collects: folders, files, options."""


GROUPS: Final = (
    Group(
        "log",
        (
            "shared/kafka/bookkeeping.py",
            "shared/kafka/fold.py",
            "shared/kafka/limits.py",
        ),
        (
            "tests/unit/shared/kafka",
            "tests/component/kafka",
            "--ignore=tests/component/kafka/test_planted_mistakes.py",
        ),
    ),
    Group(
        "signatures",
        (
            "services/ingest/domain/nonces.py",
            "shared/platforms/sorted_sha1.py",
            "shared/platforms/standard_webhooks.py",
            "shared/platforms/wechat/crypto.py",
            "shared/platforms/wechat/signature.py",
            "shared/platforms/weibo/signature.py",
        ),
        ("tests/unit/shared/platforms", "tests/unit/ingest"),
    ),
    Group(
        "pushes",
        (
            "services/notifier/domain/decide_push.py",
            "services/notifier/domain/ledger.py",
            "services/notifier/domain/periods.py",
            "services/notifier/domain/waves.py",
            "services/notifier/domain/windows.py",
        ),
        ("tests/unit/notifier", "tests/component/notifier"),
    ),
    Group(
        "tags",
        (
            "services/segmenter/domain/rulebook.py",
            "services/segmenter/domain/rules/base.py",
            "services/segmenter/domain/rules/count.py",
            "services/segmenter/domain/rules/keywords.py",
            "services/segmenter/domain/rules/source_scene.py",
            "services/segmenter/domain/tagging.py",
        ),
        ("tests/unit/segmenter", "tests/component/segmenter/test_segmenter_in_memory.py"),
    ),
    Group(
        "incidents",
        (
            "services/sentiment/domain/incidents/claims.py",
            "services/sentiment/domain/incidents/judge.py",
            "services/sentiment/domain/incidents/windows.py",
            "services/sentiment/domain/paging/escalation.py",
            "services/sentiment/domain/paging/links.py",
        ),
        (
            "tests/unit/sentiment/incidents",
            "tests/component/sentiment",
            "--ignore=tests/component/sentiment/test_model_commands.py",
            "--ignore=tests/component/sentiment/test_model_file.py",
        ),
    ),
    Group(
        "verdicts",
        ("services/sentiment/domain/judge.py",),
        ("tests/unit/sentiment", "--ignore=tests/unit/sentiment/incidents"),
    ),
)
