"""The sandbox's own interface is for programs of this machine, not for pages in its browser."""

from __future__ import annotations

import stat
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from deploy.sandbox.app import create_app
from deploy.sandbox.loopback import OWN_PREFIX
from tests.component.deploy.sandbox.conftest import SERVICE, Stage

ACTION = {"account": SERVICE, "kind": "text", "fan": "o1", "text": "x"}


def paths(stage: Stage) -> list[tuple[str, str]]:
    """Every route of its own, whatever there is today."""
    found = [
        (method, route.path)
        for route in create_app(stage.world).routes
        if isinstance(route, Route) and route.path.startswith(OWN_PREFIX)
        for method in route.methods or ()
    ]
    assert len(found) > 6
    return found


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:8090"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost.evil.example:80"},
        {"host": "10.0.0.1"},
        {"host": ""},
        {"origin": "https://evil.example"},
        {"origin": "http://localhost.evil.example"},
        {"origin": "null"},
        {"origin": ""},
    ],
)
async def test_foreign_hosts_and_origins_are_refused_on_every_route(
    stage: Stage, headers: dict[str, str]
) -> None:
    for method, path in paths(stage):
        body = ACTION if method == "POST" else None
        answer = await stage.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 403, (method, path)
    assert stage.service.requests == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_what_a_foreign_page_can_post_unasked_is_refused(
    stage: Stage, kind: str | None
) -> None:
    headers = {} if kind is None else {"content-type": kind}
    for method, path in paths(stage):
        if method == "POST":
            answer = await stage.client.post(path, content=b"{}", headers=headers)
            assert answer.status_code == 415, path


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost:8090"},
        {"host": "[::1]:8090"},
        {"host": "127.0.0.2"},
        {"origin": "http://127.0.0.1:3000"},
        {"content-type": "application/json; charset=utf-8"},
    ],
)
async def test_programs_of_this_machine_are_served(stage: Stage, headers: dict[str, str]) -> None:
    answer = await stage.client.post("/_story/send", json=ACTION, headers=headers)
    assert answer.status_code == 200
    assert (await stage.client.get("/_books")).status_code == 200


async def test_two_hosts_are_refused(stage: Stage) -> None:
    request = httpx.Request("GET", "http://127.0.0.1/_books", headers=[("host", "127.0.0.1")] * 2)
    assert (await stage.client.send(request)).status_code == 403


async def test_the_platforms_paths_are_not_its_concern(stage: Stage) -> None:
    answer: Any = await stage.client.post(
        "/wechat/cgi-bin/stable_token", json={}, headers={"host": "api.weixin.qq.com"}
    )
    assert answer.status_code == 200


async def test_the_books_are_their_owners_alone(stage: Stage) -> None:
    assert stat.S_IMODE(stage.books_file.stat().st_mode) == 0o600
