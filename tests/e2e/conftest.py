"""Figures that end-to-end tests measured are shown at the end of the run."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for one in terminalreporter.stats.get("passed", []) if one.user_properties]
    if reports:
        terminalreporter.section("figures")
    for report in reports:
        figures = ", ".join(f"{name} {value}" for name, value in report.user_properties)
        name = report.nodeid.rpartition("::")[2]
        terminalreporter.write_line(f"{name}: {figures}, in {report.duration:.0f} s")
