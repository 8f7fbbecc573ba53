"""Run the notifier: `python -m services.notifier [run]`."""

from __future__ import annotations

import sys

from services.notifier.app import create_app
from services.notifier.settings import NotifierSettings
from shared.settings import EXIT_BAD_SETTINGS, exit_on_bad_settings, load_settings

if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["run"]):
        sys.stderr.write("usage: python -m services.notifier [run]\n")
        sys.exit(EXIT_BAD_SETTINGS)
    with exit_on_bad_settings():
        app = create_app(load_settings(NotifierSettings))
    sys.exit(app.run())
