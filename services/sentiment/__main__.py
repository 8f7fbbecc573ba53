"""`python -m services.sentiment [run | adapt | evaluate | score]`: serve, or judge files."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Dispatch; without a word the service runs, and only then are its settings read."""
    if argv and argv[0] != "run":
        from services.sentiment import commands

        return commands.main(argv)
    from services.sentiment.app import main as serve

    return serve(argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
