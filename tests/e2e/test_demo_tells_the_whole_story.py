"""`make demo` as a newcomer runs it: the main job happens, books agree, nothing is left running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from deploy.local.demo.__main__ import seconds_to_wait
from deploy.local.demo.screen import SHANGHAI
from tests.support.parts import Kind, Parts

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 900


@pytest.mark.slow
def test_the_demo_ends_well_and_leaves_nothing_running(
    parts: Parts, parts_kind: Kind, tmp_path: Path
) -> None:
    parts.log()  # where a part is missing, this is what skips the test and says so
    parts.store()
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local.demo", "--folder", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "DEMO_LANG": "en", "FAN_PARTS": parts_kind},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S + seconds_to_wait(datetime.now(SHANGHAI)),
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "All as expected" in done.stdout
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["problems"] == []
    assert summary["balanced"] is True
    assert summary["pushes"]["platform_count"] == summary["pushes"]["sent"] > 0
    assert summary["pushes"]["over_quota"] == 0
    assert summary["incidents"]["acknowledged"] > 0
    assert _processes_of(tmp_path) == []


def _processes_of(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(folder) in argument for argument in process.cmdline()):
                found.append(process.name())
        except psutil.Error:
            continue
    return found
