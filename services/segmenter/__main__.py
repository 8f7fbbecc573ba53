"""Run the segmenter: `python -m services.segmenter`."""

from __future__ import annotations

import sys

from services.segmenter.app import create_app
from services.segmenter.settings import SegmenterSettings
from shared.settings import exit_on_bad_settings, load_settings

if __name__ == "__main__":
    with exit_on_bad_settings():
        app = create_app(load_settings(SegmenterSettings))
    sys.exit(app.run())
