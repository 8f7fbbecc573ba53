"""`make audit`: are there known advisories against what the lock file pins?

``python -m deploy.local.advisories PIP_AUDIT LOCK_FILE``. The sources are PyPI's own list, and OSV.
A mirror of PyPI mostly has no such list, and pip-audit then says that it found none: what could not
be checked is said here, and is no success.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

SOURCES = ("pypi", "osv")
TIMEOUT_S = 300
EXIT_VULNERABLE = 1

_NOT_CHECKED = (
    f"COULD NOT BE CHECKED: neither {' nor '.join(SOURCES)} told anything about the packages."
    " Nothing is known about advisories; run `make audit` where https://pypi.org or"
    " https://api.osv.dev can be reached."
)

Ask = Callable[[str], str]
"""Given a source, pip-audit's report as JSON text; empty where it gave none."""


@dataclass(slots=True)
class Findings:
    """What was learned about each package of the lock file."""

    advisories: dict[str, list[str]] = field(default_factory=dict)
    """By `name version`: the advisories' ids, with the versions that mend them."""
    checked: set[str] = field(default_factory=set)
    unchecked: set[str] = field(default_factory=set)

    def take(self, report: str) -> None:
        """Add one source's report."""
        for entry in _dependencies(report):
            name = entry["name"]
            if "vulns" not in entry:
                self.unchecked.add(name)
                continue
            self.checked.add(name)
            for one in entry["vulns"]:
                mended = ", ".join(one.get("fix_versions", ())) or "no version yet"
                told = f"{one['id']}, mended in {mended}"
                self.advisories.setdefault(f"{name} {entry['version']}", []).append(told)
        self.unchecked -= self.checked


def audit(ask: Ask) -> Findings:
    """Ask the sources in turn, until one knows every package."""
    findings = Findings()
    for source in SOURCES:
        findings.take(ask(source))
        if findings.checked and not findings.unchecked:
            break
    return findings


def describe(findings: Findings) -> list[str]:
    """The result in words, one line each."""
    lines = [
        f"{package}: {advisory}"
        for package, advisories in sorted(findings.advisories.items())
        for advisory in advisories
    ]
    known = len(findings.checked)
    if not known:
        return [_NOT_CHECKED]
    lines.append(f"{known} packages checked, {len(findings.advisories)} with known advisories")
    if findings.unchecked:
        lines.append(f"could not be checked: {', '.join(sorted(findings.unchecked))}")
    return lines


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 only where an advisory is known."""
    program, lock = arguments

    def ask(source: str) -> str:
        done = subprocess.run(
            [program, "--vulnerability-service", source, "--require-hashes", "--disable-pip",
             "--format", "json", "--progress-spinner", "off", "--requirement", lock],
            capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
        )  # fmt: skip
        return done.stdout

    findings = audit(ask)
    print("\n".join(describe(findings)))
    return EXIT_VULNERABLE if findings.advisories else 0


def _dependencies(report: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return []  # it gave up before it had anything to tell
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
