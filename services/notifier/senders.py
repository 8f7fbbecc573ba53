"""Makes the sender of each configured account out of its channels and the brand's rules."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Final

import httpx

from services.notifier.channels import PUSH_CHANNELS
from services.notifier.channels.base import Channel, connect_wechat, connect_weibo
from services.notifier.domain.account import AccountKind
from services.notifier.domain.decide_push import PushRules
from services.notifier.domain.ledger import MASS_SENDS_A_MONTH, DebitKind
from services.notifier.domain.periods import parse_quiet_hours
from services.notifier.loops.account_loop import AccountLoop
from services.notifier.loops.account_time import AccountTime
from services.notifier.loops.desk import Books, Desk
from services.notifier.loops.mass import MassSender
from services.notifier.loops.single import SingleSender
from services.notifier.ports import Clock, SendingObserver
from services.notifier.settings import NotifierSettings
from shared.platforms.accounts import Accounts, WeChatAccount, WeiboAccount
from shared.store.ports import Leases
from shared.waiting import Bell

AccountConfig = WeChatAccount | WeiboAccount
_KEY_BYTES: Final = 16


def find_accounts(accounts: Accounts) -> Mapping[str, AccountConfig]:
    """The accounts that can be pushed to, as events name them: by the platform's own id."""
    return {
        **{f"wechat:{one.original_id}": one for one in accounts.wechat},
        **{f"weibo:{one.uid}": one for one in accounts.weibo},
    }


def find_names(accounts: Mapping[str, AccountConfig]) -> Mapping[str, str]:
    """What staff may call an account (our name too), and how events name it."""
    ours = {f"{key.partition(':')[0]}:{one.name}": key for key, one in accounts.items()}
    return {**ours, **{key: key for key in accounts}}


class Senders:
    """What the senders of all accounts share."""

    def __init__(
        self,
        settings: NotifierSettings,
        books: Books,
        http: httpx.AsyncClient,
        *,
        leases: Leases,
        holder: str,
        clock: Clock,
        observer: SendingObserver,
    ) -> None:
        self._settings = settings
        self._books = books
        self._http = http
        self._leases = leases
        self._holder = holder
        self._clock = clock
        self._observer = observer

    def make_loop(self, account: str, config: AccountConfig, bell: Bell) -> AccountLoop:
        """The loop of one account over the channels of its platform, and what wakes it."""
        if isinstance(config, WeChatAccount):
            platform, kind = "wechat", config.kind
            client = connect_wechat(config, self._http, time.monotonic)
        else:
            platform, kind = "weibo", "service"
            client = connect_weibo(config, self._http)
        platform_time = AccountTime(self._clock)
        senders = [
            self._make_sender(account, channel.connect(client), kind, platform_time)
            for channel in PUSH_CHANNELS.values()
            if channel.platform == platform
        ]
        return AccountLoop(
            self._make_desk(account, DebitKind.MESSAGE, kind, platform_time),
            senders,
            leases=self._leases,
            holder=self._holder,
            bell=bell,
        )

    def _make_sender(
        self, account: str, channel: Channel, kind: AccountKind, platform_time: AccountTime
    ) -> SingleSender | MassSender:
        desk = self._make_desk(account, channel.charge, kind, platform_time)
        if channel.charge is DebitKind.MASS:
            return MassSender(desk, channel, kind=kind, new_attempt=_new_attempt)
        return SingleSender(
            desk,
            channel,
            rate=self._settings.calls_a_second,
            rest=asyncio.sleep,
            new_attempt=_new_attempt,
        )

    def _make_desk(
        self, account: str, charge: DebitKind, kind: AccountKind, platform_time: AccountTime
    ) -> Desk:
        settings = self._settings
        rules = PushRules(
            charge=charge,
            quiet_hours=parse_quiet_hours(settings.quiet_hours),
            fan_cap_a_day=settings.fan_cap_a_day,
            mass_sends_a_month=MASS_SENDS_A_MONTH if kind == "service" else None,
            reply_within=round(settings.reply_in_quiet_hours_s * 1000),
        )
        return Desk(account, self._books, platform_time, rules, self._observer)


def _new_attempt() -> str:
    return secrets.token_hex(_KEY_BYTES)
