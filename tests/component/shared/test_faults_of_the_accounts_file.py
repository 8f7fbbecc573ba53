"""A service that reads the accounts file tells each of its faults in a line of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.ingest.app import create_app as create_ingest
from services.ingest.settings import IngestSettings
from services.notifier.app import create_app as create_notifier
from services.notifier.settings import NotifierSettings
from shared.settings import SettingsError, exit_on_bad_settings
from shared.testing.settings import settings_for_tests

TWO_FAULTS = """\
weibo:
  - name: brand
    uid: "42"
    app_secret: ${NOBODY_SET_THIS}
    access_token: in-the-clear
"""


@pytest.mark.parametrize(
    "create",
    [
        lambda file: create_ingest(settings_for_tests(IngestSettings, accounts_file=file)),
        lambda file: create_notifier(settings_for_tests(NotifierSettings, accounts_file=file)),
    ],
    ids=["ingest", "notifier"],
)
def test_two_faults_are_two_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], create: Callable[[Path], object]
) -> None:
    file = tmp_path / "accounts.yaml"
    file.write_text(TWO_FAULTS, "utf-8")
    with pytest.raises(SettingsError) as caught:
        create(file)
    assert [one.partition(": ")[0] for one in caught.value.problems] == [
        f"{file}:4:5",
        f"{file}:5:5",
    ]
    with pytest.raises(SystemExit) as ended, exit_on_bad_settings():
        create(file)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 3
    assert "in-the-clear" not in told
