"""What the brand plans in the demo: its campaigns, and how patient its on-call staff are. Data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.local.brand import WECHAT, WEIBO

GREETING, WEIBO_ANSWER, NEWS, DURING = "greeting", "weibo-answer", "autumn-news", "weekend-offer"
WECHAT_ACCOUNT, WEIBO_ACCOUNT = f"wechat:{WECHAT}", f"weibo:{WEIBO}"
WANTS_TO_BUY, STORE_VISITOR, BUYER = "想买", "门店来客", "已购"

TRIGGERED: tuple[dict[str, Any], ...] = (
    {
        "id": GREETING,
        "name": "想买的粉丝：问候与优惠券",
        "account": WECHAT_ACCOUNT,
        "channel": "wechat_customer_message",
        "trigger": {"tag": WANTS_TO_BUY},
        "content": {"text": "您好，新品本周八五折，回复“券”领取。"},
    },
    {
        "id": WEIBO_ANSWER,
        "name": "想买的粉丝：微博私信回复",
        "account": WEIBO_ACCOUNT,
        "channel": "weibo_reply",
        "trigger": {"tag": WANTS_TO_BUY},
        "content": {"text": "新品本周八五折，点击主页链接下单。"},
    },
)
"""Campaigns that a tag starts; planned before the fans write."""

MASS: dict[str, Any] = {
    "id": NEWS,
    "name": "门店来客：秋季新品",
    "account": WECHAT_ACCOUNT,
    "channel": "wechat_mass_send",
    "audience": {"tag": STORE_VISITOR},
    "content": {"article": "autumn-news-media-id"},
}
"""An article, under which fans will comment."""

IN_A_CRISIS: dict[str, Any] = {
    "id": DURING,
    "name": "老顾客：周末特惠",
    "account": WECHAT_ACCOUNT,
    "channel": "wechat_mass_send",
    "audience": {"tag": BUYER},
    "content": {"text": "周末特惠：老顾客满五十减十。"},
}
"""A promotion that is planned while an incident is open: it must wait."""

CAMPAIGNS = (GREETING, WEIBO_ANSWER, NEWS, DURING)

ENVIRONMENT: Mapping[str, str] = {
    "FAN_NOTIFIER_QUIET_HOURS": "",  # the demo may run at night
    "FAN_INGEST_COMMENT_POLL_EVERY_S": "0.5",
    "FAN_LOG_LEVEL": "info",
}
INCIDENTS: Mapping[str, Any] = {"quiet_minutes": 0.15}
ESCALATION: Mapping[str, Any] = {
    "steps": [
        {"channels": ["oncall-group"]},
        {"after_seconds": 4, "channels": ["oncall-group", "oncall-phone"]},
    ]
}
