"""Free ports on the loopback interface, and what to do when one is taken in the meantime."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable
from typing import TypeVar

from deploy.local.parts.errors import PartError

HOST = "127.0.0.1"
ATTEMPTS = 5
# Below the range from which systems take the local ports of outgoing connections (32768 on Linux,
# 49152 elsewhere). A port up there can be taken while a killed part is down, even by a client that
# retries it: a loopback connection to a free port of that range may connect to itself.
PORTS = range(15_000, 32_000)

TAKEN = "address already in use"
"""What stands in the log of a process that lost its port, in lower case."""

T = TypeVar("T")


def free_port() -> int:
    """A port that nothing listens on now; another process may take it before it is used."""
    for _ in range(ATTEMPTS * 20):
        port = random.choice(PORTS)
        if _is_free(port):
            return port
    with socket.socket() as any_port:  # that range is full: whatever the system has
        any_port.bind((HOST, 0))
        return int(any_port.getsockname()[1])


def free_ports(count: int) -> list[int]:
    """So many different ports that nothing listens on now, for parts that start together."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)


def is_listening(port: int) -> bool:
    """Whether something accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def retry_on_taken_port(start: Callable[[], T], log_tail: Callable[[], str]) -> T:
    """Call ``start``, which chooses its ports anew each time, again if one was taken meanwhile.

    Args:
        start: starts a part; raises ``PartError`` when it does not come up.
        log_tail: the end of the part's log, in which the reason stands.

    Raises:
        PartError: the part failed for another reason, or too often for this one.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return start()
        except PartError:
            if attempt == ATTEMPTS or TAKEN not in log_tail().lower():
                raise
    raise AssertionError("unreachable")


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False
