from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from services.ingest.domain.articles import (
    NEVER_MS,
    Article,
    Found,
    plan_next_poll,
    understand_comment,
)
from services.ingest.handlers.articles import ArticleHandler, add_article
from services.ingest.handlers.comments import Polled, Poller
from services.ingest.loops import CommentLoop
from services.ingest.metrics import IngestMetrics
from services.ingest.ports import Page
from shared.errors import TransientError
from shared.events import CommentPosted, MassSendAccepted
from shared.kafka.ports import OutgoingRecord
from shared.observe.metrics import Meter
from shared.store.ports import GuardedWrite
from shared.testing.memory_log import MemoryPublisher, feed
from shared.testing.memory_store import MemoryGuardedStore, MemoryLeases

GH = "gh_1"
NOW = 1_764_000_000.0
DOC = f"wechat:{GH}:100:0"
TOPIC = "fan-events.v1"


@dataclass
class FakeComments:
    """An article's comments, newest first; `refusals` answer the next pages instead."""

    comments: list[Found] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    pages: int = 0
    total: Callable[[int, int], int] = lambda length, _page: length
    """What is said of the length, by the true length and the size of the page."""

    def write(self, count: int, openid: str = "o1") -> None:
        for _ in range(count):
            number = len(self.comments) + 1
            self.comments.insert(0, Found(str(number), openid, 1_764_000_000, f"评论{number}"))

    async def read_page(self, article: str, index: int, begin: int) -> Page | str:
        self.pages += 1
        assert (article, index) == ("100", 0)
        if self.refusals:
            return self.refusals.pop(0)
        page = tuple(self.comments[begin : begin + 49])
        return Page(self.total(len(self.comments), len(page)), page)


@dataclass
class World:
    """Everything around a poller, which may be made anew after a crash."""

    store: MemoryGuardedStore = field(default_factory=MemoryGuardedStore)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    publisher: MemoryPublisher = field(default_factory=MemoryPublisher)
    comments: FakeComments = field(default_factory=FakeComments)

    def poller(self, holder: str = "a") -> Poller:
        return Poller(
            store=self.store,
            leases=self.leases,
            publisher=self.publisher,
            comments={GH: self.comments},
            holder=holder,
            every_s=10.0,
        )

    def published(self) -> list[CommentPosted]:
        return [
            CommentPosted.model_validate_json(record.value or b"")
            for record in self.publisher.of(TOPIC)
        ]


@pytest.fixture
async def world() -> World:
    made = World()
    await add_article(made.store, Article(GH, "100", 0, int(NOW * 1000)))
    return made


async def test_new_comments_are_published_once(world: World) -> None:
    world.comments.write(120)
    assert await world.poller().poll(DOC, NOW) == Polled("finished", 120)
    world.comments.write(2)
    assert await world.poller().poll(DOC, NOW + 10) == Polled("finished", 2)
    ids = world.publisher.ids(TOPIC)
    assert len(ids) == len(set(ids)) == 122
    assert {event.comment_id for event in world.published()} == {str(n) for n in range(1, 123)}


@pytest.mark.parametrize("count", [49, 50, 98, 147])
async def test_more_than_a_page_is_read_though_the_total_is_the_pages_size(
    world: World, count: int
) -> None:
    world.comments.write(count)
    world.comments.total = lambda _length, page: page
    assert await world.poller().poll(DOC, NOW) == Polled("finished", count)
    assert len(set(world.publisher.ids(TOPIC))) == count


@pytest.mark.parametrize("count", [1, 2, 6, 48])
async def test_a_total_that_is_too_large_ends_after_one_more_page(world: World, count: int) -> None:
    world.comments.write(count)
    world.comments.total = lambda length, _page: length + 1
    assert await world.poller().poll(DOC, NOW) == Polled("finished", count)
    assert world.comments.pages <= 2
    assert await world.poller().poll(DOC, NOW + 60) == Polled("finished")


async def test_comments_that_cant_be_told_apart_do_not_hold_up_the_others(world: World) -> None:
    world.comments.write(60)
    real = world.comments.read_page

    async def with_a_broken_one(article: str, index: int, begin: int) -> Page | str:
        page = await real(article, index, begin)
        assert isinstance(page, Page)
        kept = tuple(one for one in page.comments if one.comment_id != "30")
        return replace(page, comments=kept, unreadable=len(page.comments) - len(kept))

    world.comments.read_page = with_a_broken_one  # type: ignore[method-assign] # a fake's fault
    polled = await world.poller().poll(DOC, NOW)
    assert (polled.outcome, polled.published, polled.malformed > 0) == ("finished", 59, True)
    assert await world.poller().poll(DOC, NOW + 60) == Polled("finished")


