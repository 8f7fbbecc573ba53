"""No secret and no fan's words reach a log, whichever way they try."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
import stamina
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from shared.errors import TransientError
from shared.observe.logs import bound, configure_logs, get_logger, log_lost_errors
from shared.observe.redact import MASK, describe, mask_text, redact
from shared.retry import RetryPolicy, retrying
from shared.settings import ServiceSettings
from shared.testing.settings import settings_for_tests

CANARY = "CANARY-7f3a9e"
Lines = Callable[[], list[dict[str, Any]]]


class Words(BaseModel):
    said: str


class LogSettings(ServiceSettings):
    service: ClassVar[str] = "logtest"


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs(settings_for_tests(LogSettings), stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_a_line_is_json_with_its_ids(lines: Lines) -> None:
    with bound(trace_id="abc"):
        get_logger("here").info("segmenter.tag.assigned", tag="新客", count=3)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "segmenter.tag.assigned",
        "level": "info",
        "service": "logtest",
        "source": "here",
        "trace_id": "abc",
        "tag": "新客",
        "count": 3,
    }


def test_lines_below_the_level_are_not_written(lines: Lines) -> None:
    get_logger("here").debug("too.fine")
    assert lines() == []


@pytest.mark.parametrize(
    "told",
    [
        {"token": CANARY},
        {"access_token": CANARY},
        {"AppSecret": CANARY},
        {"headers": {"Authorization": CANARY}},
        {"body": CANARY},
        {"text": CANARY},
        {"content": CANARY.encode()},
        {"raw": CANARY.encode()},
        {"setting": SecretStr(CANARY)},
        {"nested": [{"deep": {"password": CANARY}}]},
        {"url": f"https://api.example/cgi?access_token={CANARY}&x=1"},
        {"url": f"https://hook.example/send?key={CANARY}"},
        {"url": f"https://open.feishu.example/open-apis/bot/v2/hook/{CANARY}"},
        {"url": f"mongodb://user:{CANARY}@store/db"},
        {"header": f"Bearer {CANARY}"},
        {"error": ValueError(CANARY)},
        {"nested": {1: {2: {3: {4: {5: {6: CANARY}}}}}}},
        {"object": Words(said=CANARY)},
    ],
)
def test_a_secret_is_masked_wherever_it_stands(lines: Lines, told: dict[str, Any]) -> None:
    get_logger("here").warning("something.happened", **told)
    (line,) = lines()
    assert CANARY not in json.dumps(line)
    assert line["event"] == "something.happened"


def test_an_exception_tells_its_type_and_place_but_not_its_words(lines: Lines) -> None:
    class Wire(BaseModel):
        number: int

    try:
        try:
            Wire.model_validate_json(json.dumps({"number": CANARY}))
        except ValueError as error:
            raise RuntimeError(CANARY) from error
    except RuntimeError as error:
        get_logger("here").error("it.failed", exc_info=error)
    (line,) = lines()
    assert CANARY not in json.dumps(line)
    assert line["error"] == "builtins.RuntimeError"
    assert [cause["type"] for cause in line["causes"]] == [
        "builtins.RuntimeError",
        "pydantic_core._pydantic_core.ValidationError",
    ]
    assert any(__name__.rpartition(".")[2] in place for place in line["causes"][0]["at"])


def test_our_own_errors_and_the_systems_may_speak() -> None:
    told = describe(TransientError("the store is away"))
    assert told["causes"][0]["says"] == "the store is away"
    assert describe(ConnectionRefusedError(111, "refused"))["causes"][0]["says"] == "refused"


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert len(describe(first)["causes"]) == 2


def test_libraries_speak_through_the_same_chain(lines: Lines) -> None:
    logging.getLogger("httpx").info("GET https://api.example/?access_token=%s", CANARY)
    logging.getLogger("some.library").warning("failed https://a/?access_token=%s", CANARY)
    (line,) = lines()
    assert line["source"] == "some.library"
    assert line["service"] == "logtest"
    assert line["event"] == f"failed https://a/?access_token={MASK}"


def test_an_exception_of_a_library_is_described_like_ours(lines: Lines) -> None:
    try:
        int(CANARY)
    except ValueError:
        logging.getLogger("some.library").exception("broken")
    (line,) = lines()
    assert line["error"] == "builtins.ValueError"
    assert CANARY not in json.dumps(line)


def test_a_library_says_the_same_thing_once_in_a_while(lines: Lines) -> None:
    for attempt in range(5):
        logging.getLogger("some.library").warning("can't connect, attempt %d", attempt)
    assert len(lines()) == 1


async def test_what_nobody_awaited_is_logged_like_everything_else(lines: Lines) -> None:
    loop = asyncio.get_running_loop()
    log_lost_errors(loop)
    loop.call_exception_handler({"message": "Task exception", "exception": ValueError(CANARY)})
    (line,) = lines()
    assert line["event"] == "asyncio.unhandled"
    assert line["error"] == "builtins.ValueError"
    assert CANARY not in json.dumps(line)


async def test_a_retry_is_logged_without_its_arguments(lines: Lines) -> None:
    tries = []

    async def call(_token: str) -> None:
        tries.append(1)
        if len(tries) < 2:
            raise TransientError(CANARY)

    with stamina.set_testing(testing=True, attempts=3):
        await retrying(RetryPolicy(attempts=3), on=TransientError)(call, CANARY)
    (line,) = lines()
    assert line["event"] == "retry.scheduled"
    assert line["error"] == "TransientError"
    assert CANARY not in json.dumps(line)


def test_half_a_surrogate_pair_and_a_long_text_are_written(lines: Lines) -> None:
    get_logger("here").info("odd.text", half="\ud83d", tag="长" * 10_000)
    (line,) = lines()
    assert line["half"] == "\\ud83d"
    assert len(line["tag"]) < 3_000


@given(st.text(max_size=200))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = mask_text(text)
    assert mask_text(once) == once


@given(st.text(alphabet="abcdefghijkABC0189-_.~%", min_size=8, max_size=60))
def test_no_value_of_a_token_in_a_query_survives(value: str) -> None:
    masked = mask_text(f"https://api.example/a?access_token={value}&next=1")
    assert masked == f"https://api.example/a?access_token={MASK}&next=1"


@given(
    st.dictionaries(
        st.sampled_from(["token", "a", "text", "event", "b"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
            max_leaves=10,
        ),
    )
)
def test_whatever_is_logged_ends_as_plain_json(told: dict[str, Any]) -> None:
    keys = set(told)
    assert set(redact(told)) == keys
    json.dumps(told, ensure_ascii=False).encode()
