"""The stream of fan events that segmenter benches read: fixed seed, few fans with many events."""

from __future__ import annotations

import random
from collections.abc import Iterator

from shared.events import Event, FanFollowed, MenuClicked, MessageReceived, PurchaseMade, QrScanned

FANS = 20_000
BEGAN = 1_760_000_000_000
TEXTS = ("你好", "这个多少钱呀", "请问门店几点开门", "我要退款！", "谢谢，很喜欢这次的新品", "在吗")
KINDS = ("click", "message", "scan", "follow", "purchase")
SHARES = (60, 25, 5, 5, 5)


def stream(count: int) -> Iterator[tuple[str, Event]]:
    """(`ce_id`, event) pairs; the share of fan number r falls with (r + 10) ** 0.9."""
    chance = random.Random(7)
    fans = chance.choices(range(FANS), [1 / (r + 10) ** 0.9 for r in range(FANS)], k=count)
    kinds = chance.choices(KINDS, SHARES, k=count)
    for number, (fan, kind) in enumerate(zip(fans, kinds, strict=True)):
        yield f"{number:032x}", _event(kind, f"o{fan:027d}", BEGAN + number * 20, chance)


def _event(kind: str, fan: str, at: int, chance: random.Random) -> Event:
    who = {
        "occurred_at": at,
        "platform": "wechat",
        "account": "gh_0a1b2c3d4e5f",
        "fan": fan,
        "authenticated_by": "wechat_safe",
    }
    match kind:
        case "click":
            return MenuClicked.model_validate(who | {"menu_key": f"menu_{chance.randrange(5)}"})
        case "message":
            return MessageReceived.model_validate(
                who | {"message_type": "text", "text": chance.choice(TEXTS)}
            )
        case "scan":
            return QrScanned.model_validate(who | {"scene": f"store-{chance.randrange(50)}"})
        case "follow":
            return FanFollowed.model_validate(who | {"scene": f"store-{chance.randrange(50)}"})
        case _:
            order = {"order_id": f"order-{at}", "amount_minor": chance.randrange(900, 90_000)}
            return PurchaseMade.model_validate(who | order)