async def test_a_comment_without_an_openid_is_keyed_by_its_own_id(world: World) -> None:
    world.comments.write(1, openid="")
    world.comments.write(1, openid="o7")
    await world.poller().poll(DOC, NOW)
    keys = [record.key for record in world.publisher.of(TOPIC)]
    assert keys == [f"wechat:{GH}:o7".encode(), f"wechat:{GH}:comment-100-0-1".encode()]


@pytest.mark.parametrize("after_pages", [0, 1, 2])
async def test_a_crash_between_pages_makes_no_gap_and_no_second_event(
    world: World, after_pages: int
) -> None:
    world.comments.write(120)
    acknowledged = 0

    async def crash_later(records: Sequence[OutgoingRecord]) -> None:
        nonlocal acknowledged
        if acknowledged == after_pages:
            raise KeyboardInterrupt  # stands for kill -9: nothing after it runs
        acknowledged += 1
        world.publisher.records.extend(records)

    dying = world.poller()
    object.__setattr__(dying.publisher, "publish", crash_later)
    with pytest.raises(KeyboardInterrupt):
        await dying.poll(DOC, NOW)
    del world.publisher.publish
    assert await world.poller("b").poll(DOC, NOW + 61) == Polled("finished", 120)
    assert len(set(world.publisher.ids(TOPIC))) == 120
    assert len({event.comment_id for event in world.published()}) == 120


async def test_a_log_that_does_not_acknowledge_leaves_the_cursor_where_it_was(
    world: World,
) -> None:
    world.comments.write(3)
    world.publisher.failures = [TransientError("no broker")]
    assert await world.poller().poll(DOC, NOW) == Polled("log_unavailable")
    assert world.store.documents[DOC]["known"] == []
    assert await world.poller().poll(DOC, NOW + 60) == Polled("finished", 3)


async def test_a_refusal_half_way_publishes_again_under_the_same_ids(world: World) -> None:
    world.comments.write(100)
    real = world.comments.read_page

    async def refuse_second(article: str, index: int, begin: int) -> Page | str:
        return "timeout" if begin else await real(article, index, begin)

    world.comments.read_page = refuse_second  # type: ignore[method-assign] # a fake's fault
    assert await world.poller().poll(DOC, NOW) == Polled("timeout", 49)
    world.comments.read_page = real  # type: ignore[method-assign] # healed
    assert await world.poller().poll(DOC, NOW + 60) == Polled("finished", 100)
    ids = world.publisher.ids(TOPIC)
    assert len(ids) == 149
    assert len(set(ids)) == 100


async def test_a_comment_that_makes_no_event_does_not_hold_up_the_others(world: World) -> None:
    world.comments.write(2)
    world.comments.comments.insert(0, Found("3", "o1", 10**12, "from the far future"))
    assert await world.poller().poll(DOC, NOW) == Polled("finished", 2, malformed=1)
    assert await world.poller().poll(DOC, NOW + 10) == Polled("finished")


async def test_one_process_at_a_time_reads_an_article(world: World) -> None:
    world.comments.write(1)
    assert await world.leases.acquire(f"comments:{DOC}", "other", 60.0, NOW)
    assert await world.poller().poll(DOC, NOW) == Polled("leased_elsewhere")
    assert world.comments.pages == 0
    assert await world.poller().poll(DOC, NOW + 61) == Polled("finished", 1)


async def test_learning_meanwhile_does_not_lose_the_cursor(world: World) -> None:
    world.comments.write(2)
    real = world.comments.read_page

    async def learn_meanwhile(article: str, index: int, begin: int) -> Page | str:
        version = world.store.documents[DOC]["v"]
        await world.store.write([GuardedWrite(DOC, version, {"published_at": 7})])
        return await real(article, index, begin)

    world.comments.read_page = learn_meanwhile  # type: ignore[method-assign] # a race
    assert await world.poller().poll(DOC, NOW) == Polled("finished", 2)
    document = world.store.documents[DOC]
    assert (document["published_at"], document["known"]) == (7, ["2", "1"])


async def test_an_article_of_nobody_is_told_as_missing(world: World) -> None:
    assert await world.poller().poll("wechat:gh_1:7:0", NOW) == Polled("missing")


def accepted(article: str, platform: str = "wechat") -> MassSendAccepted:
    return MassSendAccepted(
        occurred_at=int(NOW * 1000),
        platform=platform,
        account=GH,
        campaign="c",
        wave="w",
        message_id="1",
        article=article,
        fans=2,
    )


async def test_articles_are_learned_from_accepted_mass_sends() -> None:
    store = MemoryGuardedStore()
    events = [("e1", accepted("100")), ("e2", accepted("")), ("e3", accepted("9", "weibo"))]
    await feed(
        ArticleHandler(), store, MemoryPublisher(), events,
        topic="push-outcomes.v1", service="ingest",
    )  # fmt: skip
    assert set(store.documents) == {DOC}
    assert store.documents[DOC]["published_at"] == int(NOW * 1000)
    assert store.documents[DOC]["article"] == "100"


