"""What reached the platforms, in the order in which they decided: the sceptic's evidence.

Every call that could have an effect is one entry, accepted (code 0) or refused. An entry is on the
file before the caller gets its answer, so killing a service never loses one.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

# What a careful sender never provokes: count, window, mass-send and frequency limits.
OVER_QUOTA: Mapping[str, frozenset[int]] = {
    "wechat": frozenset({45009, 45011, 45015, 45028, 45047}),
    "weibo": frozenset({10022, 10023, 10024, 20301}),
    "wecom": frozenset({45009}),
    "pagerduty": frozenset({429}),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One call and what the platform decided. `fans` are those whom an accepted call names."""

    at: float
    platform: str
    account: str
    call: str
    code: int
    fans: tuple[str, ...] = ()
    over_quota: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the entry as it stands in `GET /_books` and in the file."""
        return {
            "at": self.at,
            "platform": self.platform,
            "account": self.account,
            "call": self.call,
            "code": self.code,
            "fans": list(self.fans),
            "over_quota": self.over_quota,
            **self.facts,
        }


def _open_private(path: Path) -> int:
    """Open for appending, for the owner alone: the books hold what fans were sent."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


class Books:
    """Entries in memory and, with `directory`, in `books.ndjson` there (appended, flushed)."""

    def __init__(self, directory: Path | None = None, *, fsync: bool = False) -> None:
        self._entries: list[Entry] = []
        self._webhooks: Counter[str] = Counter()
        self._fsync = fsync
        self._file: TextIO | None = None
        if directory:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = _open_private(directory / "books.ndjson")
            self._file = os.fdopen(file, "a", encoding="utf-8")

    def record(
        self,
        at: float,
        platform: str,
        account: str,
        call: str,
        code: int,
        *,
        fans: Iterable[str] = (),
        over_quota: int | None = None,
        **facts: Any,
    ) -> None:
        """Add one decided call; `over_quota` replaces the reading of `code` (partial excess)."""
        if over_quota is None:
            over_quota = int(code in OVER_QUOTA.get(platform, ()))
        entry = Entry(at, platform, account, call, code, tuple(fans), over_quota, facts)
        self._entries.append(entry)
        self._write({"entry": "call", **entry.as_json()})

    def record_webhook(self, at: float, verdict: str, **facts: Any) -> None:
        """Add one webhook request that this sandbox made, with the verdict on its answer."""
        self._webhooks[verdict] += 1
        self._write({"entry": "webhook", "at": at, "verdict": verdict, **facts})

    def clear(self, at: float) -> None:
        """Forget what is in memory; the file keeps everything and notes the moment."""
        self._entries.clear()
        self._webhooks.clear()
        self._write({"entry": "reset", "at": at})

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None

    def entries(self, platform: str | None = None) -> list[Entry]:
        """Return the entries, of one platform or of all, oldest first."""
        return [one for one in self._entries if platform in (None, one.platform)]

    def as_json(self, *, entries: bool = True) -> dict[str, Any]:
        """Return totals by platform and, unless told otherwise, every entry."""
        by_platform: defaultdict[str, list[Entry]] = defaultdict(list)
        for one in self._entries:
            by_platform[one.platform].append(one)
        return {
            "webhooks": dict(self._webhooks),
            "platforms": {
                platform: _totals(found)
                | (
                    {
                        "accepted": [one.as_json() for one in found if not one.code],
                        "rejected": [one.as_json() for one in found if one.code],
                    }
                    if entries
                    else {}
                )
                for platform, found in by_platform.items()
            },
        }

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
        if self._fsync:
            os.fsync(self._file.fileno())


def _totals(entries: list[Entry]) -> dict[str, Any]:
    return {
        "accepted_calls": sum(1 for one in entries if not one.code),
        "accepted_sends": sum(len(one.fans) for one in entries if not one.code),
        "over_quota": sum(one.over_quota for one in entries),
        "errors": dict(Counter(str(one.code) for one in entries if one.code)),
    }
