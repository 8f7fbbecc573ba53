"""`python -m services.ingest`: run ingest with the settings in the environment."""

from __future__ import annotations

import sys

from services.ingest.app import create_app
from services.ingest.settings import IngestSettings
from shared.settings import exit_on_bad_settings, load_settings


def main() -> int:
    """Run until a signal comes; returns the exit code."""
    with exit_on_bad_settings():
        service = create_app(load_settings(IngestSettings))
    return service.run()


if __name__ == "__main__":
    sys.exit(main())
