"""`python -m bench [--only NAME] [--runs N]`: run the benches, print a table, keep the results."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench.figures import RESULTS, Figure, save, show
from bench.ingesting import ingesting
from bench.latency import latency
from bench.parts import real_parts
from bench.segmenting import segmenting
from deploy.local.parts.errors import PartError

BENCHES = {"ingest": ingesting, "segmenter": segmenting, "latency": latency}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(BENCHES), default=[])
    parser.add_argument("--runs", type=int, default=3, help="rounds of each comparison")
    wanted = parser.parse_args()
    console = Console(stderr=True)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="fan-bench-") as folder:
        try:
            with real_parts(Path(folder)) as parts:
                for name, bench in BENCHES.items():
                    if not wanted.only or name in wanted.only:
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
