"""`python -m services.notifier [run]`."""

from __future__ import annotations

import sys

from services.notifier.app import create_app
from services.notifier.settings import NotifierSettings
from shared.settings import EXIT_BAD_SETTINGS, SettingsError, read_settings_or_exit

USAGE = "usage: python -m services.notifier [run]\n"


def main(arguments: list[str]) -> int:
    """Run the service; answers the process's exit code."""
    if arguments not in ([], ["run"]):
        sys.stderr.write(USAGE)
        return EXIT_BAD_SETTINGS
    settings = read_settings_or_exit(NotifierSettings)
    try:
        service = create_app(settings)
    except SettingsError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in error.problems))
        return EXIT_BAD_SETTINGS
    return service.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
