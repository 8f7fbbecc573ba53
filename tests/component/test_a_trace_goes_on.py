"""A webhook's trace goes on to the tag, the push, the incident and the page that come of it."""

from __future__ import annotations

from structlog.contextvars import get_contextvars

from services.ingest.domain.incoming import Incoming
from services.segmenter.domain.rules_file import parse_rules
from services.segmenter.handlers import TagHandler
from shared.events.envelope import from_headers
from shared.kafka.ports import OutgoingRecord
from shared.kafka.runner import Runner
from shared.kafka.writer import DocumentWriter
from shared.observe.logs import traced
from shared.observe.traces import Trace
from shared.testing.memory_log import MemoryConsumer, MemoryPublisher, drive, record_of
from shared.testing.memory_store import MemoryGuardedStore, MemoryPartitionBooks
from shared.testing.silent_observer import SilentObserver
from tests.component.notifier.test_pushes_are_held_or_dropped import follow
from tests.component.notifier.test_single_pushes_survive_crashes import wrote
from tests.component.sentiment.incident_world import World as Comments
from tests.support.notifier_world import World as Pushes
from tests.support.segmenter_fakes import RecordingNotes

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
OTHER = Trace("1af7651916cd43dd8448eb211c80319d", "c7ad6b7169203331")
RULES = "tags: [{tag: asks, kind: keywords, any_of: [price]}]"


def trace_ids(records: list[OutgoingRecord]) -> list[str]:
    found = [Trace.parse(from_headers(record.headers).traceparent) for record in records]
    return [trace.trace_id if trace else "" for trace in found]


async def test_a_tag_goes_on_with_the_trace_of_the_message_that_gave_it() -> None:
    publisher, consumer = MemoryPublisher(), MemoryConsumer("fan-events.v1")
    handler = TagHandler(parse_rules(RULES, "tags.yaml"), RecordingNotes())
    runner = Runner(
        handler, MemoryGuardedStore(), MemoryPartitionBooks(), publisher,
        observer=SilentObserver(), service="segmenter", topic="fan-events.v1", epoch="1",
    )  # fmt: skip
    event = wrote("f1", 1_795_233_600_000, "price?")
    consumer.append(record_of(event, "m1", traceparent=TRACE.traceparent))
    await drive(runner, consumer)
    assert trace_ids(publisher.of("tag-changes.v1")) == [TRACE.trace_id]


async def test_a_push_goes_on_with_the_trace_of_the_tag_that_triggered_it() -> None:
    world = Pushes()
    await world.campaign()
    await follow(world, "f1", "old")
    await world.tag("f1", "new", at=world.clock.wall, trace=TRACE.traceparent.encode())
    await world.run()
    assert world.row("f1").trace == TRACE.traceparent
    rows = world.books.rows
    assert isinstance(rows, DocumentWriter)
    await rows.relay()
    sent = world.publisher.of("push-outcomes.v1")
    assert {from_headers(record.headers).type for record in sent} == {"PushSent"}
    assert set(trace_ids(sent)) == {TRACE.trace_id}


async def test_an_incident_and_its_escalations_go_on_with_the_trace_of_a_comment() -> None:
    world = Comments()
    process = world.process()
    for person in range(5):
        trace = TRACE if person < 4 else OTHER
        at = world.now + person
        world.say(person, f"食物中毒了{person}", at=at, traceparent=trace.traceparent)
    await process.work()
    world.wait(61)
    await process.work()
    told = world.publisher.of("incidents.v1")
    kinds = [from_headers(record.headers).type for record in told]
    assert kinds[:2] == ["IncidentOpened", "IncidentEscalated"]
    assert set(trace_ids(told)) == {OTHER.trace_id}, "of the comment that came last"
    assert world.incidents[0].trace == OTHER.traceparent


def test_lines_of_the_log_inside_a_trace_name_it() -> None:
    with traced(TRACE.traceparent):
        assert get_contextvars()["trace_id"] == TRACE.trace_id
    with traced("nonsense"):
        assert "trace_id" not in get_contextvars()


def test_a_webhooks_event_begins_a_trace_and_its_re_send_joins_it() -> None:
    event = wrote("f1", 1_795_233_600_000, "price?")
    first, again = (
        Trace.parse(Incoming(event, "ab" * 16, "/wechat/gh_1/door").envelope().traceparent)
        for _ in range(2)
    )
    assert first is not None
    assert first == again
    assert first.trace_id == "ab" * 16
