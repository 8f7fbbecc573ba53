"""What happens to a request: roles, refusals, errors, health. Without a socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import httpx
import pytest
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from shared.settings import ROLES, Role, ServiceSettings
from shared.testing.settings import settings_for_tests, token_for
from shared.web.auth import StaffRoute, principal
from shared.web.body import (
    BadContentLengthError,
    BodyTooLargeError,
    ClientGoneError,
    read_body,
    send_response,
)
from shared.web.errors import HttpError, parse_json, unavailable
from shared.web.health import Phase
from shared.web.limits import BODY_LIMIT_BYTES, Limits
from shared.web.service import Service
from shared.web.shell import TRACE

CANARY = "CANARY-51c0"


class ShellSettings(ServiceSettings):
    service: ClassVar[str] = "shelltest"


class Plan(BaseModel):
    name: str
    size: int


async def hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def who(request: Request) -> Response:
    caller = principal(request)
    return JSONResponse({"roles": sorted(caller.roles), "name": caller.name})


async def plan(request: Request) -> Response:
    return JSONResponse({"name": parse_json(Plan, await request.body()).name})


async def fails(_request: Request) -> Response:
    raise ValueError(CANARY)


async def busy(_request: Request) -> Response:
    raise unavailable("log_away", retry_after_s=3)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await send_response(send, 200, await read_body(scope, receive))


async def raw_fails(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ValueError(CANARY)


ROUTES: list[BaseRoute] = [
    Route("/hello", hello),
    Route("/fails", fails),
    Route("/busy", busy),
    Route("/{anything:path}", hello, methods=["PUT"]),
    StaffRoute("/v1/who", who, roles={"viewer", "oncall"}),
    StaffRoute("/v1/plans", plan, roles={"campaigns"}, methods=["POST"]),
]


def service_with(**parts: Any) -> Service:
    settings = settings_for_tests(ShellSettings)
    raw = {"/raw": echo, "/rawfails": raw_fails}
    return Service(settings, **({"routes": ROUTES, "raw_routes": raw} | parts))


def client_of(service: Service) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(service.asgi, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service")


def bearer(role: Role) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_for(role)}"}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(service_with()) as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/who", "/v1/unknown", "/v1/who/", "/%76%31/who"]
)
async def test_nothing_under_v1_answers_without_a_token(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert answer.json()["code"] == "no_token"


@pytest.mark.parametrize("path", ["//v1/who", "/V1/who", "/hello/../v1/who", "/;/v1/who"])
async def test_no_other_spelling_of_a_staff_path_is_let_in(
    client: httpx.AsyncClient, path: str
) -> None:
    scope_path = httpx.URL("http://service").copy_with(raw_path=path.encode())
    assert (await client.get(scope_path)).status_code in {401, 404, 405}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic " + token_for("viewer"),
        "Bearer " + token_for("viewer")[:-1],
        "Bearer " + token_for("viewer") + "x",
        "Bearer " + token_for("viewer").upper(),
        token_for("viewer"),
        "Bearer " + "x" * 5000,
        "Bearer \u00ff\u00fe",
    ],
)
async def test_a_token_that_is_not_exactly_known_is_refused(
    client: httpx.AsyncClient, value: str
) -> None:
    answer = await client.get("/v1/who", headers={b"Authorization": value.encode("latin-1")})
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("role", sorted(ROLES))
async def test_a_route_lets_in_the_roles_that_it_declares(
    client: httpx.AsyncClient, role: Role
) -> None:
    answer = await client.get("/v1/who", headers=bearer(role))
    if role in {"viewer", "oncall"}:
        assert answer.json()["roles"] == [role]
        assert token_for(role) not in answer.text
    else:
        assert answer.status_code == 403
        assert answer.json()["code"] == "wrong_role"


async def test_a_public_route_never_answers_for_a_staff_path(client: httpx.AsyncClient) -> None:
    assert (await client.put("/anything/at/all")).text == "hello"
    answer = await client.put("/v1/anything", headers=bearer("viewer"))
    assert answer.status_code == 404


async def test_a_staff_request_is_logged_with_a_caller_and_without_the_token(
    client: httpx.AsyncClient,
) -> None:
    with capture_logs() as lines:
        await client.get("/v1/who", headers=bearer("viewer"))
        await client.get("/hello")
    (line,) = [line for line in lines if line["event"] == "http.staff.request"]
    assert line["route"] == "/v1/who"
    assert line["status"] == 200
    assert line["caller"].startswith("staff-")
    assert token_for("viewer") not in str(line)


@pytest.mark.parametrize(
    "route",
    [
        Route("/v1/open", hello),
        Route("/v1", hello),
        StaffRoute("/v1/nobody", who, roles=()),
        StaffRoute("/v1/stranger", who, roles={"emperor"}),  # type: ignore[arg-type]  # what is tested
        StaffRoute("/v2/elsewhere", who, roles={"viewer"}),
        Mount("/", routes=[Route("/v1/hidden", hello)]),
    ],
)
def test_a_route_that_could_be_open_by_mistake_is_refused_at_the_start(route: BaseRoute) -> None:
    with pytest.raises(ValueError, match=r"route|role|mount"):
        service_with(routes=[route])


@pytest.mark.parametrize("prefix", ["/v1", "/v1/raw", "/a/b", "raw", "/"])
def test_a_raw_route_is_one_public_segment(prefix: str) -> None:
    with pytest.raises(ValueError, match="raw route"):
        service_with(raw_routes={prefix: echo})


async def test_an_error_nobody_foresaw_tells_nothing(client: httpx.AsyncClient) -> None:
    for path in ("/fails", "/rawfails/x"):
        with capture_logs() as lines:
            answer = await client.get(path)
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert CANARY not in answer.text
        assert "Traceback" not in answer.text
        assert [line["event"] for line in lines] == ["http.request.failed"]


async def test_a_foreseen_error_is_a_short_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/busy")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "3"
    assert answer.json() == {
        "title": "Service Unavailable",
        "status": 503,
        "code": "log_away",
        "detail": "Try again shortly.",
    }


async def test_a_wrong_body_is_explained_by_field_without_its_values(
    client: httpx.AsyncClient,
) -> None:
    wrong = {"name": [CANARY], "size": CANARY}
    answer = await client.post("/v1/plans", json=wrong, headers=bearer("campaigns"))
    assert answer.status_code == 422
    assert "name: " in answer.json()["detail"]
    assert "size: " in answer.json()["detail"]
    assert CANARY not in answer.text
    broken = await client.post("/v1/plans", content=b'{"a', headers=bearer("campaigns"))
    assert broken.status_code == 422


async def test_unknown_paths_and_methods_are_told_apart(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nowhere")).status_code == 405  # the catch-all route takes PUT
    answer = await client.post("/hello")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


async def test_a_body_over_the_limit_is_refused_on_every_kind_of_route(
    client: httpx.AsyncClient,
) -> None:
    large = b"x" * (BODY_LIMIT_BYTES + 1)
    for path in ("/raw/x", "/hello", "/v1/plans"):
        answer = await client.request(
            "POST" if "hello" not in path else "GET",
            path,
            content=large,
            headers=bearer("campaigns"),
        )
        assert answer.status_code == 413, path
    exact = await client.post("/raw/x", content=large[:-1])
    assert len(exact.content) == BODY_LIMIT_BYTES


async def test_requests_beyond_the_limit_get_503_and_probes_still_answer() -> None:
    gate = asyncio.Event()
    arrived = asyncio.Event()

    async def waits(_scope: Scope, _receive: Receive, send: Send) -> None:
        arrived.set()
        await gate.wait()
        await send_response(send, 200)

    service = service_with(raw_routes={"/waits": waits}, limits=Limits(max_in_flight=1))
    async with client_of(service) as client:
        first = asyncio.create_task(client.get("/waits"))
        await arrived.wait()
        refused = await client.get("/waits")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["code"] == "busy"
        assert (await client.get("/livez")).status_code == 200
        gate.set()
        assert (await first).status_code == 200
        assert (await client.get("/waits")).status_code == 200
    sample = service.meter.registry.get_sample_value
    assert sample("fan_http_refused_total", {"reason": "busy"}) == 1


async def test_staff_webhooks_and_public_pages_never_take_each_others_places() -> None:
    gate = asyncio.Event()

    async def raw_waits(_scope: Scope, _receive: Receive, send: Send) -> None:
        await gate.wait()
        await send_response(send, 200)

    async def waits(_request: Request) -> Response:
        await gate.wait()
        return Response()

    service = service_with(
        raw_routes={"/raw": raw_waits},
        routes=[Route("/page", waits), StaffRoute("/v1/waits", waits, roles={"oncall"})],
        limits=Limits(max_in_flight=1),
    )
    waiting: list[asyncio.Task[httpx.Response]] = []
    async with client_of(service) as client:
        for place, (path, headers) in enumerate(
            [("/raw", {}), ("/page", {}), ("/v1/waits", bearer("oncall"))]
        ):
            waiting.append(asyncio.create_task(client.get(path, headers=headers)))
            async with asyncio.timeout(10):
                while service.asgi.in_flight <= place:
                    await asyncio.sleep(0)
            assert (await client.get(path, headers=headers)).json()["code"] == "busy"
        gate.set()
        assert {(await one).status_code for one in waiting} == {200}


async def test_probes_have_places_of_their_own_and_livez_always_answers() -> None:
    gate = asyncio.Event()
    service = service_with(readiness={"log": gate.wait}, limits=Limits(max_probes=1))
    async with client_of(service) as client:
        first = asyncio.create_task(client.get("/readyz"))
        async with asyncio.timeout(10):
            while (await client.get("/metrics")).status_code != 503:
                await asyncio.sleep(0)
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/hello")).status_code == 200
        gate.set()
        assert (await first).status_code == 200
        assert (await client.get("/metrics")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/raw", "/hello", "/nothing", "/v1/who", "/fails", "/livez", "/readyz", "/metrics"]
)
async def test_no_browser_may_guess_what_an_answer_is(client: httpx.AsyncClient, path: str) -> None:
    for headers in ({}, bearer("viewer")):
        answer = await client.get(path, headers=headers)
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_before_it_runs_and_while_it_stops_a_service_says_503() -> None:
    service = service_with()
    async with client_of(service) as client:
        for phase in (Phase.STARTING, Phase.STOPPING):
            service.health.phase = phase
            answer = await client.get("/hello")
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert (await client.get("/livez")).json()["phase"] == phase.value
            assert (await client.get("/readyz")).status_code == 503


async def test_readiness_names_what_is_missing_and_recovers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.web.health.REMEMBER_S", 0.0)
    monkeypatch.setattr("shared.web.health.CHECK_TIMEOUT_S", 0.05)
    broken = True

    async def store() -> None:
        if broken:
            raise ConnectionRefusedError(CANARY)

    async def log() -> None:
        if broken:
            await asyncio.Event().wait()

    async def lease() -> bool:
        return not broken

    async def partitions() -> bool | str:
        return "corrupt_batch" if broken else True

    async def well() -> None: ...

    checks = {"store": store, "log": log, "model": well, "lease": lease, "partitions": partitions}
    service = service_with(readiness=checks)
    async with client_of(service) as client:
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        told = answer.json()
        assert told["missing"] == ["lease", "log", "partitions", "store"]
        assert told["dependencies"] == {
            "store": "ConnectionRefusedError",
            "log": "no answer in 0.05 s",
            "model": "ok",
            "lease": "not well",
            "partitions": "corrupt_batch",
        }
        assert CANARY not in answer.text
        up = service.meter.registry.get_sample_value
        assert up("fan_dependency_up", {"dependency": "store"}) == 0
        assert up("fan_dependency_up", {"dependency": "model"}) == 1
        broken = False
        assert (await client.get("/readyz")).status_code == 200
        assert up("fan_dependency_up", {"dependency": "store"}) == 1


async def test_a_dispensable_dependency_is_named_and_the_service_stays_ready() -> None:
    async def away() -> bool:
        return False

    service = service_with(readiness={"store": away}, dispensable=frozenset({"store"}))
    async with client_of(service) as client:
        answer = await client.get("/readyz")
        assert answer.status_code == 200
        assert answer.json()["missing"] == ["store"]


async def test_many_probes_look_at_a_dependency_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.web.health.REMEMBER_S", 60.0)
    looks: list[int] = []

    async def store() -> None:
        looks.append(1)

    async with client_of(service_with(readiness={"store": store})) as client:
        answers = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(looks) == 1


async def test_metrics_count_by_the_routes_pattern_and_never_by_the_path() -> None:
    service = service_with()
    async with client_of(service) as client:
        await client.get("/hello")
        await client.get(f"/raw/{CANARY}")
        await client.post(f"/{CANARY}")
        await client.request(CANARY.replace("-", "").upper(), f"/{CANARY}")
        exposed = (await client.get("/metrics")).text
    assert 'fan_http_requests_total{method="GET",route="/hello",status="200"} 1.0' in exposed
    assert 'fan_http_requests_total{method="GET",route="/raw",status="200"} 1.0' in exposed
    assert 'route="unmatched"' in exposed
    assert 'method="other"' in exposed
    assert CANARY not in exposed
    assert "fan_http_in_flight_requests 0.0" in exposed


async def test_a_trace_goes_on_from_the_callers_header() -> None:
    seen: list[Any] = []

    async def keeps(request: Request) -> Response:
        seen.append(request.scope["state"][TRACE])
        return Response()

    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with client_of(service_with(routes=[Route("/keeps", keeps)])) as client:
        await client.get("/keeps", headers={"traceparent": caller})
        await client.get("/keeps")
    assert seen[0].trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert seen[0].span_id != "b7ad6b7169203331"
    assert seen[1].trace_id != seen[0].trace_id


def channel(*messages: Message) -> Receive:
    pending = list(messages)

    async def receive() -> Message:
        if not pending:
            await asyncio.Event().wait()
        return pending.pop(0)

    return receive


def request_scope(**headers: str) -> Scope:
    named = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    return {"type": "http", "headers": named}


def part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_pieces_is_put_together() -> None:
    receive = channel(part(b"a", more=True), part(b"", more=True), part(b"bc", more=False))
    assert await read_body(request_scope(), receive, limit=3) == b"abc"


async def test_too_much_is_refused_by_its_announcement_before_a_byte_is_read() -> None:
    async def untouched() -> Message:
        raise AssertionError

    for length in ("5", "99999999999999999999999999"):
        with pytest.raises(BodyTooLargeError, match="4 bytes"):
            await read_body(request_scope(content_length=length), untouched, limit=4)


async def test_too_much_is_refused_while_it_comes() -> None:
    receive = channel(part(b"ab", more=True), part(b"cde", more=True))
    with pytest.raises(BodyTooLargeError, match="4 bytes"):
        await read_body(request_scope(), receive, limit=4)


@pytest.mark.parametrize("length", ["", "-1", "1e3", "0x10", "４"])
async def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(BadContentLengthError):
        await read_body(request_scope(content_length=length), channel(), limit=4)


async def test_a_client_that_goes_away_is_told_apart() -> None:
    receive = channel(part(b"a", more=True), {"type": "http.disconnect"})
    with pytest.raises(ClientGoneError):
        await read_body(request_scope(), receive)


def test_an_http_error_can_be_raised_with_headers() -> None:
    error = HttpError(409, "already", "Once is enough.", {"X-Hint": "no"})
    assert (b"x-hint", b"no") in error.raw_headers
