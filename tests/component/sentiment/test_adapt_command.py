from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from services.sentiment.adapters.table_file import UnreadableTableError, load_table, save_table
from services.sentiment.commands import main
from services.sentiment.domain.adapting.bags import BUCKETS
from services.sentiment.domain.adapting.table import AccountTable
from tests.unit.sentiment.adapting.builders import labels, stream

_KEYS = {
    "learned_from", "says", "stream_texts", "labels", "agreement", "auc_before", "auc_after",
    "auc_gain", "auc_gain_standard_error", "newly_negative", "no_longer_negative",
}  # fmt: skip


def _written(path: Path, lines: list[str]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.writelines(line + "\n" for line in lines)
    return path


def _rows(number: int, seed: int) -> list[str]:
    return [f"{tone}\t{text}" for tone, text in labels(number, seed)]


def test_a_table_from_files_is_better_on_texts_that_it_was_not_taught(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = _written(tmp_path / "stream.tsv.gz", stream(400))
    taught = _written(tmp_path / "labels.tsv.gz", _rows(120, 2))
    test = _written(tmp_path / "test.tsv.gz", _rows(120, 9))
    table = tmp_path / "account.table"
    assert main(["adapt", str(texts), str(taught), "-o", str(table), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) == _KEYS
    assert report["learned_from"] == "stream and labels"
    assert report["auc_gain"] > report["auc_gain_standard_error"]
    figures = []
    for more in ([], ["--table", str(table)]):
        assert main(["evaluate", str(test), "--json", *more]) == 0
        figures.append(json.loads(capsys.readouterr().out))
    assert figures[1]["auc"] > figures[0]["auc"]
    assert figures[1]["accuracy"] > figures[0]["accuracy"]


def test_score_takes_a_table_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = np.full(BUCKETS, 9_000, dtype=np.int16)
    weights[0] = 0
    model = json_model(tmp_path, capsys)
    save_table(tmp_path / "up.table", AccountTable(weights, 1e-4, 0.0, (0.0, 0.0, 0.0), model), {})
    comments = tmp_path / "comments.csv"
    comments.write_text("text\n门店里有人\n", encoding="utf-8")
    told = []
    for more in ([], ["--table", str(tmp_path / "up.table")]):
        assert main(["score", str(comments), *more]) == 0
        told.append(float(capsys.readouterr().out.splitlines()[1].split(",")[2]))
    assert told[1] > told[0]


def json_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The name of the shipped model, as a table of nothing tells it."""
    empty = _written(folder / "empty.tsv.gz", [])
    assert main(["adapt", str(empty), str(empty), "-o", str(folder / "blank.table")]) == 0
    assert "fewer than 300 texts" in capsys.readouterr().out
    return load_table(folder / "blank.table").model


def test_a_blank_table_changes_no_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    json_model(tmp_path, capsys)
    test = _written(tmp_path / "test.tsv.gz", _rows(60, 9))
    figures = []
    for more in ([], ["--table", str(tmp_path / "blank.table")]):
        assert main(["evaluate", str(test), "--json", *more]) == 0
        figures.append(json.loads(capsys.readouterr().out) | {"seconds": 0})
    assert figures[0] == figures[1]


def test_a_label_before_a_text_of_the_stream_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = _written(tmp_path / "none.tsv.gz", [])
    reports = []
    for name, lead in (("plain", ""), ("labelled", "neg\t")):
        file = _written(tmp_path / f"{name}.tsv.gz", [lead + text for text in stream(320)])
        assert main(["adapt", str(file), str(none), "-o", str(tmp_path / name), "--json"]) == 0
        reports.append(capsys.readouterr().out)
    assert reports[0] == reports[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["adapt", "none.tsv", "labels.tsv", "-o", "t"], "none.tsv: No such file"),
        (["adapt", "stream.tsv", "none.tsv", "-o", "t"], "none.tsv: No such file"),
        (["adapt", "stream.tsv", "labels.tsv", "-o", "no/t"], "name a file that can be written"),
        (["adapt", "stream.tsv", "labels.tsv", "-o", "labels.tsv"], "is an input: name another"),
        (["evaluate", "labels.tsv", "--table", "labels.tsv"], "make one with `adapt`"),
        (["evaluate", "labels.tsv", "--table", "none"], "make one with `adapt`"),
    ],
)
def test_bad_input_is_answered_with_what_to_do(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("stream.tsv").write_text("太差了\n", encoding="utf-8")
    Path("labels.tsv").write_text("neg\t太差了\n", encoding="utf-8")
    assert main(arguments) == 2
    assert says in capsys.readouterr().err
    assert Path("labels.tsv").read_text(encoding="utf-8") == "neg\t太差了\n"


def test_a_table_of_another_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = AccountTable(np.zeros(BUCKETS, np.int16), 1.0, 0.0, (0.0, 0.0, 0.0), "another")
    save_table(tmp_path / "t", table, {})
    test = _written(tmp_path / "test.tsv.gz", _rows(20, 9))
    assert main(["evaluate", str(test), "--table", str(tmp_path / "t")]) == 2
    assert "adapt again" in capsys.readouterr().err


def test_a_damaged_table_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    weights = np.arange(BUCKETS, dtype=np.int64).astype(np.int16)
    path = tmp_path / "t"
    save_table(path, AccountTable(weights, 0.5, 0.25, (0.1, 0.2, 0.0), "m"), {})
    assert np.array_equal(load_table(path).weights, weights)
    whole = path.read_bytes()
    for end in range(0, len(whole), len(whole) // 23):
        path.write_bytes(whole[:end])
        with pytest.raises(UnreadableTableError):
            load_table(path)
