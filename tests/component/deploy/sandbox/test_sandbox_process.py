"""The sandbox as its own process: it starts from its file, serves, and its books outlive it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import yaml

from deploy.local.parts.ports import free_port

from .conftest import ROBOT_KEY, SERVICE, config

ROOT = Path(__file__).parents[4]
DEADLINE_S = 20


class Webhook(BaseHTTPRequestHandler):
    """A service that acknowledges each push."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "7")
        self.end_headers()
        self.wfile.write(b"success")

    def log_message(self, *_args: object) -> None:
        """Stay silent."""


@pytest.fixture
def webhook_url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Webhook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _page(client: httpx.Client, timeout: float = DEADLINE_S) -> httpx.Response:
    return client.post(
        "/wecom/cgi-bin/webhook/send",
        params={"key": ROBOT_KEY},
        json={"msgtype": "text", "text": {"content": "告警"}},
        timeout=timeout,
    )


def _wait_until_healthy(client: httpx.Client) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            client.get("/_health").raise_for_status()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            threading.Event().wait(0.05)
        else:
            return


def test_the_process_serves_pushes_and_keeps_books_over_a_kill(
    tmp_path: Path, webhook_url: str
) -> None:
    settings = config().model_dump(mode="json")
    settings["wechat"][0]["webhook"] = f"{webhook_url}/wechat/{SERVICE}"
    file = tmp_path / "sandbox.yaml"
    file.write_text(yaml.safe_dump(settings), "utf-8")
    port = free_port()
    command = [sys.executable, "-m", "deploy.sandbox", "--port", str(port), "--config", str(file)]
    process = subprocess.Popen([*command, "--books", str(tmp_path / "books")], cwd=ROOT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            _wait_until_healthy(client)
            action = {"account": SERVICE, "kind": "subscribe", "fan": "o1"}
            sent = client.post("/_story/send", json=action, timeout=DEADLINE_S).json()
            assert sent["verdict"] == "acknowledged"
            answer = _page(client)
            assert answer.json()["errcode"] == 0
            assert len(answer.headers.get_list("date")) == 1
            fault = {"path": "/wecom/cgi-bin/webhook/send", "fault": "hang_after"}
            control = client.post("/_control", json={"faults": [fault]}, timeout=DEADLINE_S)
            control.raise_for_status()
            with pytest.raises(httpx.ReadTimeout):
                _page(client, timeout=0.5)
            assert _page(client).json()["errcode"] == 0
            process.kill()
    finally:
        process.kill()
        process.wait()
    lines = (tmp_path / "books" / "books.ndjson").read_text("utf-8").splitlines()
    assert [json.loads(line)["entry"] for line in lines] == ["reset", "webhook", *["call"] * 3]
    assert json.loads(lines[-1])["message"]["text"]["content"] == "告警"
