from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.sentiment.commands import COLUMNS, main

_KEYS = {"accuracy", "macro_f1", "auc", "recall_at_100", "n", "classes", "seconds"}


def _labelled(path: Path, lines: list[str]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
    return path


def test_evaluate_prints_one_json_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["neg\t太差了，后悔买", "pos\t非常满意", "neg\t垃圾", "pos\t很好用，推荐"] * 5
    path = _labelled(tmp_path / "set.tsv.gz", lines)
    assert main(["evaluate", str(path), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == _KEYS
    assert figures["n"] == 20
    assert figures["classes"] == ["neg", "pos"]
    assert figures["accuracy"] == figures["auc"] == 1.0


def test_a_set_without_neutral_texts_is_decided_between_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = _labelled(tmp_path / "two.tsv.gz", ["pos\t转发微博", "neg\t转发微博"])
    assert main(["evaluate", str(two), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 0.5
    three = _labelled(tmp_path / "three.tsv.gz", ["neu\t转发微博", "neg\t太差了", "pos\t很满意"])
    assert main(["evaluate", str(three), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["classes"] == ["neg", "neu", "pos"]
    assert figures["accuracy"] == 1.0


def test_malformed_lines_are_reported_with_their_number_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "set.tsv"
    path.write_bytes(
        "neg\t太差\nno tab\nbad\t标签\npos\t\n".encode() + b"pos\t\xff\xfe\n" + "pos\t好\n".encode()
    )
    assert main(["evaluate", str(path), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["n"] == 2
    assert [line.split(":")[1] for line in err.splitlines()[:4]] == ["2", "3", "4", "5"]
    assert "4 malformed lines left out" in err


def test_a_file_without_a_usable_line_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "set.tsv"
    path.write_text("nothing\n", encoding="utf-8")
    assert main(["evaluate", str(path)]) == 1
    assert "no labelled text" in capsys.readouterr().err


def test_a_missing_or_broken_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(tmp_path / "none.tsv")]) == 2
    broken = tmp_path / "broken.tsv.gz"
    broken.write_bytes(gzip.compress(b"neg\tbad\n" * 1_000)[:20])
    assert main(["evaluate", str(broken)]) == 2
    err = capsys.readouterr().err
    assert "none.tsv" in err
    assert "broken.tsv.gz" in err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.csv", 'id,comment\n1,"太差了, 真的"\n2,很满意\n'),
        ("c.tsv", "id\tcomment\n1\t太差了, 真的\n2\t很满意\n"),
        ("c.ndjson", '{"comment": "太差了, 真的"}\n\n{"comment": "很满意", "x": 1}\n'),
    ],
)
def test_score_reads_each_format_by_column_name(tmp_path: Path, name: str, content: str) -> None:
    source, target = tmp_path / name, tmp_path / "out"
    source.write_text(content, encoding="utf-8")
    assert main(["score", str(source), "--column", "comment", "--output", str(target)]) == 0
    lines = target.read_text(encoding="utf-8").splitlines()
    if name.endswith("ndjson"):
        rows = [json.loads(line) for line in lines]
    else:
        rows = list(csv.DictReader(lines, delimiter="," if name.endswith("csv") else "\t"))
    assert tuple(rows[0]) == COLUMNS
    assert [row["tone"] for row in rows] == ["neg", "pos"]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("c.csv", "id,text\n1,好,多\n2,好\n", 2),
        ("c.csv", 'id,text\n1,好\n2,"好"坏\n', 3),
        ("c.tsv", "id\ttext\n1\n2\t好\n", 2),
        ("c.ndjson", '{"text": "好"}\n{"text": 7}\n', 2),
        ("c.ndjson", '{"text": "好"}\n["好"]\n', 2),
        ("c.ndjson", '{"text": "好"}\n{broken\n', 2),
        ("c.ndjson", '{"text": "好"}\n' + "[" * 100_000 + "\n", 2),
    ],
)
def test_score_reports_what_it_cannot_read_and_scores_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, line: int
) -> None:
    source = tmp_path / name
    source.write_text(content, encoding="utf-8")
    assert main(["score", str(source)]) == 0
    out, err = capsys.readouterr()
    assert f"{name}:{line}: " in err
    assert "1 malformed lines left out" in err
    assert "好" not in err
    assert len(out.splitlines()) == (1 if name.endswith("ndjson") else 2)


def test_a_missing_column_is_named_with_those_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "c.csv"
    source.write_text("id,words\n1,好\n", encoding="utf-8")
    assert main(["score", str(source)]) == 2
    assert "'words'" in capsys.readouterr().err


def test_the_commands_run_without_any_setting(tmp_path: Path) -> None:
    source = tmp_path / "c.csv"
    source.write_text("text\n很满意\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "services.sentiment", "score", str(source)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "PYTHONIOENCODING": "utf-8"},
    )
    assert "pos" in done.stdout
