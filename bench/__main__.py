"""`python -m bench [--only NAME] [--runs N]`: run the benches, print a table, keep the results."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench.figures import RESULTS, Figure, save, show
from bench.idling import idling
from bench.ingesting import ingesting
from bench.latency import latency
from bench.parts import real_parts
from bench.segmenting import segmenting
from deploy.local.parts.errors import PartError

IDLE = "idle"
BENCHES = {"ingest": ingesting, "segmenter": segmenting, "latency": latency}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted((IDLE, *BENCHES)), default=[])
    parser.add_argument("--runs", type=int, default=3, help="rounds of each comparison")
    wanted = parser.parse_args()
    console = Console(stderr=True)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="fan-bench-") as folder:
        chosen = wanted.only or [IDLE, *BENCHES]
        try:
            if IDLE in chosen:  # first, and by itself: nothing else of ours may run
                figures += idling(Path(folder), console.log)
            if set(chosen) - {IDLE}:
                with real_parts(Path(folder)) as parts:
                    for name, bench in BENCHES.items():
                        if name in chosen:
                            figures += bench(parts, wanted.runs, console.log)
        except PartError as error:
            console.print(f"bench: {error}")
            return 1
    save(figures)
    show(figures, Console())
    console.print(f"written: {RESULTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
