"""`python -m deploy.sandbox --port N --config FILE.yaml [--books DIR]`: the sandbox's process."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import uvicorn

from deploy.sandbox.app import create_app
from deploy.sandbox.books import Books
from deploy.sandbox.config import load_config
from deploy.sandbox.world import World

_EXIT_BAD_CONFIG = 2


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--books", type=Path, help="directory for books.ndjson (appended)")
    parser.add_argument("--fsync", action="store_true", help="books survive a power cut too")
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    try:
        config = load_config(args.config)
    except ValueError as error:
        sys.stderr.write(f"Can't start, the configuration needs attention: {error}\n")
        raise SystemExit(_EXIT_BAD_CONFIG) from None
    world = World(config, books=Books(args.books, fsync=args.fsync))
    uvicorn.run(
        create_app(world),
        host=args.host,
        port=args.port,
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        # Longer than clients keep a connection (httpx: 5 s): else one may just end as it is used.
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
