"""The supervisor of the laptop stack, with stand-ins for the services: nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from deploy.local.brand import NAME
from deploy.local.parts.errors import PartError
from deploy.local.stack import SERVICES, Stack

ROOT = Path(__file__).resolve().parents[3]
FAKE = str(ROOT / "tests/support/fake_service.py")
DEADLINE_S = 60.0
RUNS_A_STACK = f"""
import sys, time
from pathlib import Path
from deploy.local.signals import stop_on_signals
from deploy.local.stack import Stack
with stop_on_signals():
    with Stack(Path(sys.argv[1]), command=lambda name: [sys.executable, {FAKE!r}, name]):
        print("ready", flush=True)
        time.sleep(600)
"""


def fake(name: str) -> list[str]:
    return [sys.executable, FAKE, name]


def get(url: str, path: str = "/") -> str:
    return httpx.get(url + path, trust_env=False).text


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def our_processes(folder: Path) -> list[int]:
    """Every process that mentions the folder, by its arguments or its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            texts = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(str(folder) in text for text in texts) and process.pid != os.getpid():
            found.append(process.pid)
    return found


def test_a_stack_starts_every_process_and_leaves_none(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with Stack(folder, command=fake) as stack:
        pids = {int(get(application.url)) for application in stack.applications.values()}
        assert len(pids) == len(SERVICES) + 1
        assert stack.bootstrap_servers
        assert stack.mongodb_url
        assert len(our_processes(folder)) >= len(SERVICES) + 3
    assert our_processes(folder) == []


def test_a_stack_uses_parts_that_run_already_and_leaves_them_running(
    tmp_path: Path, log: str, store: str
) -> None:
    with Stack(tmp_path, bootstrap_servers=log, mongodb_url=store, command=fake) as stack:
        assert stack.log is None
        assert stack.store is None
    assert (stack.bootstrap_servers, stack.mongodb_url) == (log, store)


def test_services_are_told_the_same_secrets_as_the_sandbox_and_none_stands_in_their_file(
    tmp_path: Path,
) -> None:
    with Stack(tmp_path, bootstrap_servers="x:1", mongodb_url="mongodb://x", command=fake) as stack:
        sandbox = yaml.safe_load((tmp_path / "config/sandbox.yaml").read_text())
        accounts_text = (tmp_path / "config/accounts.yaml").read_text()
        pid = int(get(stack.url("ingest")))
        environment = psutil.Process(pid).environ()
    accounts = yaml.safe_load(accounts_text)
    reference = accounts["wechat"][0]["token"]
    assert environment[reference[2:-1]] == sandbox["wechat"][0]["token"]
    assert sandbox["wechat"][0]["webhook"] == f"{stack_url(environment)}/wechat/{NAME}"
    tokens = json.loads(environment["FAN_STAFF_TOKENS"])
    secrets = [sandbox["wechat"][0]["token"], sandbox["shops"][0]["secret"], *tokens["viewer"]]
    assert not [secret for secret in secrets if secret in accounts_text]


def stack_url(environment: dict[str, str]) -> str:
    return f"http://127.0.0.1:{environment['FAN_INGEST_HTTP_PORT']}"


def test_two_stacks_share_neither_database_nor_secret(tmp_path: Path) -> None:
    one = Stack(tmp_path / "1", database_prefix="a_", command=fake)
    two = Stack(tmp_path / "2", database_prefix="b_", command=fake)
    assert one.brand != two.brand
    assert one.log_epoch != two.log_epoch


def test_variables_of_the_callers_shell_do_not_reach_the_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAN_SEGMENTER_HTTP_PORT", "1")
    monkeypatch.setenv("FAN_LANGUAGE", "en")
    with Stack(
        tmp_path,
        bootstrap_servers="x:1",
        mongodb_url="mongodb://x",
        services=["segmenter"],
        environment={"FAN_LOG_LEVEL": "debug"},
        command=fake,
    ) as stack:
        environment = psutil.Process(int(get(stack.url("segmenter")))).environ()
    assert "FAN_LANGUAGE" not in environment
    assert environment["FAN_LOG_LEVEL"] == "debug"
    assert environment["FAN_SEGMENTER_HTTP_PORT"] != "1"


def test_a_killed_service_is_restarted_on_its_port_and_the_others_stay(tmp_path: Path) -> None:
    with Stack(tmp_path, bootstrap_servers="x:1", mongodb_url="mongodb://x", command=fake) as stack:
        url, other = stack.url("notifier"), get(stack.url("sentiment"))
        first = get(url)
        stack.kill_service("notifier")
        with pytest.raises(httpx.HTTPError):
            get(url)
        stack.restart_service("notifier", environment={"FAN_CRASH": "here"})
        assert stack.url("notifier") == url
        assert get(url) != first
        assert psutil.Process(int(get(url))).environ()["FAN_CRASH"] == "here"
        assert get(stack.url("sentiment")) == other


def test_a_second_process_of_a_service_shares_its_database_but_not_its_port(
    tmp_path: Path,
) -> None:
    with Stack(tmp_path, bootstrap_servers="x:1", mongodb_url="mongodb://x", command=fake) as stack:
        second = stack.add_service("segmenter")
        environments = [
            psutil.Process(int(get(stack.url(name)))).environ() for name in ("segmenter", second)
        ]
    databases = {one["FAN_SEGMENTER_MONGODB_DATABASE"] for one in environments}
    ports = {one["FAN_SEGMENTER_HTTP_PORT"] for one in environments}
    assert (len(databases), len(ports)) == (1, 2)


def test_a_service_that_does_not_come_up_stops_the_start_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_BROKEN", "sentiment")
    stack = Stack(tmp_path, bootstrap_servers="x:1", mongodb_url="mongodb://x", command=fake)
    with pytest.raises(PartError, match="sentiment: the settings need attention"), stack:
        pytest.fail("started")
    assert our_processes(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["half-way through the start", "running"])
def test_a_signal_leaves_nothing_running(
    tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    environment = {**os.environ, "FAKE_SLOW": "sentiment" if moment != "running" else ""}
    supervisor = subprocess.Popen(
        [sys.executable, "-c", RUNS_A_STACK, str(tmp_path)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # As a shell script starts a background job.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509 - no threads here
    )
    with supervisor:
        assert supervisor.stdout is not None
        if moment == "running":
            assert supervisor.stdout.readline() == "ready\n"
        else:
            eventually((tmp_path / "logs/sentiment.log").exists)
        supervisor.send_signal(number)
    eventually(lambda: our_processes(tmp_path) == [])
    assert supervisor.returncode != 0
