"""The whole stack as processes of this machine: log, store, sandbox and the four services.

A supervisor for the laptop and for tests: it finds free ports, writes the configuration, waits for
readiness, kills and restarts single services, and leaves nothing running, however it ends.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from deploy.local.application import Application, start_all, start_each
from deploy.local.audit import Account, audit
from deploy.local.brand import Brand
from deploy.local.environment import service_environment
from deploy.local.parts.embedded_log import REPOSITORY, EmbeddedLog
from deploy.local.parts.kafka import KafkaCluster
from deploy.local.parts.ports import HOST, free_port, free_ports, retry_on_taken_port
from deploy.local.parts.process import Process
from deploy.local.parts.store import CompiledStore, EmbeddedStore
from deploy.local.private import make_private_folder
from deploy.local.signals import deaf_to_interrupts

SERVICES = ("ingest", "segmenter", "notifier", "sentiment")
STOP_GRACE_S = 15.0
# What must not leak from the caller's shell into the stack, or the same command would do other
# things on another machine.
FOREIGN_PREFIXES = (
    *("FAN_", "WECHAT_BRAND_", "WEIBO_BRAND_", "SHOP_WEBHOOK_"),
    *("WECOM_ROBOT_", "PAGERDUTY_"),
)
ESCALATION: Mapping[str, Any] = {
    "steps": [
        {"channels": ["oncall-group"]},
        {"after_seconds": 120, "channels": ["oncall-group", "oncall-phone"]},
    ]
}

Kind = Literal["embedded", "real"]
Command = Callable[[str], Sequence[str]]


@dataclass
class Stack:
    """The processes and where they are reached. Use as a context manager.

    Attributes:
        folder: for configuration, data and logs; its old content is removed.
        kind: which parts to start: embedded, or Apache Kafka and the compiled store.
        bootstrap_servers: a log that runs already, instead of starting one.
        mongodb_url: a store that runs already, instead of starting one.
        topic_prefix: put before every topic and group.
        database_prefix: put before every service's database.
        environment: more variables for all services; they win.
        sandbox_config: more top-level settings of the sandbox.
        incidents: thresholds of incidents that differ from the service's own.
        escalation: who is told of an incident, and when.
        services: which services to start.
        keeps_others_up: a service that does not come up stops nothing; see `deploy.local.keeper`.
        command: the program of an application, without its arguments; for tests.
        report: told in one line what happens.
    """

    folder: Path
    kind: Kind = "embedded"
    bootstrap_servers: str = ""
    mongodb_url: str = ""
    topic_prefix: str = ""
    database_prefix: str = "fan_"
    environment: Mapping[str, str] = field(default_factory=dict)
    sandbox_config: dict[str, Any] = field(default_factory=dict)
    incidents: Mapping[str, Any] = field(default_factory=dict)
    escalation: Mapping[str, Any] = field(default_factory=lambda: ESCALATION)
    services: Sequence[str] = SERVICES
    keeps_others_up: bool = False
    command: Command = lambda name: (
        sys.executable,
        "-m",
        "deploy.sandbox" if name == "sandbox" else f"services.{name}",
    )
    report: Callable[[str], None] = lambda _line: None

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.brand = Brand.invent()
        self.applications: dict[str, Application] = {}
        self.log: EmbeddedLog | KafkaCluster | None = None
        self.store: EmbeddedStore | CompiledStore | None = None
        self.log_epoch = f"run-{secrets.token_hex(4)}"  # a volatile log is another one each time

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def logs(self) -> Path:
        """The folder with one log file for each process."""
        return self.folder / "logs"

    def database(self, service: str) -> str:
        """The name of a service's database."""
        return f"{self.database_prefix}{service}"

    def audit(self) -> list[Account]:
        """The books of every group; of a drained system."""
        return audit(
            self.bootstrap_servers,
            self.mongodb_url,
            [self.database(service) for service in self.services],
            topic_prefix=self.topic_prefix,
            log_epoch=self.log_epoch,
        )

    def url(self, name: str) -> str:
        """The base URL of an application."""
        return self.applications[name].url

    def start(self) -> None:
        """Start everything; return when every service is ready.

        Raises:
            PartMissingError: a part is not installed.
            PartError: a process did not come up; the message quotes its log.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        make_private_folder(self.folder)
        make_private_folder(self.logs)
        self._start_parts()
        retry_on_taken_port(self._start_applications, self._tails)

    def stop(self) -> None:
        """Stop everything: the services and the sandbox together, then the store and the log."""
        with deaf_to_interrupts():
            running = [one.process for one in self.applications.values()]
            for process in running:
                process.terminate()
            with ThreadPoolExecutor(max_workers=max(1, len(running))) as pool:
                list(pool.map(lambda process: process.stop(STOP_GRACE_S), running))
            self.applications.clear()
            if self.store is not None:
                self.store.stop()
                self.store, self.mongodb_url = None, ""
            if self.log is not None:
                self.log.stop()
                self.log, self.bootstrap_servers = None, ""

    def kill_service(self, name: str) -> None:
        """Kill a service at once (``kill -9``)."""
        self.applications[name].process.kill()

    def restart_service(self, name: str, *, environment: Mapping[str, str] | None = None) -> None:
        """Stop a service if it runs, start it on its old port, and wait until it is ready.

        Args:
            name: the application's name.
            environment: variables for this one process; they win.
        """
        application = self.applications[name]
        application.process.stop()
        self.applications[name] = self._service(name, application.port, environment or {})
        self._start([self.applications[name]])

    def respawn_service(self, name: str, *, environment: Mapping[str, str] | None = None) -> None:
        """Start a service again on its old port, killing what is left of it; does not wait.

        Args:
            name: the application's name, or `sandbox`.
            environment: variables for this one process; they win.
        """
        application = self.applications[name]
        application.process.kill()
        if name == "sandbox":
            application.process.start()
            return
        port = int(application.url.rpartition(":")[2])
        self.applications[name] = self._service(name, port, environment or {})
        self.applications[name].process.start()

    def add_service(self, name: str, *, environment: Mapping[str, str] | None = None) -> str:
        """Start one more process of a service, and answer its application's name."""
        number = 2
        while f"{name}-{number}" in self.applications:
            number += 1
        instance = f"{name}-{number}"
        self.applications[instance] = self._service(instance, free_port(), environment or {})
        self._start([self.applications[instance]])
        return instance

    def _start_parts(self) -> None:
        if not self.bootstrap_servers:
            self.report("log")
            if self.kind == "real":
                self.log = KafkaCluster(1, self.folder / "kafka", self.logs)
            else:
                self.log = EmbeddedLog(self.logs)
            self.bootstrap_servers = self.log.start()
        if not self.mongodb_url:
            self.report("store")
            store = CompiledStore if self.kind == "real" else EmbeddedStore
            self.store = store(self.folder / "store", self.logs)
            self.mongodb_url = self.store.start()

    def _start_applications(self) -> None:
        names = ("sandbox", *self.services)
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        urls = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
        config = self.folder / "config"
        make_private_folder(config)
        sandbox_file = config / "sandbox.yaml"
        self.brand.write_sandbox_config(
            sandbox_file, urls.get("ingest", "http://127.0.0.1:9"), self.sandbox_config
        )
        self.brand.write_accounts(config / "accounts.yaml", urls["sandbox"])
        self.brand.write_alerts(
            config / "alerts.yaml", urls["sandbox"], dict(self.incidents), dict(self.escalation)
        )
        sandbox_arguments = ["--port", str(ports["sandbox"]), "--config", str(sandbox_file)]
        sandbox = Process(
            "sandbox",
            [*self.command("sandbox"), *sandbox_arguments, "--books", str(self.folder / "books")],
            self.logs,
            env=_inherited_environment(),
            cwd=REPOSITORY,
        )
        self.applications = {
            "sandbox": Application("sandbox", sandbox, urls["sandbox"], "/_health")
        }
        for name in self.services:
            self.applications[name] = self._service(name, ports[name], {})
        started = list(self.applications.values())
        if not self.keeps_others_up:
            self._start(started)
            return
        self._start(started[:1])  # without the sandbox there is nothing to talk to
        self.report(", ".join(self.services))
        start_each(started[1:])

    def _service(self, name: str, port: int, extra: Mapping[str, str]) -> Application:
        service = name.partition("-")[0]
        environment = _inherited_environment() | self.brand.environment()
        environment |= service_environment(
            service,
            brand=self.brand,
            config=self.folder / "config",
            bootstrap_servers=self.bootstrap_servers,
            mongodb_url=self.mongodb_url,
            database=self.database(service),
            topic_prefix=self.topic_prefix,
            log_epoch=self.log_epoch,
            port=port,
        )
        if self.kind == "embedded":
            environment["FAN_CREATE_TOPICS"] = "false"  # its topics appear on first use
        environment |= {**self.environment, **extra}
        argv = self.command(service)
        process = Process(name, argv, self.logs, env=environment, cwd=REPOSITORY)
        return Application(name, process, f"http://{HOST}:{port}")

    def _start(self, applications: Sequence[Application]) -> None:
        self.report(", ".join(application.name for application in applications))
        start_all(applications)

    def _tails(self) -> str:
        return "\n".join(one.process.log_tail() for one in self.applications.values())


def _inherited_environment() -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_PREFIXES)
    }
    return inherited | {"NO_PROXY": f"{HOST},localhost", "PYTHONUNBUFFERED": "1"}
