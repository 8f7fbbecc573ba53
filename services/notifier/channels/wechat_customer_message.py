"""WeChat customer message (客服消息): one fan, within the windows that the fan's acts open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import inf
from typing import ClassVar, Self

from services.notifier.channels.base import Channel, Client
from services.notifier.channels.wechat_content import build_message, refuse_message
from services.notifier.domain.campaigns import Content
from services.notifier.domain.ledger import DebitKind
from services.notifier.domain.reactions import CallOutcome, Receipt
from shared.platforms.outcomes import Accepted
from shared.platforms.wechat.client import WeChatClient


class WeChatCustomerMessage(Channel):
    """Sends customer messages. There is no idempotency key."""

    name: ClassVar[str] = "wechat_customer_message"
    platform: ClassVar[str] = "wechat"
    charge: ClassVar[DebitKind] = DebitKind.MESSAGE

    def __init__(self, client: WeChatClient) -> None:
        self._client = client

    @classmethod
    def connect(cls, client: Client) -> Self:
        """See `Channel`."""
        if client.wechat is None:
            raise ValueError("this channel needs a WeChat account")
        return cls(client.wechat)

    @staticmethod
    def refuse_content(content: Content) -> str | None:
        """See `Channel`."""
        return refuse_message(content)

    async def send(
        self, openids: Sequence[str], content: Content, key: str, latest: float = inf
    ) -> CallOutcome:
        """See `ports.PushChannel`."""
        (openid,) = openids
        message = {"touser": openid, **build_message(content)}
        outcome = await self._client.send_customer_message(message, latest=latest)
        if isinstance(outcome, Accepted):
            return Accepted(Receipt(outcome.value), outcome.platform_time)
        return outcome

    async def ask_time(self) -> datetime | None:
        """See `ports.PushChannel`."""
        return await self._client.ask_time()
