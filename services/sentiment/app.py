"""The composition root: which parts the sentiment service is made of."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import httpx
from pydantic import SecretStr

from services.sentiment.adapters.alerts_file import load_alerts
from services.sentiment.adapters.comments import MongoCommentBook, MongoCounters
from services.sentiment.adapters.model_file import (
    UnreadableModelError,
    load_model,
    shipped_model,
)
from services.sentiment.adapters.pages import MongoPageRows
from services.sentiment.adapters.scorer import ThreadedScorer
from services.sentiment.channels import ALERT_CHANNELS
from services.sentiment.domain.paging.links import sign
from services.sentiment.handlers import (
    CommentHandler,
    IncidentDocuments,
    PageDocuments,
    UsualDocuments,
)
from services.sentiment.loops import AccountLeases, Evaluator, Historian, Pager
from services.sentiment.metrics import GROUP, SentimentMetrics
from services.sentiment.ports import SentimentModel
from services.sentiment.routes import LINK_PREFIX, IncidentRoutes
from services.sentiment.settings import SentimentSettings
from shared.kafka.handler import Documents
from shared.kafka.session import LogSession
from shared.kafka.writer import DocumentWriter
from shared.observe.metrics import Meter
from shared.observe.runner_metrics import RunnerMetrics
from shared.settings import SettingsError, exit_on_bad_settings, load_settings
from shared.startup import until_it_answers
from shared.store.client import close, connect, reachable
from shared.store.mongo import MongoGuardedStore, MongoLeases, MongoPartitionBooks
from shared.web.service import Hook, Service

TOPIC = "fan-events.v1"
CHANNEL_TIMEOUT_S = 5.0
HOUR_MS = 3_600_000
S = TypeVar("S")


def create_app(settings: SentimentSettings) -> Service:
    """The sentiment service, not started.

    Raises:
        SettingsError: the file of alerts or the model can't be used.
    """
    alerts = load_alerts(
        settings.alerts_file,
        os.environ,
        {name: kind.config for name, kind in ALERT_CHANNELS.items()},
    )
    scorer = ThreadedScorer(_model(settings.model_file))
    meter = Meter()
    session = LogSession(settings, RunnerMetrics(meter, [f"{settings.service}.{TOPIC}", GROUP]))
    notes = SentimentMetrics(meter, alerts.channels, session.observer)
    database = connect(
        settings.mongodb_url.get_secret_value(),
        settings.mongodb_database,
        driver=settings.store_driver,
    )
    book = MongoCommentBook(database, CommentHandler.collection)
    rows = MongoPageRows(database, PageDocuments.collection)
    counters = MongoCounters(database)
    stores = {
        kind.collection: MongoGuardedStore(database, kind.collection, loops=[kind.loop])
        for kind in (CommentHandler, IncidentDocuments, PageDocuments, UsualDocuments)
    }

    def writer(documents: Documents[S]) -> DocumentWriter[S]:
        return DocumentWriter(
            documents,
            stores[documents.collection],
            session.publisher,
            source=f"/{settings.service}",
            group=GROUP,
            observer=session.observer,
            cached_documents=0,  # staff and other processes write these too
        )

    incidents = writer(IncidentDocuments())
    pages = writer(PageDocuments())
    usual = writer(UsualDocuments())
    leases = AccountLeases(MongoLeases(database), secrets.token_hex(8))
    link_secrets = [_bytes(one) for one in settings.link_secrets]
    client = httpx.AsyncClient(timeout=CHANNEL_TIMEOUT_S, follow_redirects=False)

    def link(incident: str) -> str:
        expires_at = now_ms() + round(settings.link_hours * HOUR_MS)
        token = sign(incident, expires_at, link_secrets[0])
        return f"{settings.public_url}{LINK_PREFIX}/{token}"

    pager = Pager(
        incidents=incidents,
        pages=pages,
        rows=rows,
        book=book,
        counters=counters,
        leases=leases,
        channels={
            name: ALERT_CHANNELS[kind].make(config, client)
            for name, (kind, config) in alerts.channels.items()
        },
        policy=alerts.policy,
        prior=alerts.prior,
        link=link,
        language=settings.language,
        observer=notes,
        clock=now_ms,
        limits={
            name: ALERT_CHANNELS[kind].limits(config)
            for name, (kind, config) in alerts.channels.items()
        },
    )
    evaluator = Evaluator(
        writer=incidents,
        usual=stores[UsualDocuments.collection],
        book=book,
        counters=counters,
        leases=leases,
        thresholds=alerts.thresholds,
        prior=alerts.prior,
        pause_from_severity=alerts.pause_from_severity,
        observer=notes,
        clock=now_ms,
        changed=pager.wake,
    )
    historian = Historian(
        writer=usual,
        book=book,
        counters=counters,
        leases=leases,
        prior=alerts.prior,
        text_days=settings.text_days,
        observer=notes,
        clock=now_ms,
    )
    handler = CommentHandler(
        scorer,
        counters,
        book,
        secret=_bytes(settings.author_secret),
        threshold=settings.negative_threshold,
        with_messages=settings.score_messages,
        rang=evaluator.ring,
        observer=notes,
    )
    session.consume(
        handler,
        TOPIC,
        store=stores[CommentHandler.collection],
        books=MongoPartitionBooks(database),
        cached_documents=0,  # a comment is written once
    )
    routes = IncidentRoutes(
        writer=incidents,
        book=book,
        rows=rows,
        counters=counters,
        prior=alerts.prior,
        language=settings.language,
        secrets=link_secrets,
        people_factor=alerts.thresholds.page_again_people_factor,
        observer=notes,
        clock=now_ms,
        changed=pager.wake,
    )

    async def prepare_store() -> None:
        for step in (book.prepare, rows.prepare, *(store.prepare for store in stores.values())):
            await until_it_answers(step, session.observer, GROUP)

    async def stop_incidents() -> None:
        await incidents.stop()
        await leases.release()

    return Service(
        settings,
        routes=routes.routes(),
        readiness={
            "store": lambda: reachable(database),
            "log": session.reachable,
            "partitions": session.flowing,
            "alert_channels": notes.check_somebody_is_reachable,
        },
        hooks=(
            Hook("store", prepare_store, lambda: close(database)),
            Hook("scorer", stop=scorer.stop),
            Hook("channels", stop=client.aclose),
            Hook("log", session.start, session.stop),
            Hook("incidents", incidents.start, stop_incidents),
        ),
        tasks={"evaluator": evaluator.run, "pager": pager.run, "historian": historian.run},
        progress={"runner": session.stuck_s},
        meter=meter,
    )


def main(_arguments: Sequence[str] = ()) -> int:
    """Run the service until a signal comes; the process's exit code."""
    with exit_on_bad_settings():
        service = create_app(load_settings(SentimentSettings))
    return service.run()


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _model(path: Path | None) -> SentimentModel:
    try:
        return load_model(path) if path else shipped_model()
    except UnreadableModelError as error:
        raise SettingsError(f"FAN_SENTIMENT_MODEL_FILE: {error}") from error


def _bytes(secret: SecretStr) -> bytes:
    return secret.get_secret_value().encode()
