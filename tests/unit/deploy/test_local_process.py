"""Child processes of the laptop stack: stopped for certain, and never left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.application import Application, start_all
from deploy.local.parts.errors import PartError
from deploy.local.parts.ports import (
    HOST,
    free_port,
    free_ports,
    is_listening,
    retry_on_taken_port,
)
from deploy.local.parts.process import Process

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 20.0
IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf', flush=True); time.sleep(600)"
)
HAS_A_CHILD = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print(child.pid, flush=True); time.sleep(600)"
)
STARTS_ONE_AND_WAITS = """
import sys, time
from pathlib import Path
from deploy.local.parts.process import Process
process = Process("orphan", [sys.executable, "-c", sys.argv[2]], Path(sys.argv[1]))
process.start()
print(process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    started: list[Process] = []

    def run(code: str) -> Process:
        process = Process("child", [sys.executable, "-c", code], tmp_path)
        started.append(process)
        process.start()
        return process

    yield run
    for process in started:
        process.kill()


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(
    start: Callable[[str], Process],
) -> None:
    process = start(IGNORES_SIGTERM)
    process.wait_until(lambda: "deaf" in process.log_tail(), DEADLINE_S)
    process.stop(grace_s=0.2)
    assert not process.is_running()


def test_a_polite_process_ends_by_sigterm_within_the_grace(
    start: Callable[[str], Process],
) -> None:
    process = start(
        "import os, signal, sys, time;"
        "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'goodbye'), sys.exit(0)));"
        "print('ready', flush=True); time.sleep(600)"
    )
    process.wait_until(lambda: "ready" in process.log_tail(), DEADLINE_S)
    process.stop()
    assert "goodbye" in process.log_tail()


def test_a_process_that_was_asked_to_end_is_not_asked_again(
    start: Callable[[str], Process],
) -> None:
    process = start(
        "import os, signal, time;"
        "signal.signal(signal.SIGTERM, lambda *_: os.write(1, b'asked'));"
        "print('ready', flush=True)\nwhile True: time.sleep(0.05)"
    )
    process.wait_until(lambda: "ready" in process.log_tail(), DEADLINE_S)
    process.terminate()
    process.wait_until(lambda: "asked" in process.log_tail(), DEADLINE_S)
    process.stop(grace_s=0.3)
    assert process.log_tail().count("asked") == 1


def test_stopping_takes_the_children_of_the_process_along(
    start: Callable[[str], Process],
) -> None:
    process = start(HAS_A_CHILD)
    process.wait_until(lambda: process.log_tail().strip().isdigit(), DEADLINE_S)
    grandchild = int(process.log_tail())
    process.stop(grace_s=0.2)
    eventually(lambda: is_gone(grandchild))


def test_a_frozen_process_can_be_stopped(start: Callable[[str], Process]) -> None:
    process = start("import time; print('ready', flush=True); time.sleep(600)")
    process.wait_until(lambda: "ready" in process.log_tail(), DEADLINE_S)
    process.freeze()
    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    process.stop()
    assert not process.is_running()


def test_a_killed_process_can_be_started_again(start: Callable[[str], Process]) -> None:
    process = start("import time; time.sleep(600)")
    first = process.pid
    process.kill()
    process.start()
    assert process.is_running()
    assert process.pid != first


def test_a_process_that_ends_before_it_is_ready_is_an_error_that_quotes_its_log(
    start: Callable[[str], Process],
) -> None:
    process = start("raise SystemExit('no such setting: COLOUR')")
    with pytest.raises(PartError, match="no such setting: COLOUR"):
        process.wait_until(lambda: False, DEADLINE_S)


def test_a_process_that_is_never_ready_is_an_error_with_the_time_in_it(
    start: Callable[[str], Process],
) -> None:
    process = start("import time; time.sleep(600)")
    with pytest.raises(PartError, match=r"within 0\.1 s"):
        process.wait_until(lambda: False, 0.1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_supervisor_is_killed(
    number: signal.Signals, tmp_path: Path
) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE_AND_WAITS, str(tmp_path), HAS_A_CHILD],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        log = tmp_path / "orphan.log"
        eventually(lambda: log.read_text().strip().isdigit())
        grandchild = int(log.read_text())
        os.kill(supervisor.pid, number)
    eventually(lambda: is_gone(child) and is_gone(grandchild))


def test_a_child_is_not_started_when_the_supervisor_dies_before_the_guardian_knows_it(
    tmp_path: Path,
) -> None:
    script = STARTS_ONE_AND_WAITS.replace(
        "process.start()",
        "from deploy.local.parts import process as module\n"
        "import os\n"
        "module._guardian.watch = lambda group: (print(group, flush=True), os._exit(9))\n"
        "process.start()",
    )
    marker = tmp_path / "started"
    code = f"import pathlib, time; pathlib.Path({str(marker)!r}).touch(); time.sleep(600)"
    supervisor = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert supervisor.returncode == 9
    child = int(supervisor.stdout)
    eventually(lambda: is_gone(child))
    assert not marker.exists()


def test_a_free_port_is_free() -> None:
    port = free_port()
    assert not is_listening(port)
    with socket.create_server((HOST, port)):  # with SO_REUSEADDR, as our servers
        assert is_listening(port)


def test_parts_that_start_together_get_different_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter([20_001, 20_001, 20_002, 20_001, 20_003])
    monkeypatch.setattr("deploy.local.parts.ports.free_port", lambda: next(draws))
    assert sorted(free_ports(3)) == [20_001, 20_002, 20_003]


def test_a_process_that_lost_its_port_to_one_that_answers_has_not_started(tmp_path: Path) -> None:
    class Answered(Application):
        """Whatever answers at its address, itself it ends while the next one starts."""

        def is_ready(self) -> bool:
            if self.name == "second":
                first.process.kill()
            return True

    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    first, second = (
        Answered(name, Process(name, sleeper, tmp_path), "http://127.0.0.1:9")
        for name in ("first", "second")
    )
    with pytest.raises(PartError, match="first ended before it was ready"):
        start_all([first, second])
    assert not second.process.is_running()


def test_a_port_taken_in_the_meantime_is_replaced_by_another() -> None:
    tries: list[int] = []

    def start_part() -> int:
        tries.append(free_port())
        if len(tries) < 3:
            raise PartError("ended before it was ready")
        return tries[-1]

    assert retry_on_taken_port(start_part, lambda: "bind: Address already in use") == tries[-1]
    assert len(tries) == 3


def test_a_part_that_fails_for_another_reason_is_not_started_again() -> None:
    tries: list[int] = []

    def start_part() -> int:
        tries.append(1)
        raise PartError("ended before it was ready")

    with pytest.raises(PartError):
        retry_on_taken_port(start_part, lambda: "disk full")
    assert len(tries) == 1


def test_the_end_of_the_log_is_of_the_last_start_alone(tmp_path: Path) -> None:
    """The mistake: a reason that was mended is told again, and a port taken before counts again."""
    for words in ("address already in use", "another reason"):
        process = Process("child", [sys.executable, "-c", f"print({words!r})"], tmp_path)
        process.start()
        with pytest.raises(PartError):
            process.wait_until(lambda: False, DEADLINE_S)
        process.kill()
    assert process.log_tail() == "another reason\n"
    assert "address already in use" in process.log_path.read_text()
