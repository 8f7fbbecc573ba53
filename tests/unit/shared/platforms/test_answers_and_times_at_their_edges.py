"""Which answers of a platform say nothing certain, and what its times mean, to the minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from shared.platforms import calls
from shared.platforms.calls import UNREADABLE_CODE, Answer, read_code, read_date
from shared.platforms.outcomes import Reason, Unknown
from shared.platforms.weibo.messages import read_time, write_time


async def answered(status: int, content: bytes = b'{"errcode":0}') -> object:
    def reply(_request: httpx.Request) -> httpx.Response:
        headers = {"date": "Tue, 15 Nov 1994 08:12:31 GMT"}
        return httpx.Response(status, content=content, headers=headers)

    async with httpx.AsyncClient(transport=httpx.MockTransport(reply)) as http:
        return await calls.call(http, http.build_request("POST", "https://api.example/send"))


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 599])
async def test_an_error_of_the_server_leaves_the_outcome_unknown_from_500_on(status: int) -> None:
    found = await answered(status)
    assert isinstance(found, Unknown)
    assert (found.reason, found.code) == (Reason.SERVER_ERROR, status)
    assert found.platform_time == datetime(1994, 11, 15, 8, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 400, 403, 429, 499])
async def test_an_answer_below_500_is_read(status: int) -> None:
    found = await answered(status)
    assert isinstance(found, Answer)
    assert (found.status, found.body) == (status, {"errcode": 0})


@pytest.mark.parametrize("content", [b"", b"[]", b'"ok"', b"<html>", b"\xff", b"[" * 9_000])
async def test_an_answer_that_is_no_json_object_leaves_the_outcome_unknown(content: bytes) -> None:
    found = await answered(200, content)
    assert isinstance(found, Unknown)
    assert (found.reason, found.code) == (Reason.UNREADABLE, 200)


def test_an_error_code_may_be_digits_and_is_never_guessed() -> None:
    codes = {45015: 45015, "45015": 45015, 0: 0, "0": 0, -1: -1, "-1": -1}
    assert {code: read_code(code) for code in codes} == codes
    for code in ("busy", "", None, [1], {"a": 1}, True, False, 0.0, "0.0", " 0", "٠"):
        assert read_code(code) == UNREADABLE_CODE, code


def test_an_answer_without_a_code_says_none() -> None:
    def code(body: dict[str, Any]) -> int | None:
        return Answer(200, body, None).code("errcode", "error_code")

    assert code({}) is None
    assert code({"message": "ok"}) is None
    assert code({"error_code": 7}) == 7
    assert code({"errcode": 0, "error_code": 7}) == 0, "the first name that is there"
    assert code({"errcode": None}) == UNREADABLE_CODE


def test_a_date_without_a_zone_or_that_is_none_is_not_believed() -> None:
    assert read_date("Tue, 15 Nov 1994 08:12:31 -0000") is None
    assert read_date("yesterday") is None
    assert read_date("") is None
    assert read_date(None) is None


@pytest.mark.parametrize(
    ("zone", "minutes"),
    [
        ("+0000", 0),
        ("+0800", 480),
        ("+0530", 330),
        ("-0330", -210),
        ("-0030", -30),
        ("+0059", 59),
        ("+1245", 765),
    ],
)
def test_the_minutes_of_a_zone_count_like_its_hours(zone: str, minutes: int) -> None:
    local = datetime(2012, 7, 16, 18, 9, 20, tzinfo=UTC)
    found = read_time(f"Mon Jul 16 18:09:20 {zone} 2012")
    assert found == local - timedelta(minutes=minutes)
    east = timezone(timedelta(minutes=minutes))
    assert write_time(local.astimezone(east)).split()[4] == zone
    assert read_time(write_time(local.astimezone(east))) == local


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon Jul 16 18:09:20 +0800",
        "Mon Jul 16 18:09:20 +0800 2012 AD",
        "Mon Jul 16 18:09:20 0800 2012",
        "Mon Jul 16 18:09:20 +08:00 2012",
        "Mon Jul 16 18:09:20 +2460 2012",
        "Mon Jul 32 18:09:20 +0800 2012",
        "Mon Jux 16 18:09:20 +0800 2012",
        "Mon Jul 16 18:09 +0800 2012",
        "Mon Jul 16 18:09:60 +0800 2012",
    ],
)
def test_what_is_no_time_of_weibos_is_none(text: str) -> None:
    assert read_time(text) is None
