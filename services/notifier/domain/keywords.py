"""Opting out and in by keyword: which words of a fan are a decision about pushes.

Only a message that consists of the keyword counts; a sentence that contains it does not.
"""

from __future__ import annotations

import unicodedata
from typing import Final

OPT_OUT_WORDS: Final = frozenset(
    {
        "退订",
        "td",
        "取消订阅",
        "退订推送",
        "取消推送",
        "不要推送",
        "拒收",
        "拒收推送",
        "停止推送",
        "別再推送",
        "别再推送",
        "退訂",
        "取消訂閱",
        "stop",
        "unsubscribe",
    }
)
OPT_IN_WORDS: Final = frozenset(
    {
        "订阅",
        "訂閱",
        "dy",
        "恢复订阅",
        "恢复推送",
        "重新订阅",
        "订阅推送",
        "恢復訂閱",
        "subscribe",
    }
)
_LONGEST_WORD: Final = 32


def read_preference(text: str) -> bool | None:
    """True for opting out, False for opting in again, None for everything else."""
    if len(text) > _LONGEST_WORD:
        return None
    folded = unicodedata.normalize("NFKC", text).casefold()
    word = "".join(char for char in folded if unicodedata.category(char)[0] in "LN")
    if word in OPT_OUT_WORDS:
        return True
    return False if word in OPT_IN_WORDS else None
