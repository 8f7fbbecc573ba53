"""Which negations cancel each other, so that they must not be counted.

«没有不满意的地方» says satisfied, but its n-grams say dissatisfied twice. The characters of such a
pair are blanked, in place, before features are taken; the text itself stays as it is.
"""

from __future__ import annotations

import re
from typing import Final

BLANK: Final = "\ue000"  # private use: the normaliser lets none through

# Every branch begins with a letter of its own, so that a search skips quickly to one of them.
_BETWEEN: Final = (
    r"(?:什么|任何|哪里|哪一?[次个点]|[一半][次个点处]|人|谁|理由|地方|让我)?(?:觉得)?"
)
_PAIR: Final = re.compile(
    r"不(?<!是不)是不(?![是同])"
    r"|不(?<![能会得]不)(?:能|得|会|可能|可以|可)不(?![会能得])"
    r"|不(?<!能不)能说不"
    rf"|没有?{_BETWEEN}不(?![是知同到断久少错])"
    r"|无不"
    r"|非不(?!是)"
)


def blank_double_negation(joined: str) -> str:
    """The batch with the characters of each cancelling pair blanked; same length."""
    return _PAIR.sub(_blank, joined)


def _blank(match: re.Match[str]) -> str:
    return BLANK * len(match[0])
