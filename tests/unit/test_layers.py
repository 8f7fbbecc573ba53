"""The import contracts bite: each is broken here on purpose, in a miniature of the project."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("ingest", "segmenter", "notifier", "sentiment")
MODULES = ("app", "settings", "metrics", "routes", "loops", "handlers", "ports")
PACKAGES = ("adapters", "channels", "domain")
SHARED = ("events", "kafka", "store", "platforms", "web")

VIOLATIONS = [
    ("services/ingest/handlers.py", "import services.notifier.ports", "services-apart"),
    ("services/ingest/app.py", "from services.sentiment.domain import score", "services-apart"),
    ("shared/web/limits.py", "from services.ingest import settings", "shared-below"),
    ("shared/store/client.py", "import deploy.local.parts", "shared-below"),
    ("services/segmenter/domain/rules.py", "from services.segmenter import ports", "layers"),
    ("services/segmenter/ports.py", "import services.segmenter.handlers", "layers"),
    ("services/segmenter/handlers.py", "import services.segmenter.adapters.store", "layers"),
    ("services/notifier/routes.py", "import services.notifier.loops", "layers"),
    ("services/notifier/channels/weibo.py", "import services.notifier.adapters.http", "layers"),
    ("services/notifier/adapters/http.py", "import services.notifier.app", "layers"),
    ("services/sentiment/handlers.py", "import services.sentiment.settings", "layers"),
    ("services/sentiment/domain/score.py", "import httpx", "pure"),
    ("services/sentiment/handlers.py", "import asyncio", "pure"),
    ("services/ingest/ports.py", "from motor.motor_asyncio import AsyncIOMotorClient", "pure"),
    ("services/ingest/handlers.py", "import structlog", "pure"),
    ("services/ingest/domain/signature.py", "from pymongo import MongoClient", "pure"),
    ("services/ingest/domain/signature.py", "import prometheus_client", "pure"),
    ("shared/events/base.py", "import aiokafka", "pure"),
    ("shared/errors.py", "import faststream", "pure"),
    ("shared/retry.py", "import asyncio", "pure"),
    ("services/ingest/routes.py", "import motor.motor_asyncio", "motor"),
    ("shared/kafka/runner.py", "import motor", "motor"),
    ("deploy/sandbox/wechat.py", "import shared.platforms", "other-side"),
    ("deploy/sandbox/wechat.py", "from services.ingest.domain import signature", "other-side"),
    ("services/ingest/app.py", "import deploy.local", "services-undeployed"),
]


@pytest.fixture
def miniature(tmp_path: Path) -> Path:
    """The project's folders and module names, all empty, with the project's contracts."""
    for service in SERVICES:
        for module in MODULES:
            _write(tmp_path / f"services/{service}/{module}.py")
        for package in PACKAGES:
            _write(tmp_path / f"services/{service}/{package}/__init__.py")
        _write(tmp_path / f"services/{service}/__init__.py")
    for package in SHARED:
        _write(tmp_path / f"shared/{package}/__init__.py")
    for file in (
        "services/__init__.py",
        "services/segmenter/adapters/store.py",
        "services/notifier/adapters/http.py",
        "services/sentiment/domain/score.py",
        "services/ingest/domain/signature.py",
        "shared/__init__.py",
        "shared/errors.py",
        "shared/retry.py",
        "deploy/__init__.py",
        "deploy/local/__init__.py",
        "deploy/local/parts/__init__.py",
        "deploy/sandbox/__init__.py",
    ):
        _write(tmp_path / file)
    # What is allowed, and so that every contract finds its subject.
    _write(tmp_path / "shared/store/client.py", "import motor.motor_asyncio")
    _write(tmp_path / "services/notifier/adapters/campaigns.py", "import motor.motor_asyncio")
    _write(tmp_path / "services/notifier/handlers.py", "import services.notifier.ports")
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_a_project_that_keeps_to_the_layers_passes(miniature: Path) -> None:
    assert lint(miniature).returncode == 0


@pytest.mark.parametrize(("file", "line", "contract"), VIOLATIONS)
def test_a_forbidden_import_breaks_its_contract(
    miniature: Path, file: str, line: str, contract: str
) -> None:
    _write(miniature / file, line)
    outcome = lint(miniature, contract)
    assert outcome.returncode == 1, outcome.stdout
    assert "1 broken" in outcome.stdout


def test_every_contract_has_a_violation_here() -> None:
    prefix = "[importlinter:contract:"
    lines = (ROOT / ".importlinter").read_text().splitlines()
    contracts = {line[len(prefix) : -1] for line in lines if line.startswith(prefix)}
    assert contracts == {contract for *_, contract in VIOLATIONS}


def lint(root: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    chosen = [argument for contract in contracts for argument in ("--contract", contract)]
    program = str(Path(sys.executable).parent / "lint-imports")
    return subprocess.run(
        [program, "--no-cache", *chosen],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
