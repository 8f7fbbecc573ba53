"""Ingest's HTTP edge with a log in memory, for component tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from services.ingest.app import article_adder, webhook_routes
from services.ingest.metrics import IngestMetrics
from services.ingest.routes import article_routes
from services.ingest.settings import IngestSettings
from shared.observe.metrics import Meter
from shared.platforms.accounts import Accounts
from shared.testing.memory_log import MemoryPublisher
from shared.testing.memory_store import MemoryGuardedStore
from shared.web.limits import Limits
from shared.web.service import Service
from tests.support.platform_pushes import NOW, SHOP, WECHAT_ACCOUNT, WEIBO_ACCOUNT

STAFF_TOKEN = "a-staff-token-of-operations"
VIEWER_TOKEN = "a-staff-token-of-a-viewer"
PLAIN_ACCOUNT = WECHAT_ACCOUNT.model_copy(update={"name": "plain", "allow_plain": True})


def settings(**fields: Any) -> IngestSettings:
    return IngestSettings(
        kafka_bootstrap_servers="127.0.0.1:1",
        log_epoch="test",
        mongodb_url=SecretStr("mongodb://127.0.0.1:1"),
        mongodb_database="ingest",
        http_port=0,
        staff_tokens={
            "operations": (SecretStr(STAFF_TOKEN),),
            "viewer": (SecretStr(VIEWER_TOKEN),),
        },
        accounts_file=Path("unused.yaml"),
        **fields,
    )


@dataclass
class Edge:
    """The service's HTTP side; `publisher` and `store` are what it writes to."""

    limits: Limits | None = None
    publisher: MemoryPublisher = field(default_factory=MemoryPublisher)
    store: MemoryGuardedStore = field(default_factory=MemoryGuardedStore)

    def __post_init__(self) -> None:
        meter = Meter()
        accounts = Accounts(
            wechat=(WECHAT_ACCOUNT, PLAIN_ACCOUNT), weibo=(WEIBO_ACCOUNT,), shops=(SHOP,)
        )
        self.service = Service(
            settings(),
            routes=article_routes(article_adder(accounts, self.store, clock=lambda: NOW)),
            raw_routes=webhook_routes(
                accounts,
                publisher=self.publisher,
                observer=IngestMetrics(meter),
                nonces=1000,
                clock=lambda: NOW,
            ),
            meter=meter,
            limits=self.limits,
        )
        self.meter = meter

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.service.asgi)
        return httpx.AsyncClient(transport=transport, base_url="http://ingest")

    def count(self, platform: str, outcome: str) -> float:
        """What `fan_webhooks_total` says."""
        labels = {"platform": platform, "outcome": outcome}
        return self.meter.registry.get_sample_value("fan_webhooks_total", labels) or 0.0
