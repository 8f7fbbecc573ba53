"""The sandbox is the other side: a mistake in the services' code must not reach it."""

from __future__ import annotations

import ast
from pathlib import Path

import deploy.sandbox

FOLDER = Path(deploy.sandbox.__file__).parent


def _imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_the_sandbox_shares_no_code_with_services_or_shared() -> None:
    files = list(FOLDER.rglob("*.py"))
    assert len(files) > 20
    for file in files:
        roots = {name.split(".")[0] for name in _imported(file)}
        assert not roots & {"services", "shared"}, file.name
        assert "deploy.local" not in {name[:12] for name in _imported(file)}, file.name
