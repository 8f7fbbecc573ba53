"""`make docs` and its check; see the package.

An event's schema that old records or old consumers would break on is refused, not written: publish
under a new type or topic version instead. `--accept-incompatible` writes it all the same, for the
time before the first release, when no deployment has records to lose.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.docs import events, metrics, schemas, settings

REPOSITORY = Path(__file__).resolve().parents[3]
DOCS = "docs"
OWNED = (f"{DOCS}/schemas",)
"""Folders in which every file is generated: one that no longer belongs there is removed."""


def documents() -> dict[str, str]:
    """Every generated file: its path in the repository, and its text."""
    return {
        f"{DOCS}/events.md": events.render(),
        f"{DOCS}/settings.md": settings.render(),
        f"{DOCS}/metrics.md": metrics.render(),
        **{f"{DOCS}/schemas/{name}.json": text for name, text in schemas.render().items()},
    }


def out_of_step(root: Path, wanted: Mapping[str, str]) -> list[str]:
    """Paths whose file is missing, differs, or is there without belonging."""
    there = {
        str(file.relative_to(root)): file
        for folder in OWNED
        for file in (root / folder).glob("*")
        if file.is_file()
    }
    there |= {path: root / path for path in wanted if (root / path).is_file()}
    found = {path: file.read_text(encoding="utf-8") for path, file in there.items()}
    return sorted(path for path in {*found, *wanted} if found.get(path) != wanted.get(path))


def write(root: Path, wanted: Mapping[str, str]) -> list[str]:
    """Bring the files in step; answers which ones changed."""
    changed = out_of_step(root, wanted)
    for path in changed:
        if path in wanted:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(wanted[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return changed


def main(arguments: Sequence[str] | None = None, root: Path = REPOSITORY) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.docs")
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    parser.add_argument(
        "--accept-incompatible", action="store_true", help="write schemas that break readers"
    )
    asked = parser.parse_args(arguments)
    problems = schemas.incompatibilities(root / DOCS / "schemas")
    if problems and not asked.accept_incompatible:
        print("These changes of events break readers:", *problems, sep="\n  ", file=sys.stderr)
        print("Give the event a new type or topic version.", file=sys.stderr)
        return 1
    wanted = documents()
    if not asked.check:
        for path in write(root, wanted):
            print(f"changed {path}")
        return 0
    stale = out_of_step(root, wanted)
    if stale:
        print("Not in step with the code (run `make docs`):", *stale, sep="\n  ", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
