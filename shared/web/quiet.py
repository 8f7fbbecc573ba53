"""uvicorn's log of one connection, without what strangers write into it."""

from __future__ import annotations

from typing import Any, Final

from shared.observe.logs import get_logger


class Quiet:
    """Stands in for uvicorn's logger of one connection: only what the shell missed is an error."""

    level = 100

    def __init__(self) -> None:
        self._log = get_logger(__name__)

    def log(self, *_args: object) -> None:
        """Say nothing."""

    warning = info = log

    def error(self, message: str, *_args: object, exc_info: BaseException | None = None) -> None:
        """Tell what the application did not catch."""
        self._log.error("http.protocol.failed", what=message.strip(), exc_info=exc_info)


QUIET: Final[Any] = Quiet()
