"""What every push channel is: its limits, its content, and one call with a classified outcome."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import ClassVar, Self

import httpx

from services.notifier.domain.campaigns import Content
from services.notifier.domain.ledger import DebitKind
from services.notifier.domain.reactions import CallOutcome
from shared.platforms.accounts import WeChatAccount, WeiboAccount
from shared.platforms.wechat.client import WeChatClient
from shared.platforms.weibo.client import WeiboClient


@dataclass(frozen=True, slots=True)
class Client:
    """The API client of one account; its channels share it and its token."""

    wechat: WeChatClient | None = None
    weibo: WeiboClient | None = None


class Channel(ABC):
    """A push channel of one account. Subclasses stand in `PUSH_CHANNELS`.

    Args:
        client: of an account of the channel's platform.
    """

    name: ClassVar[str]
    platform: ClassVar[str]
    charge: ClassVar[DebitKind]
    """Which limits its pushes are charged to; mass sends carry a key, messages name one fan."""

    @classmethod
    @abstractmethod
    def connect(cls, client: Client) -> Self:
        """The channel over an account's client."""

    @staticmethod
    @abstractmethod
    def refuse_content(content: Content) -> str | None:
        """Why the platform would never take this content, for staff; None if it may."""

    @abstractmethod
    async def send(
        self, openids: Sequence[str], content: Content, key: str, latest: float = inf
    ) -> CallOutcome:
        """See `ports.PushChannel`."""

    async def ask_time(self) -> datetime | None:
        """See `ports.PushChannel`; a channel whose limits know no calendar needs none."""
        return None


def connect_wechat(
    account: WeChatAccount, http: httpx.AsyncClient, clock: Callable[[], float]
) -> Client:
    """The client of a WeChat account; `clock` gives monotonic seconds."""
    return Client(
        wechat=WeChatClient(
            http,
            app_id=account.app_id,
            app_secret=account.app_secret,
            clock=clock,
            base_url=account.api_base,
        )
    )


def connect_weibo(account: WeiboAccount, http: httpx.AsyncClient) -> Client:
    """The client of a Weibo account."""
    return Client(
        weibo=WeiboClient(http, access_token=account.access_token, base_url=account.api_base)
    )
