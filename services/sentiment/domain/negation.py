"""Which negations cancel each other, so that they must not be counted.

«没有不满意的地方» says satisfied, but its n-grams say dissatisfied twice. The characters of such a pair
are blanked, in place, before features are taken; the text itself stays as it is.
"""

from __future__ import annotations

import re
from typing import Final

BLANK: Final = "\ue000"  # private use: the normaliser lets none through

_TRIGGERS: Final = ("是不", "有不", "没不", "么不", "次不", "个不", "点不", "人不", "由不", "能不",
                    "得不", "会不", "说不", "无不", "非不", "方不", "处不")  # fmt: skip
_PAIR: Final = re.compile(
    r"(?:"
    r"(?<!是)不是不(?![是同])"
    r"|(?:从来|从|并|也|都)?没有?(?:什么|任何|哪里|哪[一]?[次个点]|[一半][次个点处]|人|谁|理由|地方|让我|觉得)?"
    r"(?:觉得)?不(?![是知同到断久少错])"
    r"|(?<![能会得])不(?:能|得|会|可能|可|可以)不(?![会能得])"
    r"|(?<!能)不能说不"
    r"|无不|并?非不(?!是)"
    r")"
)


def blank_double_negation(joined: str) -> str:
    """The batch with the characters of each cancelling pair blanked; same length."""
    if not any(trigger in joined for trigger in _TRIGGERS):
        return joined
    return _PAIR.sub(_blank, joined)


def _blank(match: re.Match[str]) -> str:
    return BLANK * len(match[0])
