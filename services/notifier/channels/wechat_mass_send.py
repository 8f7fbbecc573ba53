"""WeChat mass send (群发) to a list of openids, repeatable under its `clientmsgid` for 24 h."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import inf
from typing import ClassVar, Self

from services.notifier.channels.base import Channel, Client
from services.notifier.channels.wechat_content import build_message, refuse_message
from services.notifier.domain.campaigns import Content, ContentKind
from services.notifier.domain.ledger import DebitKind
from services.notifier.domain.reactions import CallOutcome, Receipt
from shared.platforms.outcomes import Accepted
from shared.platforms.wechat.client import WeChatClient


class WeChatMassSend(Channel):
    """Sends one message to 2 to 10,000 fans."""

    name: ClassVar[str] = "wechat_mass_send"
    platform: ClassVar[str] = "wechat"
    charge: ClassVar[DebitKind] = DebitKind.MASS

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
        message = {"touser": list(openids), **build_message(content)}
        if content.kind is ContentKind.ARTICLE:
            message["send_ignore_reprint"] = 0
        outcome = await self._client.send_mass(message, client_msg_id=key, latest=latest)
        if isinstance(outcome, Accepted):
            sent = outcome.value
            return Accepted(Receipt(sent.msg_id, sent.msg_data_id), outcome.platform_time)
        return outcome

    async def ask_time(self) -> datetime | None:
        """See `ports.PushChannel`."""
        return await self._client.ask_time()
