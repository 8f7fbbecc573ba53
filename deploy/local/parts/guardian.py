"""The guardian: kills what its parent started, when the parent dies without having done so.

It reads ``+PGID`` and ``-PGID`` lines from its standard input. When that ends, its parent has
ended, however that happened (``kill -9`` included), and every group still on the list is killed.
A pipe rather than ``PR_SET_PDEATHSIG``: that is Linux only, and it fires when the *thread* that
started the child ends. Run as a script, on the standard library alone, so that it starts quickly.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Keep the list until the parent ends, then kill what is left on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it must be the last one to go
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
