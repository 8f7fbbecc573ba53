"""The generated documents: complete, in step with the code, and found out when they are not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.local.docs import __main__ as docs
from deploy.local.docs import metrics, settings
from deploy.local.docs.markdown import table
from deploy.local.stack import SERVICES
from shared.events import EVENT_TYPES, TOPICS
from shared.observe.metrics import SHARED_METRICS
from shared.settings import variables

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with freshly written documents."""
    docs.write(tmp_path, docs.documents())
    return tmp_path


def test_the_committed_documents_are_in_step_with_the_code() -> None:
    assert docs.out_of_step(ROOT, docs.documents()) == [], "run `make docs`"


def test_documents_that_are_in_step_pass_the_check(copy: Path) -> None:
    assert docs.main(["--check"], copy) == 0


def test_a_document_edited_by_hand_fails_the_check(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = copy / "docs" / "settings.md"
    file.write_text(file.read_text() + "More.\n")
    assert docs.main(["--check"], copy) == 1
    assert "docs/settings.md" in capsys.readouterr().err
    assert docs.main([], copy) == 0
    assert docs.main(["--check"], copy) == 0


def test_a_missing_document_fails_the_check(copy: Path) -> None:
    (copy / "docs" / "events.md").unlink()
    assert docs.main(["--check"], copy) == 1


def test_the_schema_of_an_event_that_is_gone_is_refused_until_it_is_accepted(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy / "docs" / "schemas"
    shutil.copy(folder / "TagAssigned.json", folder / "TagInvented.json")
    assert docs.main([], copy) == 1
    assert "TagInvented: the event is gone" in capsys.readouterr().err
    assert docs.main(["--accept-incompatible"], copy) == 0
    assert not (folder / "TagInvented.json").exists()


def test_every_event_and_topic_is_described() -> None:
    text = docs.documents()["docs/events.md"]
    for name, event in EVENT_TYPES.items():
        assert f"### {name}\n" in text
        assert (event.__doc__ or "").split()[0] in text
    for topic in TOPICS:
        assert f"## {topic}\n" in text


def test_every_variable_of_every_service_is_described_once() -> None:
    text = settings.render()
    found = settings.settings_classes()
    assert set(found) == set(SERVICES)
    for settings_class in found.values():
        for variable in variables(settings_class):
            assert text.count(f"| `{variable.name}` |") == 1
            assert variable.description, f"{variable.name} has no description"


def test_every_metric_is_described_with_its_meaning() -> None:
    text = metrics.render()
    own = [metric for service in SERVICES for metric in metrics.service_metrics(service)]
    assert own
    for metric in (*SHARED_METRICS, *own):
        assert f"| `{metric.name}` | {metric.kind} |" in text


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(("a",), [("x|y",)]).splitlines()[-1] == "| x\\|y |"
