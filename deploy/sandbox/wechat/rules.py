"""WeChat's rules of sending, as pure decisions: reply windows and mass-send quotas.

Each decision takes the platform's time and returns the platform's error code (0 accepts).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from deploy.sandbox.clock import shanghai_day, shanghai_month
from deploy.sandbox.config import AccountKind

TEXT_BYTES = 2048  # longest text, UTF-8
CLIENTMSGID_BYTES = 64
CLIENTMSGID_CHECKED_S = 24 * 3600
MASS_MIN_FANS, MASS_MAX_FANS = 2, 10_000
MASS_CALLS_PER_MINUTE = 60
MASS_CALLS_PER_DAY = 100
MASS_PER_FAN_AND_MONTH = 4  # service account
MASS_PER_DAY = 1  # subscription account

OK = 0
BUSY = -1
BAD_SECRET = 40125
INVALID_TOKEN = 40001
BAD_OPENID = 40003
NOT_FOLLOWING = 43004
NEVER_FOLLOWED = 50005
WINDOW_CLOSED = 45015
COUNT_OVER = 45047
TOO_LONG = 45002
DAILY_QUOTA = 45009
MINUTE_LIMIT = 45011
NO_MASS_QUOTA = 45028
WRONG_FAN_COUNT = 40032
SAME_CLIENTMSGID = 45065
SAME_CLIENTMSGID_TOO_SOON = 45066
CLIENTMSGID_TOO_LONG = 45067

_MINUTE_S = 60.0


class Trigger(StrEnum):
    """What a fan did to open a reply window."""

    MESSAGE = "message"
    CLICK = "click"
    SUBSCRIBE = "subscribe"
    SCAN = "scan"


@dataclass(frozen=True, slots=True)
class WindowRule:
    """How many customer messages a trigger allows, for how many seconds."""

    count: int
    seconds: float


# Source: WeChat "Customer service messages", quota since 2023-06-12.
WINDOW_RULES: Mapping[Trigger, WindowRule] = MappingProxyType(
    {
        Trigger.MESSAGE: WindowRule(5, 48 * 3600.0),
        Trigger.CLICK: WindowRule(3, _MINUTE_S),
        Trigger.SUBSCRIBE: WindowRule(3, _MINUTE_S),
        Trigger.SCAN: WindowRule(3, _MINUTE_S),
    }
)


@dataclass(frozen=True, slots=True)
class Window:
    """One open reply window of a fan."""

    opened_at: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Fan:
    """What the platform knows about a fan of one account."""

    following: bool = False
    ever_followed: bool = False
    windows: Mapping[Trigger, Window] = field(default_factory=dict)


def follow(fan: Fan, at: float) -> Fan:
    """Return the fan after a subscription, which opens its own window."""
    return open_window(replace(fan, following=True, ever_followed=True), Trigger.SUBSCRIBE, at)


def unfollow(fan: Fan) -> Fan:
    """Return the fan after leaving: nothing may be sent any more."""
    return replace(fan, following=False, windows={})


def open_window(fan: Fan, trigger: Trigger, at: float) -> Fan:
    """Return the fan after an action, which renews that trigger's window and its count."""
    return replace(fan, windows={**fan.windows, trigger: Window(at)})


def charge_message(fan: Fan, now: float) -> tuple[int, Fan]:
    """Decide on one customer message: the code and the fan with its windows charged.

    The message is charged to every window open now and accepted if one of them has room: of the
    published rule's readings the strictest.
    """
    if not fan.following:
        return (NOT_FOLLOWING if fan.ever_followed else NEVER_FOLLOWED), fan
    running = {
        trigger: window
        for trigger, window in fan.windows.items()
        if now < window.opened_at + WINDOW_RULES[trigger].seconds
    }
    if not running:
        return WINDOW_CLOSED, fan
    if all(window.used >= WINDOW_RULES[trigger].count for trigger, window in running.items()):
        return COUNT_OVER, fan
    charged = {trigger: replace(one, used=one.used + 1) for trigger, one in running.items()}
    return OK, replace(fan, windows={**fan.windows, **charged})


@dataclass(frozen=True, slots=True)
class MassCall:
    """One accepted mass send: when, its id, and to whom it was delivered."""

    at: float
    msg_id: int
    client_msg_id: str
    delivered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MassSplit:
    """Who of the named fans gets a mass message, and who does not, by reason."""

    delivered: tuple[str, ...]
    not_following: tuple[str, ...]
    over_month: tuple[str, ...]


def split_mass(
    openids: tuple[str, ...],
    fans: Mapping[str, Fan],
    sent_in_month: Mapping[tuple[str, str], int],
    kind: AccountKind,
    now: float,
) -> MassSplit:
    """Sort the named fans: strangers are filtered, a fifth message in a month fails for that fan.

    Source: "Batch sends": a service account's excess fails for the fan, not for the call.
    """
    month = shanghai_month(now)
    delivered, strangers, over = [], [], []
    for openid in dict.fromkeys(openids):
        fan = fans.get(openid)
        if fan is None or not fan.following:
            strangers.append(openid)
        elif (
            kind is AccountKind.SERVICE
            and sent_in_month.get((openid, month), 0) >= MASS_PER_FAN_AND_MONTH
        ):
            over.append(openid)
        else:
            delivered.append(openid)
    return MassSplit(tuple(delivered), tuple(strangers), tuple(over))


def check_mass_rate(attempts: tuple[float, ...], now: float) -> int:
    """Decide on the frequency of mass-send calls, given the instants of the earlier ones.

    A day is the platform's calendar day. Source: "API call limits", "Batch sends".
    """
    if sum(1 for at in attempts if now - at < _MINUTE_S) >= MASS_CALLS_PER_MINUTE:
        return MINUTE_LIMIT
    today = shanghai_day(now)
    if sum(1 for at in attempts if shanghai_day(at) == today) >= MASS_CALLS_PER_DAY:
        return DAILY_QUOTA
    return OK


def check_client_msg_id(known: tuple[float, float] | None, now: float, retry_s: float) -> int:
    """Decide on a `clientmsgid`: `known` holds the instants of its acceptance and last attempt."""
    if known is None:
        return OK
    accepted_at, last_at = known
    if now - accepted_at >= CLIENTMSGID_CHECKED_S:
        return OK
    return SAME_CLIENTMSGID_TOO_SOON if now - last_at < retry_s else SAME_CLIENTMSGID
