"""W3C trace context, made and read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.observe.traces import Trace

# The example of W3C Trace Context, section 3.2.
EXAMPLE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_example_of_the_standard_is_read_and_written_back() -> None:
    trace = Trace.parse(EXAMPLE)
    assert trace == Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", 1)
    assert trace is not None
    assert trace.traceparent == EXAMPLE


def test_a_child_keeps_the_trace_and_has_its_own_span() -> None:
    parent = Trace.new()
    child = parent.child()
    assert child.trace_id == parent.trace_id
    assert child.flags == parent.flags
    assert child.span_id != parent.span_id


def test_whatever_we_make_can_be_read() -> None:
    for trace in (Trace.new() for _ in range(1000)):
        assert Trace.parse(trace.traceparent) == trace


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        EXAMPLE.upper(),
        EXAMPLE + "-more",
        EXAMPLE + "\n",
        " " + EXAMPLE,
        EXAMPLE.replace("00-", "ff-", 1),
        EXAMPLE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        EXAMPLE.replace("b7ad6b7169203331", "0" * 16),
        EXAMPLE.replace("a", "g"),
        "01-" + EXAMPLE[3:] + "x",
        "01-" + EXAMPLE[3:] + "-" + "y" * 300,
    ],
)
def test_what_the_standard_forbids_starts_a_new_trace(header: str) -> None:
    assert Trace.parse(header) is None
    assert Trace.of(header).trace_id != "0af7651916cd43dd8448eb211c80319c"


def test_a_later_version_may_say_more() -> None:
    trace = Trace.parse("01-" + EXAMPLE[3:] + "-what-comes-later")
    assert trace is not None
    assert trace.trace_id == "0af7651916cd43dd8448eb211c80319c"


@given(st.text())
def test_no_header_whatsoever_raises(header: str) -> None:
    trace = Trace.of(header)
    assert Trace.parse(trace.traceparent) == trace
