"""The page behind the link and the staff API, over HTTP on fakes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.sentiment.domain.incidents.usual import Prior
from services.sentiment.domain.paging.links import sign
from services.sentiment.routes import IncidentRoutes
from services.sentiment.settings import SentimentSettings
from shared.errors import TransientError
from shared.testing.settings import settings_for_tests, token_for
from shared.web.service import Service
from tests.component.sentiment.incident_world import SECRET, Process, World

INCIDENT = "wechat:gh_brand:food_safety:1"


def settings() -> SentimentSettings:
    return settings_for_tests(
        SentimentSettings,
        alerts_file=Path("alerts.yaml"),
        public_url="https://staff.example",
        link_secrets=(SecretStr(SECRET.decode()),),
        author_secret=SecretStr(SECRET.decode()),
    )


@pytest.fixture
async def world() -> World:
    made = World()
    for person in range(5):
        made.say(person, f"食物中毒了<script>alert({person})</script>")
    return made


@pytest.fixture
async def process(world: World) -> Process:
    started = world.process()
    await started.work()
    return started


@pytest.fixture
async def http(world: World, process: Process) -> AsyncIterator[httpx.AsyncClient]:
    routes = IncidentRoutes(
        writer=process.incidents,
        book=world.book,
        rows=world.rows,
        counters=world.counters,
        prior=Prior(),
        language="zh",
        secrets=[SECRET],
        observer=process,
        clock=lambda: world.now,
        changed=process.pager.wake,
    )
    service = Service(settings(), routes=routes.routes())
    transport = httpx.ASGITransport(app=service.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://staff") as client:
        yield client


def link(world: World, incident: str = INCIDENT, *, secret: bytes = SECRET, hours: int = 1) -> str:
    return f"/i/{sign(incident, world.now + hours * 3_600_000, secret)}"


def staff(role: Any = "oncall") -> dict[str, str]:
    return {"Authorization": f"Bearer {token_for(role)}"}


async def test_opening_the_link_shows_the_incident_and_acknowledges_nothing(
    world: World, http: httpx.AsyncClient
) -> None:
    for method in ("GET", "HEAD"):
        answer = await http.request(method, link(world))
        assert answer.status_code == 200
    answer = await http.get(link(world))
    assert "食品安全" in answer.text
    assert "暂无历史数据：按配置的先验判断" in answer.text
    assert world.incidents[0].status == "open"


async def test_the_page_escapes_fans_words_and_forbids_scripts(
    world: World, http: httpx.AsyncClient
) -> None:
    answer = await http.get(link(world))
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_the_button_acknowledges_once_and_leads_back_to_the_page(
    world: World, http: httpx.AsyncClient
) -> None:
    url = link(world)
    for _ in range(2):
        answer = await http.post(url, data={"action": "acknowledge", "who": "王 <b>"})
        assert answer.status_code == 303
        assert answer.headers["location"] == url.rpartition("/")[2]
    (incident,) = world.incidents
    assert (incident.status, incident.acknowledged_by, incident.number) == (
        "acknowledged",
        "王 b",
        2,
    )
    shown = await http.get(url)
    assert "已由 王 b 于" in shown.text
    assert "我来处理" not in shown.text


async def test_the_buttons_resume_promotions_and_end_the_incident(
    world: World, process: Process, http: httpx.AsyncClient
) -> None:
    await http.post(link(world), data={"action": "resume"})
    assert not world.incidents[0].pause_promotions
    assert world.incidents[0].acknowledged_by == "链接"
    await http.post(link(world), data={"action": "resolve", "who": "李"})
    assert world.incidents[0].resolved_by == "李"
    await process.incidents.stop()
    assert [kind for kind, _ in world.announced()] == [
        "IncidentOpened",
        "IncidentAcknowledged",
        "IncidentResolved",
    ]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_is_not_good_shows_nothing_of_incidents(
    world: World, http: httpx.AsyncClient, method: str
) -> None:
    bad = [
        link(world, secret=b"x" * 32),
        link(world, hours=-1),
        link(world, "wechat:gh_brand:food_safety:99"),
        link(world, "nonsense"),
        "/i/nonsense",
    ]
    for url in bad:
        answer = await http.request(method, url, data={"action": "acknowledge"})
        assert answer.status_code == 404
        assert "失效" in answer.text
        assert "食品安全" not in answer.text
    assert world.incidents[0].status == "open"


async def test_an_unknown_button_does_nothing(world: World, http: httpx.AsyncClient) -> None:
    for body in (b"action=delete", b"", b"\xff\xfe", b"&".join([b"a=1"] * 50)):
        answer = await http.post(link(world), content=body)
        assert answer.status_code == 422
    assert world.incidents[0].status == "open"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/incidents"),
        ("GET", f"/v1/incidents/{INCIDENT}"),
        ("POST", f"/v1/incidents/{INCIDENT}/acknowledge"),
        ("POST", f"/v1/incidents/{INCIDENT}/resolve"),
    ],
)
async def test_the_staff_api_needs_a_token_and_a_role(
    world: World, http: httpx.AsyncClient, method: str, path: str
) -> None:
    assert (await http.request(method, path)).status_code == 401
    assert (await http.request(method, path, headers=staff("viewer"))).status_code == 403
    assert (await http.request(method, path, headers=staff("campaigns"))).status_code == 403
    assert world.incidents[0].status == "open"


async def test_the_staff_api_lists_shows_acknowledges_and_resolves(
    world: World, http: httpx.AsyncClient
) -> None:
    listed = (await http.get("/v1/incidents?status=open", headers=staff())).json()["incidents"]
    assert [one["id"] for one in listed] == [INCIDENT]
    assert listed[0]["reason"]["source"] == "prior"
    shown = (await http.get(f"/v1/incidents/{INCIDENT}", headers=staff())).json()
    assert len(shown["samples"]) == 3
    assert [page["state"] for page in shown["pages"]] == ["sent"]
    for action, status in (("acknowledge", "acknowledged"), ("resolve", "resolved")):
        answer = await http.post(f"/v1/incidents/{INCIDENT}/{action}", headers=staff())
        assert answer.json()["status"] == status
    left = (await http.get("/v1/incidents?status=open,acknowledged", headers=staff())).json()
    assert left == {"incidents": []}
    assert world.incidents[0].acknowledged_by.startswith("staff-")


async def test_what_is_not_there_is_said(http: httpx.AsyncClient) -> None:
    asked = [
        ("GET", "/v1/incidents/wechat:gh_brand:price:1", 404),
        ("POST", f"/v1/incidents/{INCIDENT}/delete", 404),
        ("GET", "/v1/incidents?status=lost", 422),
    ]
    for method, path, status in asked:
        assert (await http.request(method, path, headers=staff())).status_code == status


async def test_a_store_that_is_away_is_told_so_that_the_click_is_repeated(
    world: World, http: httpx.AsyncClient
) -> None:
    world.stores["incidents"].failures = [TransientError("away")]
    answer = await http.post(link(world), data={"action": "acknowledge"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert world.incidents[0].status == "open"


async def test_the_link_and_the_api_answer_while_the_log_is_away(
    world: World, process: Process, http: httpx.AsyncClient
) -> None:
    world.publisher.failures = [TransientError("the log is away")] * 1_000
    async with asyncio.timeout(30):  # each would wait for the log, and so for ever
        await http.post(link(world), data={"action": "acknowledge", "who": "王"})
        page = await http.get(link(world))
        listed = await http.get("/v1/incidents", headers=staff())
        shown = await http.get(f"/v1/incidents/{INCIDENT}", headers=staff())
    assert [one.status_code for one in (page, listed, shown)] == [200, 200, 200]
    assert world.incidents[0].acknowledged_by == "王"
    await process.incidents.stop(0)


def hidden_fields(page: str) -> dict[str, str]:
    """What the page's buttons send along."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\d+)">', page))