async def test_learning_an_article_again_keeps_what_staff_and_polling_wrote(world: World) -> None:
    world.comments.write(1)
    await world.poller().poll(DOC, NOW)
    before = dict(world.store.documents[DOC])
    later = accepted("100").model_copy(update={"occurred_at": int(NOW * 1000) + 5})
    await feed(
        ArticleHandler(), world.store, world.publisher, [("e1", later)],
        topic="push-outcomes.v1", service="ingest",
    )  # fmt: skip
    after = world.store.documents[DOC]
    for name in ("published_at", "known", "next_poll_at", "article"):
        assert after[name] == before[name]


@pytest.mark.parametrize(
    ("age_s", "refused", "wait_s"),
    [
        (0, False, 10),
        (86_399, False, 10),
        (86_401, False, 60),
        (8 * 86_400, False, 600),
        (0, True, 60),
        (8 * 86_400, True, 600),
    ],
)
def test_an_article_is_read_often_while_it_is_young(
    age_s: int,
    refused: bool,  # noqa: FBT001 - a column
    wait_s: int,
) -> None:
    article = Article(GH, "100", 0, int(NOW * 1000))
    planned = plan_next_poll(article, every_s=10, refused=refused, now=NOW + age_s)
    assert planned == int((NOW + age_s + wait_s) * 1000)


def test_an_old_article_is_not_read_again() -> None:
    article = Article(GH, "100", 0, int(NOW * 1000))
    planned = plan_next_poll(article, every_s=10, refused=False, now=NOW + 31 * 86_400)
    assert planned == NEVER_MS


def test_a_comments_id_hangs_on_article_index_and_comment_alone() -> None:
    found = Found("1", "o1", 1_764_000_000, "好")
    incoming = understand_comment(Article(GH, "100", 0), found)
    edited = understand_comment(Article(GH, "100", 0), Found("1", "o1", 1_764_000_000, "改"))
    assert incoming.id == edited.id
    assert incoming.source == f"/wechat/{GH}/comments"
    others = [Article(GH, "100", 1), Article(GH, "101", 0), Article("gh_2", "100", 0)]
    ids = {understand_comment(article, found).id for article in others}
    assert len(ids | {incoming.id}) == 4


class FakeIndex:
    def __init__(self, world: World) -> None:
        self.world = world

    async def find_due(self, accounts: Sequence[str], now_ms: int, limit: int) -> Sequence[str]:
        documents = self.world.store.documents.values()
        due = [
            document["_id"]
            for document in documents
            if (document.get("next_poll_at") or 0) <= now_ms and document["account"] in accounts
        ]
        return due[:limit]


async def test_the_loop_reads_what_is_due_and_counts_it(world: World) -> None:
    world.comments.write(3)
    meter, clock = Meter(), [NOW]
    loop = CommentLoop(
        FakeIndex(world),
        world.poller(),
        accounts=[GH],
        observer=IngestMetrics(meter),
        clock=lambda: clock[0],
    )
    assert [await loop.run_once(), await loop.run_once()] == [1, 0]
    clock[0] += 11
    assert await loop.run_once() == 1
    found = meter.registry.get_sample_value
    assert found("fan_comments_found_total") == 3
    assert found("fan_comment_polls_total", {"outcome": "finished"}) == 2


async def test_the_stores_failure_ends_one_round_not_the_loop(world: World) -> None:
    loop = CommentLoop(
        FakeIndex(world), world.poller(), accounts=[GH], observer=IngestMetrics(Meter()),
        clock=lambda: NOW,
    )  # fmt: skip
    world.store.failures = [TransientError("no store")]
    with pytest.raises(TransientError):
        await loop.run_once()
    assert await loop.run_once() == 1


async def test_a_refusal_is_told_once_for_each_change(world: World) -> None:
    world.comments.write(1)
    world.comments.refusals = ["credentials_refused", "credentials_refused", "too_fast"]
    clock = [NOW]
    loop = CommentLoop(
        FakeIndex(world), world.poller(), accounts=[GH], observer=IngestMetrics(Meter()),
        clock=lambda: clock[0],
    )  # fmt: skip
    with capture_logs() as logs:
        for _ in range(6):
            await loop.run_once()
            clock[0] += 100
    told = [(one["event"], one.get("reason")) for one in logs if one["log_level"] != "debug"]
    assert told == [
        ("ingest.comments.refused", "credentials_refused"),
        ("ingest.comments.refused", "too_fast"),
        ("ingest.comments.read", None),
        ("ingest.comments.read_again", None),
    ]
