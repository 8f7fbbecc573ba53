"""The connections that we allow fit into the files that the system allows, and the log says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.web.open_files import RESERVED_FILES

PROGRAM = """
import resource, sys
from shared.observe.logs import configure_logs
from shared.testing.settings import settings_for_tests
from tests.support.served import SocketSettings
from shared.web.open_files import connections_that_fit
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
configure_logs(settings_for_tests(SocketSettings))
fits = connections_that_fit(wanted)
print(fits, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def fitting(soft: int, hard: int, wanted: int) -> tuple[int, int, list[dict[str, Any]]]:
    """How many fit, the soft limit then, and what was logged."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(wanted)],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    *logged, last = done.stdout.splitlines()
    fits, limit = map(int, last.split())
    return fits, limit, [json.loads(line) for line in logged]


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "fits", "limit", "events"),
    [
        (1000, 1000, 700, 700, 1000, ["enough"]),
        (300, 1000, 700, 700, 700 + RESERVED_FILES, ["raised", "enough"]),
        (300, 800, 700, 800 - RESERVED_FILES, 800, ["raised", "too_few"]),
        (300, 300, 700, 300 - RESERVED_FILES, 300, ["too_few"]),
        (260, 260, 700, 16, 260, ["too_few"]),
    ],
)
def test_the_soft_limit_is_raised_and_what_does_not_fit_is_not_allowed(
    soft: int, hard: int, wanted: int, fits: int, limit: int, events: list[str]
) -> None:
    found, now, lines = fitting(soft, hard, wanted)
    assert (found, now) == (fits, limit)
    assert [line["event"] for line in lines] == [f"http.open_files.{event}" for event in events]
    if "too_few" in events:
        assert lines[-1]["level"] == "warning"
        assert str(wanted + RESERVED_FILES) in lines[-1]["advice"]
