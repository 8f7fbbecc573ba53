"""The push channels. To add one: a module here, and its line in `PUSH_CHANNELS`."""

from __future__ import annotations

from typing import Final

from services.notifier.channels.base import Channel
from services.notifier.channels.wechat_customer_message import WeChatCustomerMessage
from services.notifier.channels.wechat_mass_send import WeChatMassSend
from services.notifier.channels.weibo_reply import WeiboReply

PUSH_CHANNELS: Final[dict[str, type[Channel]]] = {
    channel.name: channel
    for channel in (
        WeChatCustomerMessage,
        WeChatMassSend,
        WeiboReply,
    )
}
