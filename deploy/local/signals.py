"""Signals of a program that supervises others: end in order, and not twice."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the program the way Ctrl-C does: through every ``finally``.

    SIGINT too, since a shell script starts its background jobs with SIGINT ignored; but whoever
    ignores SIGHUP (nohup) means it.
    """

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    with _handled(_ENDING[:2] if is_nohup else _ENDING, interrupt):
        yield


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Ignore signals meanwhile: a second Ctrl-C must not leave half of the stack running."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it is interrupted
        return
    with _handled(_ENDING, signal.SIG_IGN):
        yield


@contextmanager
def _handled(
    numbers: tuple[signal.Signals, ...], handler: Callable[[int, Any], object] | signal.Handlers
) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
