"""Puts ingest together: doors, log, store, poller, HTTP.

The webhooks need the log alone. The store is for articles and poll cursors: while it is away,
webhooks are taken, comments wait, and /readyz names it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import httpx
from starlette.types import ASGIApp

from services.ingest.adapters.mongo_articles import MongoArticleIndex
from services.ingest.adapters.wechat_comments import WeChatComments
from services.ingest.domain.articles import Article
from services.ingest.domain.nonces import NonceTable
from services.ingest.handlers.articles import (
    COLLECTION,
    AddArticle,
    Added,
    ArticleHandler,
    add_article,
)
from services.ingest.handlers.comments import Poller
from services.ingest.handlers.shop_door import ShopDoor
from services.ingest.handlers.wechat_door import WeChatDoor
from services.ingest.handlers.weibo_door import WeiboDoor
from services.ingest.loops import CommentLoop
from services.ingest.metrics import IngestMetrics
from services.ingest.ports import Observer
from services.ingest.routes import Webhooks, article_routes
from services.ingest.settings import IngestSettings
from shared.kafka.ports import Publisher
from shared.kafka.session import LogSession
from shared.observe.metrics import Meter
from shared.observe.runner_metrics import RunnerMetrics
from shared.platforms.accounts import Accounts, WeChatAccount, load_accounts
from shared.platforms.wechat.client import WeChatClient
from shared.store import client as store_client
from shared.store.mongo import MongoGuardedStore, MongoLeases, MongoPartitionBooks
from shared.store.ports import GuardedStore
from shared.web.limits import Limits
from shared.web.service import Hook, Service

OUTCOMES: Final = "push-outcomes.v1"
REQUEST_TIMEOUT_S: Final = 4.5
"""Within which a request's body must be whole: WeChat and Weibo wait 5 s for the answer."""
API_TIMEOUT: Final = httpx.Timeout(10.0, connect=3.0)


def create_app(settings: IngestSettings, environment: Mapping[str, str] = os.environ) -> Service:
    """Return the service, not started.

    Args:
        settings: ingest's.
        environment: where the accounts file's secrets are.

    Raises:
        SettingsError: the accounts file is wrong.
    """
    accounts = load_accounts(settings.accounts_file, environment)
    meter = Meter()
    metrics = IngestMetrics(meter)
    session = LogSession(settings, RunnerMetrics(meter, [f"{settings.service}.{OUTCOMES}"]))
    database = store_client.connect(
        settings.mongodb_url.get_secret_value(),
        settings.mongodb_database,
        driver=settings.store_driver,
    )
    handler = ArticleHandler()
    store = MongoGuardedStore(database, COLLECTION, loops=[handler.loop])
    session.consume(handler, OUTCOMES, store=store, books=MongoPartitionBooks(database))
    http = httpx.AsyncClient(timeout=API_TIMEOUT)
    polled = [account for account in accounts.wechat if account.poll_comments]
    index = MongoArticleIndex(database)

    async def prepare_store() -> None:
        await store.prepare()
        await index.prepare()

    loop = CommentLoop(
        index,
        Poller(
            store=store,
            leases=MongoLeases(database),
            publisher=session.publisher,
            comments={account.original_id: _comments_of(account, http) for account in polled},
            holder=f"{socket.gethostname()}:{os.getpid()}",
            every_s=settings.comment_poll_every_s,
        ),
        accounts=[account.original_id for account in polled],
        observer=metrics,
        prepare=prepare_store,
    )
    return Service(
        settings,
        routes=article_routes(article_adder(accounts, store)),
        raw_routes=webhook_routes(
            accounts, publisher=session.publisher, observer=metrics, nonces=settings.nonce_bindings
        ),
        readiness={
            "log": session.reachable,
            "partitions": session.flowing,
            "store": lambda: store_client.reachable(database),
        },
        dispensable=frozenset({"store", "partitions"}),  # webhooks need the log alone
        hooks=[
            Hook("platforms", stop=http.aclose),
            Hook("store", stop=lambda: store_client.close(database)),
            Hook("log", start=session.start, stop=session.stop),
        ],
        tasks={"comments": loop.run},
        progress={"runners": session.stuck_s},
        meter=meter,
        limits=replace(Limits.of(settings), request_timeout_s=REQUEST_TIMEOUT_S),
    )


def webhook_routes(
    accounts: Accounts,
    *,
    publisher: Publisher,
    observer: Observer,
    nonces: int,
    clock: Callable[[], float] = time.time,
) -> dict[str, ASGIApp]:
    """Return the webhook addresses by their first path segment.

    Args:
        accounts: of the deployment.
        publisher: of `fan-events.v1`.
        observer: counts.
        nonces: see `IngestSettings.nonce_bindings`.
        clock: Unix seconds.
    """
    table = NonceTable(nonces)
    own_ids = {
        **{("wechat", name): a.original_id for a in accounts.wechat for name in _names(a)},
        **{("weibo", name): a.uid for a in accounts.weibo for name in (a.name, a.uid)},
    }
    wechat = {account.name: WeChatDoor(account, table) for account in accounts.wechat}
    weibo = {account.name: WeiboDoor(account, table) for account in accounts.weibo}
    shops = {shop.name: ShopDoor(shop, own_ids) for shop in accounts.shops}

    def webhooks(platform: str, doors: Mapping[str, WeChatDoor | WeiboDoor | ShopDoor]) -> Webhooks:
        return Webhooks(platform, doors, publisher=publisher, observer=observer, clock=clock)

    return {
        "/wechat": webhooks("wechat", wechat),
        "/weibo": webhooks("weibo", weibo),
        "/events": webhooks("shop", shops),
    }


def article_adder(
    accounts: Accounts, store: GuardedStore, clock: Callable[[], float] = time.time
) -> AddArticle:
    """Return what `POST /v1/articles` does; an account is named as we or as WeChat name it."""
    own_ids = {name: account.original_id for account in accounts.wechat for name in _names(account)}

    async def add(account: str, article: str, index: int) -> Added | None:
        own_id = own_ids.get(account)
        if own_id is None:
            return None
        return await add_article(store, Article(own_id, article, index, int(clock() * 1000)))

    return add


def _names(account: WeChatAccount) -> tuple[str, str]:
    return account.name, account.original_id


def _comments_of(account: WeChatAccount, http: httpx.AsyncClient) -> WeChatComments:
    return WeChatComments(
        WeChatClient(
            http,
            app_id=account.app_id,
            app_secret=account.app_secret,
            base_url=account.api_base,
            clock=time.monotonic,
        )
    )
