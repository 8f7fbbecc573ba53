"""What the laptop stack writes holds secrets, and is its owner's alone."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.brand import Brand
from deploy.local.parts.process import Process
from deploy.local.private import make_private_folder, open_private, write_private
from deploy.local.run import only_one

DEADLINE_S = 20.0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_configuration_with_secrets_is_private_also_where_it_was_not(tmp_path: Path) -> None:
    brand = Brand.invent()
    for name in ("sandbox.yaml", "accounts.yaml", "alerts.yaml"):
        (tmp_path / name).write_text("old")
        (tmp_path / name).chmod(0o644)
    brand.write_sandbox_config(tmp_path / "sandbox.yaml", "http://127.0.0.1:1")
    brand.write_accounts(tmp_path / "accounts.yaml", "http://127.0.0.1:1")
    brand.write_alerts(tmp_path / "alerts.yaml", "http://127.0.0.1:1", {}, {})
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}


def test_a_private_folder_is_private_with_all_that_is_made_above_it(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    make_private_folder(tmp_path / "there" / "a" / "b")
    assert mode(tmp_path / "there" / "a") == mode(tmp_path / "there" / "a" / "b") == 0o700
    make_private_folder(tmp_path / "there")
    assert mode(tmp_path / "there") == 0o700


def test_a_file_is_private_before_its_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "file"
    descriptor = open_private(str(path), os.O_WRONLY | os.O_CREAT)
    assert mode(path) == 0o600
    os.close(descriptor)
    write_private(path, "中")
    assert path.read_text("utf-8") == "中"


def test_the_folder_of_a_stack_is_private(tmp_path: Path) -> None:
    with only_one(tmp_path / "run"):
        assert mode(tmp_path / "run") == 0o700


def test_a_process_and_its_log_are_private(tmp_path: Path) -> None:
    code = "import os, sys; open(sys.argv[1], 'w').close(); os.mkdir(sys.argv[2]); print('done')"
    argv = [sys.executable, "-c", code, str(tmp_path / "file"), str(tmp_path / "folder")]
    process = Process("child", argv, tmp_path / "logs")
    process.start()
    deadline = time.monotonic() + DEADLINE_S
    while process.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    assert (mode(tmp_path / "logs"), mode(process.log_path)) == (0o700, 0o600)
    assert (mode(tmp_path / "folder"), mode(tmp_path / "file")) == (0o700, 0o600)
