"""The demo's story as data: who does what, in which order, decided by a seed alone.

Part of what happens is troublesome on purpose: some answers get lost and are sent again, some
pushes arrive twice at the same moment, a few are forged.
"""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.sandbox.actions import Action, Forgery
from deploy.sandbox.control_api import NewComment
from deploy.sandbox.story import texts

SEED = 20261122

_LOST_ANSWER = 0.04  # share of pushes whose first answer gets lost
_TWICE = 0.04  # share of pushes that arrive twice at once
_FORGED = 0.02  # forged pushes beside genuine ones
_WITHOUT_SCENE = 0.1  # share of fans who follow without a QR code
_CURIOUS = 0.1  # share of fans who scan again, and of those who open the menu's link
_NAMELESS_EACH = 10  # each so-manieth ordinary comment has no openid
_LEAVERS = 6
_OPT_OUTS = 4
_OPENID_LETTERS = string.ascii_letters + string.digits + "_-"
_OPENID_LENGTH = 28
_WEIBO_UIDS = (1_000_000_000, 7_999_999_999)


@dataclass(frozen=True, slots=True)
class Cast:
    """The accounts and the fans of a story."""

    wechat: str
    weibo: str
    shop: str
    wechat_fans: tuple[str, ...]
    weibo_fans: tuple[str, ...]

    @property
    def fans(self) -> list[tuple[str, str]]:
        """Every fan with the account that the fan follows."""
        return [(self.wechat, fan) for fan in self.wechat_fans] + [
            (self.weibo, fan) for fan in self.weibo_fans
        ]


def invent_cast(
    wechat: str, weibo: str, shop: str, *, wechat_fans: int, weibo_fans: int, seed: int = SEED
) -> Cast:
    """Return a cast with fans invented from the seed."""
    rng = random.Random(f"{seed}:cast")
    openids = [
        "o" + "".join(rng.choices(_OPENID_LETTERS, k=_OPENID_LENGTH - 1))
        for _ in range(wechat_fans)
    ]
    uids = [str(uid) for uid in rng.sample(range(*_WEIBO_UIDS), weibo_fans)]
    return Cast(wechat, weibo, shop, tuple(openids), tuple(uids))


def follow_actions(cast: Cast, seed: int = SEED) -> list[Action]:
    """Every fan follows, nine of ten by a QR scene."""
    rng = random.Random(f"{seed}:follow")
    actions = []
    for account, fan in cast.fans:
        scene = "" if rng.random() < _WITHOUT_SCENE else rng.choice(texts.SCENES)
        kind = "subscribe"
        if account == cast.weibo:
            kind = "scan_follow" if scene else "follow"
        actions.append(Action(account=account, kind=kind, fan=fan, key=scene))
    return _trouble(actions, cast, rng)


def talk_actions(cast: Cast, seed: int = SEED) -> list[Action]:
    """Fans write, click, scan and look; some of them a lot. No fan repeats a key or a text."""
    rng = random.Random(f"{seed}:talk")
    actions = []
    for account, fan in cast.fans:
        own = [
            Action(account=account, kind="text", fan=fan, text=text)
            for text in _lines(rng, rng.choice((0, 1, 1, 2)))
        ]
        own += [
            Action(account=account, kind="click", fan=fan, key=key)
            for key in rng.sample(texts.MENU_KEYS, rng.choice((0, 0, 1, 2, 3, 4)))
        ]
        if rng.random() < _CURIOUS:
            own.append(Action(account=account, kind="scan", fan=fan, key=rng.choice(texts.SCENES)))
        if rng.random() < _CURIOUS:
            own.append(Action(account=account, kind="view", fan=fan, key=texts.LINK))
        rng.shuffle(own)
        actions += own
    for account, fan in rng.sample(cast.fans, min(_OPT_OUTS, len(cast.fans))):
        actions.append(Action(account=account, kind="text", fan=fan, text=texts.OPT_OUT))
    return _trouble(actions, cast, rng)


