"""Opting out and in by keyword: which messages of a fan are a decision about pushes.

Only a message that is one of these as a whole counts; a sentence that contains one does not. Both
are compared folded (`shared.text`), by their letters and digits alone: case, width, traditional
characters, spaces and punctuation make no difference.

Whoever asks for it by a usual sentence must not get another push, so the list of ways out is long;
the way in is short, since it is asked for on purpose.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from shared.text import fold

OPT_OUT_WORDS: Final = (
    # What text messages in China name: 回T退订, 拒收请回复R.
    "T", "TD", "TDD", "回T", "回TD", "回复T", "回复TD", "T退订", "TD退订", "R", "回R", "回复R",
    "退订", "我要退订", "我想退订", "请退订", "请帮我退订", "帮我退订", "申请退订", "退订推送",
    "退订消息", "退订短信", "退订广告", "退订吧", "全部退订", "确认退订",
    "取消订阅", "我要取消订阅", "我想取消订阅", "请取消订阅", "退出订阅", "不订阅了", "不想订阅了",
    "取消推送", "我要取消推送", "停止推送", "关闭推送", "退出推送", "拒绝推送", "屏蔽推送",
    "不要推送", "不要推送了", "不要再推送", "不要再推送了", "别推送了", "别再推送", "别再推送了",
    "不需要推送", "不想收到推送", "不想再收到推送", "不接收推送", "不再接收推送",
    "拒收", "我要拒收", "拒收推送", "拒收消息", "拒收广告", "拒绝接收", "不再接收",
    "不要发了", "不要再发了", "不要再发", "不要再发消息了", "不要再发广告了", "不要给我发了",
    "不要给我发消息", "不要给我发消息了", "不要再给我发了", "不要再给我发消息",
    "不要再给我发消息了",
    "不要再给我发广告", "不要再给我发广告了", "请不要再发", "请不要再发了", "请不要再给我发消息",
    "别发了", "别再发了", "别再发", "别给我发了", "别给我发消息了", "别再给我发了",
    "别再给我发消息了", "别再给我发广告了", "停止发送", "停止发消息", "取消发送", "不想收到",
    "不想再收到", "不想收到消息", "不想再收到消息", "不想收到广告", "不想再收到广告",
    "不要打扰", "不要打扰我", "不要再打扰", "不要再打扰我", "别打扰我", "别再打扰我", "请勿打扰",
    "请勿再打扰", "不要骚扰", "不要骚扰我", "不要再骚扰我", "别骚扰我", "别再骚扰我",
    "stop", "stop all", "please stop", "stop it", "stop sending", "stop messages",
    "stop messaging me", "stop sending me messages", "stop texting me", "end", "quit", "cancel",
    "cancel subscription", "cancel my subscription", "revoke", "remove me",
    "unsubscribe", "unsubscribe me", "please unsubscribe", "please unsubscribe me",
    "i want to unsubscribe", "opt out", "opt me out", "please opt me out", "i want to opt out",
    "no more messages", "do not disturb", "don't message me", "do not message me",
)  # fmt: skip
OPT_IN_WORDS: Final = (
    "订阅", "我要订阅", "我想订阅", "DY", "回复DY", "恢复订阅", "我要恢复订阅", "重新订阅",
    "我要重新订阅", "订阅推送", "恢复推送", "我要恢复推送", "重新推送", "开启推送", "打开推送",
    "subscribe", "subscribe me", "resubscribe", "start", "unstop", "resume", "opt in",
    "opt me in", "i want to subscribe",
)  # fmt: skip
HOW_WORDS_COUNT: Final = (
    "A message counts if it is one of these as a whole; a sentence that contains one does not."
    " Upper and lower case, full and half width, traditional and simplified characters, spaces,"
    " punctuation and emoji make no difference."
)
_LONGEST_MESSAGE: Final = 64
"""Characters. The longest of these is half as long; the rest is for spaces and punctuation."""


def _letters(text: str) -> str:
    folded = fold(text, _LONGEST_MESSAGE)
    return "".join(one for one in folded if unicodedata.category(one)[0] in "LN")


_OUT: Final = frozenset(map(_letters, OPT_OUT_WORDS))
_IN: Final = frozenset(map(_letters, OPT_IN_WORDS))


def read_preference(text: str) -> bool | None:
    """True for opting out, False for opting in again, None for everything else."""
    if len(text) > _LONGEST_MESSAGE:
        return None
    letters = _letters(text)
    if letters in _OUT:
        return True
    return False if letters in _IN else None