@pytest.mark.parametrize("action", ["acknowledge", "resume", "resolve"])
async def test_a_click_on_a_page_that_was_overtaken_changes_nothing_and_shows_the_new_one(
    world: World, process: Process, http: httpx.AsyncClient, action: str
) -> None:
    url = link(world)
    seen = hidden_fields((await http.get(url)).text)
    assert seen == {"severity": "3", "people": "5"}
    for person in range(5, 12):
        world.say(person, "食物中毒了")
    await process.work()
    before = world.incidents[0]
    answer = await http.post(url, data={"action": action, **seen})
    assert answer.status_code == 303
    assert world.incidents[0] == before
    shown = await http.get("/i/" + answer.headers["location"])
    assert "又恶化了" in shown.text
    await http.post(url, data={"action": action, **hidden_fields(shown.text)})
    assert world.incidents[0] != before


@pytest.mark.parametrize("seen", [{}, {"severity": "x", "people": "-1"}, {"severity": "9" * 5000}])
async def test_a_click_that_does_not_tell_what_was_seen_counts(
    world: World, http: httpx.AsyncClient, seen: dict[str, str]
) -> None:
    await http.post(link(world), data={"action": "acknowledge", **seen})
    assert world.incidents[0].status == "acknowledged"


async def test_neither_comments_nor_names_become_links_on_the_page(
    world: World, process: Process, http: httpx.AsyncClient
) -> None:
    for person in range(10):
        world.say(person + 20, f"食物中毒了，看 www.evil{person}.example 或打 13800138000")
    await process.work()
    await http.post(link(world), data={"action": "acknowledge", "who": "evil.example"})
    shown = await http.get(link(world))
    assert "evil.example" not in shown.text
    assert "13800138000" not in shown.text
    assert "telephone=no" in shown.text
