"""Weibo reply (粉丝服务平台客服消息): one fan, any number within 48 h of the fan's act."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import ClassVar, Self

from services.notifier.channels.base import Channel, Client
from services.notifier.domain.campaigns import Content, ContentKind
from services.notifier.domain.ledger import DebitKind
from services.notifier.domain.reactions import CallOutcome, Receipt
from shared.platforms.outcomes import Accepted
from shared.platforms.weibo.client import WeiboClient
from shared.platforms.weibo.messages import LONGEST_REPLY


class WeiboReply(Channel):
    """Sends private messages. There is no idempotency key."""

    name: ClassVar[str] = "weibo_reply"
    platform: ClassVar[str] = "weibo"
    charge: ClassVar[DebitKind] = DebitKind.MESSAGE

    def __init__(self, client: WeiboClient) -> None:
        self._client = client

    @classmethod
    def connect(cls, client: Client) -> Self:
        """See `Channel`."""
        if client.weibo is None:
            raise ValueError("this channel needs a Weibo account")
        return cls(client.weibo)

    @staticmethod
    def refuse_content(content: Content) -> str | None:
        """See `Channel`."""
        if content.kind is not ContentKind.TEXT:
            return "a Weibo reply is a text"
        if len(content.value) >= LONGEST_REPLY:
            return f"a Weibo reply has fewer than {LONGEST_REPLY} characters"
        return None

    async def send(
        self, openids: Sequence[str], content: Content, key: str, latest: float = inf
    ) -> CallOutcome:
        """See `ports.PushChannel`."""
        del latest  # its token is at hand: a call begins at once
        (uid,) = openids
        outcome = await self._client.reply_text(uid, content.value)
        if isinstance(outcome, Accepted):
            return Accepted(Receipt(outcome.value), outcome.platform_time)
        return outcome
