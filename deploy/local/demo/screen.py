"""What the demo shows on the terminal: progress, then a readable account, in Chinese or English."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local.demo.reasons import Language, in_words
from deploy.local.demo.summary import Summary
from deploy.local.demo.texts import TEXTS, Words
from deploy.sandbox.actions import Counts

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Terminal:
    """Shows the demo; see ``deploy.local.demo.play.Screen``.

    Args:
        language: of everything but the fans' and the brand's own words.
        console: for tests.
    """

    def __init__(self, language: Language, console: Console | None = None) -> None:
        self._language = language
        self._words: Words = TEXTS[language]
        self._console = console or Console(highlight=False)
        self._began = time.monotonic()

    def starting(self, what: str) -> None:
        """A process of the stack is being started."""
        words = self._words
        named = words["comma"].join(words[f"part_{part}"] for part in what.split(", "))
        self._console.print(f"  [dim]{words['starting'].format(what=named)}[/dim]")

    def say(self, what: str, **facts: object) -> None:
        """Show a step by its name."""
        match what, facts:
            case "act_done", {"act": str(act), "counts": Counts() as counts}:
                self._line("act_done", act=self._words[f"act_{act}"], **counts.as_json())
            case "page", {"text": str(text), "seconds": float(seconds)}:
                title = self._words["page"].format(seconds=seconds)
                self._console.print(Panel(escape(text), title=title, border_style="red"))
            case "tags", {"tags": dict(tags)}:
                self._line("tags")
                self._print("    " + "  ".join(f"{tag} {n}" for tag, n in tags.items()))
            case "campaign", {"name": name, "pushes": dict(pushes), "reasons": list(reasons)}:
                self._campaign(str(name), pushes, reasons)
            case _:
                self._line(what, **facts)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Show a bar; it is told (done, total)."""
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(
            *columns,
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        ) as shown:
            task = shown.add_task(self._words[f"act_{what}"], total=None)
            yield lambda done, total: shown.update(task, completed=done, total=total)

    def account(self, summary: Summary, problems: Sequence[str]) -> None:
        """The readable account at the end."""
        words, numbers = self._words, _flat(summary.as_json())
        table = Table(title=words["account_title"], show_header=False, title_style="bold")
        table.add_column()
        table.add_column(overflow="fold")
        for key in ("webhooks", "events", "tags_assigned", "pushes", "incidents", "latency"):
            table.add_row(words[f"account_{key}_name"], words[f"account_{key}"].format(**numbers))
        balanced = words["balanced" if summary.balanced else "unbalanced"]
        table.add_row(words["account_books_name"], balanced)
        self._console.print(table)
        if problems:
            self._console.print(f"[red]{words['failed']}[/red]")
            for problem in problems:
                self._print(f"  [red]✗[/red] {escape(problem)}")
        else:
            self._console.print(
                f"[green]{words['all_well'].format(seconds=summary.seconds)}[/green]"
            )

    def failed(self, error: BaseException) -> None:
        """The demo could not go on."""
        self._print(f"[red]{self._words['failed']}[/red]\n  {escape(str(error) or repr(error))}")

    def _line(self, what: str, **facts: object) -> None:
        self._print(f"• {self._words[what].format(**facts)} [dim]{self._elapsed()}[/dim]")

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:.0f} s"

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)  # a log file has no width

    def _campaign(
        self, name: str, pushes: Mapping[str, int], reasons: Sequence[Mapping[str, Any]]
    ) -> None:
        words = self._words
        counted = [f"{words[f'state_{state}']} {n}" for state, n in pushes.items() if n]
        states = words["comma"].join(counted)
        self._print("• " + words["campaign"].format(name=name, states=states))
        for one in reasons:
            when = one.get("next_at")
            moment = (
                datetime.fromisoformat(when).astimezone(SHANGHAI).strftime("%m-%d %H:%M")
                if when
                else words["no_time"]
            )
            line = words[f"reason_{one['state']}"].format(
                reason=in_words(one["reason"], self._language),
                n=one["pushes"],
                time=moment,
            )
            self._print(f"    [dim]{line}[/dim]")


def _flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    """`{"pushes": {"sent": 1}}` as `{"pushes_sent": 1}`."""
    flat: dict[str, Any] = {}
    for name, value in summary.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}_{inner}": number for inner, number in value.items()}
        else:
            flat[name] = value
    return flat
