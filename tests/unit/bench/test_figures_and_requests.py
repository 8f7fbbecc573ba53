"""The bench's own arithmetic, and that its requests are what the services take."""

from __future__ import annotations

import json
from pathlib import Path

from bench.events import stream
from bench.figures import Figure, Run, compared, save
from bench.requests import clicks
from deploy.local.brand import Brand
from shared.events import MenuClicked


def test_a_ratio_is_taken_pair_by_pair() -> None:
    ours = [Run(10, 2), Run(40, 1), Run(30, 3)]
    floors = [Run(20, 1), Run(20, 1), Run(60, 1)]
    figure = compared("x", "events/s", ours, floors)
    assert (figure.value, figure.floor, figure.ratio, figure.runs) == (30, 20, 0.5, 3)
    assert (figure.cpu_s_per_100k, figure.floor_cpu_s_per_100k) == (2, 1)


def test_a_bench_replaces_its_own_figures_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    save([Figure("a", 1, "ms", 2, 0.5, 1), Figure("b", 1, "ms", 2, 0.5, 1)], path)
    save([Figure("b", 3, "ms", 2, 1.5, 1)], path)
    found = {figure["name"]: figure["value"] for figure in json.loads(path.read_text())}
    assert found == {"a": 1, "b": 3}


def test_the_stream_of_events_is_the_same_every_time() -> None:
    first, second = list(stream(500)), list(stream(500))
    assert first == second
    assert len({event_id for event_id, _ in first}) == 500
    share = sum(isinstance(event, MenuClicked) for _, event in first) / 500
    assert 0.5 < share < 0.7


def test_each_request_is_whole_and_no_two_are_alike() -> None:
    requests = list(clicks(Brand.invent(), 3))
    assert len(set(requests)) == 3
    for raw in requests:
        head, _, body = raw.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        assert length == len(body)
        assert b"msg_signature=" in head
        assert b"<Encrypt>" in body
