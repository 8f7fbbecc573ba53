"""`make demo`: start everything, play the story, write the summary, leave nothing running."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from rich.console import Console

from deploy.local.demo import plan
from deploy.local.demo.play import Demo
from deploy.local.demo.reasons import Language
from deploy.local.demo.screen import SHANGHAI, Terminal
from deploy.local.demo.staff import NotInTimeError
from deploy.local.demo.summary import Summary, problems
from deploy.local.demo.texts import TEXTS
from deploy.local.parts.embedded_log import REPOSITORY
from deploy.local.parts.errors import PartError
from deploy.local.run import only_one
from deploy.local.signals import stop_on_signals
from deploy.local.stack import Kind, Stack

FOLDER = REPOSITORY / "var" / "demo"
# Calendar-bound sends are held within two minutes of Shanghai's midnight, and the story has some.
BEFORE_MIDNIGHT, AFTER_MIDNIGHT = timedelta(minutes=5), timedelta(minutes=2, seconds=10)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit status is 0 only if everything expected happened."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for the summary and the logs")
    folder: Path = parser.parse_args(arguments).folder
    language: Language = "en" if os.environ.get("DEMO_LANG", "zh").startswith("en") else "zh"
    kind: Kind = "real" if os.environ.get("FAN_PARTS") == "real" else "embedded"
    words, console, terminal = TEXTS[language], Console(highlight=False), Terminal(language)
    console.print(f"[bold]{words['title']}[/bold]")
    try:
        with stop_on_signals(), only_one(folder):
            pause_s = seconds_to_wait(datetime.now(SHANGHAI))
            if pause_s:
                terminal.say("midnight", seconds=pause_s)
                time.sleep(pause_s)
            with Stack(
                folder / "stack",
                kind=kind,
                environment={**plan.ENVIRONMENT, "FAN_LANGUAGE": language},
                incidents=plan.INCIDENTS,
                escalation=plan.ESCALATION,
                report=terminal.starting,
            ) as stack:
                terminal.say("started")
                summary = asyncio.run(Demo(stack, terminal).run())
    except KeyboardInterrupt:
        console.print(words["interrupted"])
        return 130
    except (PartError, NotInTimeError, RuntimeError, OSError, httpx.HTTPError) as error:
        terminal.failed(error)
        return 1
    return _conclude(summary, terminal, folder)


def seconds_to_wait(now: datetime) -> int:
    """How long to wait, so that the story does not meet Shanghai's midnight."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for near in (midnight, midnight + timedelta(days=1)):
        if near - BEFORE_MIDNIGHT <= now <= near + AFTER_MIDNIGHT:
            return int((near + AFTER_MIDNIGHT - now).total_seconds()) + 1
    return 0


def _conclude(summary: Summary, terminal: Terminal, folder: Path) -> int:
    found = problems(summary)
    _write(folder / "summary.json", {**summary.as_json(), "problems": found})
    terminal.account(summary, found)
    return 1 if found else 0


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
