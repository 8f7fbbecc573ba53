"""A process that serves HTTP: the sandbox, or one process of a service."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.local.parts.errors import PartError
from deploy.local.parts.ports import TAKEN
from deploy.local.parts.process import Process

READY_TIMEOUT_S = 60.0
PROBE_TIMEOUT_S = 2.0
HTTP_OK = 200


@dataclass(slots=True)
class Application:
    """One process and where it is reached.

    Attributes:
        name: `sandbox`, `ingest`, …; a further process of a service is called `ingest-2`.
        process: the child process.
        url: its base URL.
        ready_path: where it tells whether it is ready.
    """

    name: str
    process: Process
    url: str
    ready_path: str = "/readyz"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def is_ready(self) -> bool:
        """Whether it answers that it is ready.

        Raises:
            OSError: it does not answer at all.
        """
        return _status(self.url, self.ready_path) == HTTP_OK


def start_all(applications: Sequence[Application]) -> None:
    """Start them together; return when each is ready.

    Raises:
        PartError: one did not come up; all of them are killed then.
    """
    try:
        for application in applications:
            application.process.start()
        for application in applications:
            application.process.wait_until(application.is_ready, READY_TIMEOUT_S)
        for application in applications:  # one may have lost its port to another that answers
            application.process.check_running()
    except BaseException:
        for application in applications:
            application.process.kill()
        raise


def start_each(applications: Sequence[Application]) -> None:
    """Start them together; return when each is ready or has ended, or the time is up.

    Raises:
        PartError: one lost its port to another process; all of them are killed then.
    """
    try:
        for application in applications:
            application.process.start()
        deadline = time.monotonic() + READY_TIMEOUT_S
        for application in applications:
            left_s = max(0.0, deadline - time.monotonic())
            with contextlib.suppress(PartError):  # whoever watches them tells
                application.process.wait_until(application.is_ready, left_s)
        for application in applications:
            if (
                not application.process.is_running()
                and TAKEN in application.process.log_tail().lower()
            ):
                application.process.check_running()
    except BaseException:
        for application in applications:
            application.process.kill()
        raise


def _status(url: str, path: str) -> int:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()
