"""The command `make mutate`: plants what people do, then runs mutmut group by group, and sums up.

    python -m tools.mutate [--again] [--workers N] [GROUP …]

Writes `var/mutate/summary.json`, ``{module: {mutants, noticed, equivalent}}``, and lists the
survivors. `--again` keeps what an earlier run noticed in time and tries the rest anew. Exit code 1
if a mistake that is planted by hand went unnoticed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.mutate.core import GROUPS, Group
from tools.mutate.equivalents import read_equivalents
from tools.mutate.mutants import Change, Mutant, forget_unsure, read_mutants

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "var" / "mutate"
SUMMARY: Final = FOLDER / "summary.json"
LIST: Final = ROOT / "tests" / "mutation.md"
COPIED: Final = ("deploy", "docs", "services", "shared", "tests", "tools", "pyproject.toml")
AIM: Final = 0.9
"""Noticed mutants of those that are not equivalent, for each module."""

_SETTINGS: Final = """
[tool.mutmut]
source_paths = ["services", "shared"]
only_mutate = {modules}
also_copy = ["deploy", "docs", "tools"]
pytest_add_cli_args = [
  "-p", "no:xdist", "-p", "no:cacheprovider", "--hypothesis-seed=0",
  "--hypothesis-profile=mutation",
  "-o", "addopts=--import-mode=importlib",
]
pytest_add_cli_args_test_selection = {tests}
do_not_mutate_patterns = ['^\\s*raise \\w+\\(', '^\\s*f?"[^"]*",?$']
timeout_constant = 5.0
timeout_multiplier = 5.0
track_dependencies = false
use_git_change_detection = false
on_dependency_change = "ignore"
"""
"""Words of errors are for people: no test should hold them letter by letter."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutate")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="only these groups of modules")
    parser.add_argument("--again", action="store_true", help="try only what was not noticed yet")
    parser.add_argument("--report", action="store_true", help="run nothing, sum up what there is")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    wanted = parser.parse_args(arguments)
    names = [group.name for group in GROUPS]
    for name in wanted.groups:
        if name not in names:
            parser.error(f"no group {name!r}; there are {', '.join(names)}")
    groups = [one for one in GROUPS if not wanted.groups or one.name in wanted.groups]
    noticed = wanted.report or bool(wanted.groups) or _plant(wanted.workers)
    if not wanted.report:
        for group in groups:
            _run(group, again=wanted.again, workers=wanted.workers)
    _sum_up(groups)
    return 0 if noticed else 1


def _plant(workers: int) -> bool:
    """Plant every mistake of `tests/planted`; whether all were noticed."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "tests/planted"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def _run(group: Group, *, again: bool, workers: int) -> None:
    folder = FOLDER / group.name
    if not again:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        _copy(ROOT / name, folder / name)
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as settings:
        modules, tests = json.dumps(group.modules), json.dumps(group.tests)
        settings.write(_SETTINGS.format(modules=modules, tests=tests))
    for module in group.modules:
        forget_unsure(folder / "mutants", module)
    sys.stdout.write(f"--- {group.name}: {', '.join(group.modules)}\n")
    sys.stdout.flush()
    mutmut = Path(sys.executable).with_name("mutmut")
    subprocess.run([mutmut, "run", "--max-children", str(workers)], cwd=folder, check=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        shutil.copy2(source, target)
        return
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)


def summarise(
    found: Mapping[str, Sequence[Mutant]], equivalents: Mapping[Change, str]
) -> tuple[dict[str, dict[str, int]], list[Mutant]]:
    """The figures of each module, and the survivors that are not listed as equivalent."""
    summary: dict[str, dict[str, int]] = {}
    survivors: list[Mutant] = []
    for module, mutants in found.items():
        left = [one for one in mutants if not one.noticed]
        unlisted = [one for one in left if one.change not in equivalents]
        survivors += unlisted
        summary[module] = {
            "mutants": len(mutants),
            "noticed": len(mutants) - len(left),
            "equivalent": len(left) - len(unlisted),
        }
    return summary, survivors


def _sum_up(groups: Sequence[Group]) -> None:
    equivalents = read_equivalents(LIST.read_text("utf-8"))
    found = {
        module: read_mutants(FOLDER / group.name / "mutants", module)
        for group in groups
        for module in group.modules
    }
    fresh, survivors = summarise(found, equivalents)
    summary = json.loads(SUMMARY.read_text("utf-8")) if SUMMARY.exists() else {}
    summary |= fresh
    SUMMARY.write_text(json.dumps(summary, indent=2, sort_keys=True) + "\n", "utf-8")
    equal = {one.change for mutants in found.values() for one in mutants if not one.noticed}
    unused = {one for one in equivalents if one.module in found and one not in equal}
    late = sum(not one.in_time for mutants in found.values() for one in mutants)
    sys.stdout.write(f"{late} mutants were ended by their time limit, and count as noticed\n")
    _tell(summary, survivors, unused)


def _tell(
    summary: dict[str, dict[str, int]], survivors: Sequence[Mutant], unused: set[Change]
) -> None:
    out = sys.stdout.write
    for one in survivors:
        out(f"survived{'' if one.asked else ', no test calls it'}: {one.change}\n")
    for change in sorted(unused, key=str):
        out(f"listed as equivalent, but noticed or gone: {change}\n")
    out("| module | mutants | noticed | equivalent | share |\n| --- | --- | --- | --- | --- |\n")
    for module, counts in sorted(summary.items()):
        share = counts["noticed"] / max(1, counts["mutants"] - counts["equivalent"])
        below = "" if share >= AIM else " (below the aim)"
        figures = f"{counts['mutants']} | {counts['noticed']} | {counts['equivalent']}"
        out(f"| `{module}` | {figures} | {share:.1%}{below} |\n")
    out(f"{SUMMARY.relative_to(ROOT)}: {len(survivors)} survivors are not listed as equivalent\n")


if __name__ == "__main__":
    sys.exit(main())
