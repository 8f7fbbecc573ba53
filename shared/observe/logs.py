"""One line of JSON on stdout for each thing worth telling; libraries speak through the same chain.

    log = get_logger(__name__)
    log.info("segmenter.tag.assigned", tag=tag, fan=fan_key)

Event names are dotted keys. `bound(trace_id=…)` adds ids to every line inside it. What must not
be logged is replaced on the way out (`shared.observe.redact`).
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TextIO, cast

import stamina.instrumentation
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from shared.observe.redact import describe, redact
from shared.observe.traces import Trace
from shared.settings import ServiceSettings

REPEAT_SILENCE_S = 10.0
MAX_REMEMBERED_LINES = 256
LIBRARY_LEVEL = logging.WARNING
"""Below it, libraries tell URLs with tokens (httpx) and documents (pymongo)."""

Event = MutableMapping[str, Any]


def configure_logs(settings: ServiceSettings, stream: TextIO | None = None) -> None:
    """Route structlog and the standard library to one stream. Call once, first of all."""
    out = stream or sys.stdout
    level = logging.getLevelName(settings.log_level.upper())
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty())
        if settings.log_format == "console"
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    )
    service = settings.service

    def add_service(_logger: object, _method: str, event: Event) -> Event:
        event["service"] = service
        return event

    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        _describe_exception,
        _redact,
    ]
    structlog.configure(
        processors=[*common, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=stream is None,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_name_source, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(_Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LIBRARY_LEVEL)
    logging.captureWarnings(capture=True)
    # stamina's own hook logs the call's arguments, which may be tokens or texts.
    stamina.instrumentation.set_on_retry_hooks([_log_retry])


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines carry `source=name`."""
    return cast("FilteringBoundLogger", structlog.get_logger(source=name))


def bound(**ids: str | int) -> AbstractContextManager[None]:
    """Add ids to every line that this task logs inside the block."""
    return cast("AbstractContextManager[None]", structlog.contextvars.bound_contextvars(**ids))


def traced(traceparent: str) -> AbstractContextManager[None]:
    """Add the `trace_id` that a `traceparent` names to every line inside the block, if it does."""
    trace = Trace.parse(traceparent)
    return nullcontext() if trace is None else bound(trace_id=trace.trace_id)


def log_lost_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Log what nobody awaited (failed tasks, failed callbacks) like everything else."""
    log = get_logger(__name__)

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        log.error("asyncio.unhandled", what=str(context.get("message", "")), exc_info=error)

    loop.set_exception_handler(handle)


class _Repeats(logging.Filter):
    """Lets a library say the same thing once in a while, however often it tries."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, int, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        line = (record.name, record.lineno, str(record.msg))
        now = time.monotonic()
        if now - self._last.get(line, -REPEAT_SILENCE_S) < REPEAT_SILENCE_S:
            return False
        if len(self._last) >= MAX_REMEMBERED_LINES:
            self._last.clear()
        self._last[line] = now
        return True


def _describe_exception(_logger: object, _method: str, event: Event) -> Event:
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event.update(describe(error))
    event.pop("stack_info", None)
    return event


def _name_source(_logger: object, _method: str, event: Event) -> Event:
    event["source"] = event["_record"].name
    return event


def _redact(_logger: object, _method: str, event: Event) -> Event:
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return redact(first | dict(event))


def _log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    get_logger("stamina").warning(
        "retry.scheduled",
        call=details.name,
        attempt=details.retry_num,
        wait_s=round(details.wait_for, 3),
        error=type(details.caused_by).__name__,
    )