def purchase_actions(cast: Cast, seed: int = SEED) -> list[Action]:
    """A third of the fans buys something, a few of them twice; the shop tells by signed posts."""
    rng = random.Random(f"{seed}:purchase")
    fans = cast.fans
    buyers = rng.sample(fans, len(fans) // 3)
    actions = []
    for number, (account, fan) in enumerate([*buyers, *buyers[: len(buyers) // 6]]):
        goods = rng.sample(texts.GOODS, rng.choice((1, 1, 2, 3)))
        order = {
            "platform": "weibo" if account == cast.weibo else "wechat",
            "account": account,
            "order_id": f"A{seed}-{number:04d}",
            "amount_minor": sum(price for _name, price in goods),
            "currency": "CNY",
            "items": [name for name, _price in goods],
        }
        event_id = f"msg_{rng.getrandbits(96):024x}"
        actions.append(
            Action(account=cast.shop, kind="order.paid", fan=fan, fields=order, event_id=event_id)
        )
    return _trouble(actions, cast, rng)


def leave_actions(cast: Cast, seed: int = SEED) -> list[Action]:
    """A few fans of each platform leave again."""
    rng = random.Random(f"{seed}:leave")
    wechat = rng.sample(cast.wechat_fans, min(_LEAVERS, len(cast.wechat_fans)))
    weibo = rng.sample(cast.weibo_fans, min(_LEAVERS // 2, len(cast.weibo_fans)))
    return [Action(account=cast.wechat, kind="unsubscribe", fan=fan) for fan in wechat] + [
        Action(account=cast.weibo, kind="unfollow", fan=fan) for fan in weibo
    ]


def ordinary_comments(cast: Cast, seed: int = SEED) -> list[NewComment]:
    """Return friendly, neutral and grumbling comments; some writers have no openid."""
    rng = random.Random(f"{seed}:ordinary")
    lines = [*texts.FRIENDLY, *texts.NEUTRAL, *texts.GRUMBLES]
    rng.shuffle(lines)
    fans = _some_fans(rng, cast.wechat_fans, len(lines))
    return [
        NewComment(text=line, fan="" if number % _NAMELESS_EACH == _NAMELESS_EACH - 1 else fan)
        for number, (line, fan) in enumerate(zip(lines, fans, strict=True))
    ]


def complaints(cast: Cast, seed: int = SEED) -> list[NewComment]:
    """Return 25 complaints about food poisoning, by 25 different fans where there are as many."""
    rng = random.Random(f"{seed}:complaints")
    fans = _some_fans(rng, cast.wechat_fans, len(texts.COMPLAINTS))
    return [
        NewComment(text=line, fan=fan) for line, fan in zip(texts.COMPLAINTS, fans, strict=True)
    ]


def _lines(rng: random.Random, number: int) -> list[str]:
    pool = rng.choices((texts.CHATTER, texts.SHOPPING, texts.AFTER_SALES), weights=(6, 3, 1))[0]
    return rng.sample(pool, min(number, len(pool)))


def _some_fans(rng: random.Random, fans: Sequence[str], number: int) -> list[str]:
    if number <= len(fans):
        return rng.sample(fans, number)
    return rng.choices(fans, k=number)


def _trouble(actions: Sequence[Action], cast: Cast, rng: random.Random) -> list[Action]:
    """Return the actions mixed by fan, some re-sent, some doubled, forgeries in between."""
    played: list[Action] = []
    for action in actions:
        luck = rng.random()
        if luck < _LOST_ANSWER:
            # A shop's second pause is minutes long: too long for a story.
            times = 1 if action.account == cast.shop else rng.choice((1, 1, 2))
            played.append(action.model_copy(update={"lost_answers": times}))
        elif luck < _LOST_ANSWER + _TWICE:
            played.append(action.model_copy(update={"copies": 2}))
        else:
            played.append(action)
        if rng.random() < _FORGED:
            played.append(_forge(action, cast, rng))
    return played


def _forge(action: Action, cast: Cast, rng: random.Random) -> Action:
    forged: dict[str, object] = {"forge": rng.choice(tuple(Forgery)), "event_id": ""}
    if action.account != cast.shop:
        forged |= {"kind": "text", "text": "恭喜中奖，点击领取", "key": ""}
    return action.model_copy(update=forged)
