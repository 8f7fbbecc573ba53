"""The composition root: which parts the notifier is made of."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import httpx

from services.notifier.adapters.mongo_queries import (
    MongoCampaignQueries,
    MongoFanQueries,
    MongoPushQueries,
    MongoWaveQueries,
    prepare_indexes,
)
from services.notifier.channels import PUSH_CHANNELS
from services.notifier.domain import records
from services.notifier.domain.campaign_request import ChannelRules
from services.notifier.domain.platform_clock import Reading
from services.notifier.handlers.fan_events import FanEventsHandler
from services.notifier.handlers.incidents import IncidentsHandler
from services.notifier.handlers.tag_changes import TagChangesHandler
from services.notifier.loops.bells import RingingWriter
from services.notifier.loops.desk import Books
from services.notifier.loops.planner import Planner
from services.notifier.loops.relay import Relay
from services.notifier.metrics import GROUP, SendingMetrics
from services.notifier.routes import StaffApi
from services.notifier.senders import Senders, find_accounts, find_names
from services.notifier.settings import NotifierSettings
from shared.documents.reader import DocumentReader
from shared.kafka.handler import Documents, Handler
from shared.kafka.session import LogSession
from shared.kafka.writer import DocumentWriter
from shared.observe.metrics import Meter
from shared.observe.runner_metrics import RunnerMetrics
from shared.platforms.accounts import load_accounts
from shared.startup import until_it_answers
from shared.store.client import close, connect, reachable
from shared.store.mongo import MongoGuardedStore, MongoLeases, MongoPartitionBooks
from shared.waiting import Bell
from shared.web.service import Hook, Service

TOPICS = ("fan-events.v1", "tag-changes.v1", "incidents.v1")

S = TypeVar("S")


class SystemClock:
    """The machine's clocks; see `ports.Clock`."""

    def read(self) -> Reading:
        """See the port."""
        return Reading(time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000)


def create_app(settings: NotifierSettings, *, http: httpx.AsyncClient | None = None) -> Service:
    """The notifier as a service, not started.

    Args:
        settings: what it was told.
        http: calls the platforms; one of its own unless a test brings another.

    Raises:
        SettingsError: the accounts file can't be used; each fault is named.
    """
    accounts = find_accounts(load_accounts(settings.accounts_file, os.environ))
    service = NotifierSettings.service
    meter = Meter()
    session = LogSession(
        settings, RunnerMetrics(meter, [*(f"{service}.{topic}" for topic in TOPICS), GROUP])
    )
    database = connect(
        settings.mongodb_url.get_secret_value(),
        settings.mongodb_database,
        driver=settings.store_driver,
    )
    stores = {
        name: MongoGuardedStore(database, name, loops=loops)
        for name, loops in (
            (records.FANS, ("events", "tags", "ledger")),
            (records.ACCOUNTS, ("incidents", "sending")),
            (records.PUSHES, ("rows",)),
            (records.CAMPAIGNS, ("campaigns",)),
            (records.WAVES, ("waves",)),
        )
    }

    def read(documents: Documents[S]) -> DocumentReader[S]:
        return DocumentReader(documents, stores[documents.collection])

    def write(documents: Documents[S]) -> DocumentWriter[S]:
        return DocumentWriter(
            documents,
            stores[documents.collection],
            session.publisher,
            source=f"/{service}",
            group=GROUP,
            observer=session.observer,
            cached_documents=0,  # other loops and other processes write the same documents
        )

    clock = SystemClock()
    holder = secrets.token_hex(8)
    leases = MongoLeases(database)
    observer = SendingMetrics(meter, session.observer, list(PUSH_CHANNELS))
    push_queries = MongoPushQueries(database)
    campaign_queries = MongoCampaignQueries(database)
    fan_queries = MongoFanQueries(database)
    rows, waves = write(records.PushDocuments()), write(records.WaveDocuments())
    books = Books(
        rows=rows,
        ledgers=write(records.LedgerDocuments()),
        accounts=write(records.SendingDocuments()),
        waves=waves,
        campaigns=write(records.CampaignDocuments()),
        queries=push_queries,
        fans_now=read(records.LedgerDocuments()),
        accounts_now=read(records.SendingDocuments()),
        campaigns_now=read(records.CampaignDocuments()),
    )
    bells = {account: Bell() for account in accounts}
    planning = Bell()
    planned_rows = RingingWriter(rows, list(bells.values()))
    partition_books = MongoPartitionBooks(database)

    def consume(handler: Handler[S], topic: str) -> None:
        session.consume(
            handler,
            topic,
            store=stores[handler.collection],
            books=partition_books,
            cached_documents=0,  # as above
        )

    consume(FanEventsHandler(planned_rows, push_queries), "fan-events.v1")
    consume(TagChangesHandler(planned_rows, campaign_queries), "tag-changes.v1")
    consume(IncidentsHandler(planned_rows, push_queries), "incidents.v1")
    client = http or httpx.AsyncClient(timeout=settings.call_timeout_s)
    senders = Senders(
        settings, books, client, leases=leases, holder=holder, clock=clock, observer=observer
    )
    planner = Planner(
        books.campaigns,
        planned_rows,
        campaign_queries,
        fan_queries,
        leases=leases,
        holder=holder,
        clock=clock,
        bell=planning,
        observer=observer,
    )
    relay = Relay((rows, waves), observer, rest=asyncio.sleep)
    api = StaffApi(
        campaigns=RingingWriter(books.campaigns, [planning]),
        facts=write(records.FactDocuments()),
        campaigns_now=books.campaigns_now,
        fans_now=books.fans_now,
        campaign_queries=campaign_queries,
        fan_queries=fan_queries,
        push_queries=push_queries,
        wave_queries=MongoWaveQueries(database),
        channels={
            name: ChannelRules(channel.platform, channel.refuse_content)
            for name, channel in PUSH_CHANNELS.items()
        },
        accounts=find_names(accounts),
        clock=clock,
    )

    async def prepare_store() -> None:
        for store in stores.values():
            await until_it_answers(store.prepare, session.observer, GROUP)
        await until_it_answers(lambda: prepare_indexes(database), session.observer, GROUP)

    tasks: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "planner": planner.run,
        "relay": relay.run,
    }
    for account, config in accounts.items():
        tasks[f"sender {account}"] = senders.make_loop(account, config, bells[account]).run
    return Service(
        settings,
        routes=api.routes(),
        readiness={
            "store": lambda: reachable(database),
            "log": session.reachable,
            "partitions": session.flowing,
        },
        hooks=(
            Hook("store", prepare_store, lambda: close(database)),
            Hook("http", stop=client.aclose),
            Hook("log", session.start, session.stop),
            Hook("outbox", relay.start, relay.stop),
        ),
        tasks=tasks,
        progress={"runner": session.stuck_s},
        meter=meter,
    )
