"""Words of strangers, so that a chat shows them and does nothing with them. Pure.

Chat clients make links of more than URLs: of bare domains (also with Chinese labels and full-width
dots), mail addresses, IP addresses, telephone numbers, and of what markdown says. A page whose
quoted comment looks like the page's own link is a trap for whoever is in a hurry. So each of these
is broken in a way that a person can still read. One pass each, linear in the text.
"""

from __future__ import annotations

from collections.abc import Iterator

_MARKS = str.maketrans("<>[]`*#@&\\~|", "＜＞【】＇＊＃＠＆＼～｜")
"""Mentions, markdown, HTML entities and escapes; each looks the same in its wide form."""
_DOTS = frozenset(".。．｡․﹒" + "".join(map(chr, range(0x2488, 0x249C))))
"""What stands for a dot in a domain (RFC 3490, 3.1), and what folds to one (⒈ is "1.")."""
_COLONS = frozenset(":：﹕︓")
_CALLABLE_DIGITS = 7
"""From so many digits on clients offer to call the number."""
_GROUP = 4
_APART = "·"
MOST_CHARS = 2_000
"""No comment is kept longer; the rest of a longer text is left out."""
_JOINTS = frozenset(" ()（）+＋/／⁄-‐‑‒–—―−﹘﹣－")
"""May stand between the digits of one telephone number, in whatever groups it is written."""


def harmless(text: str) -> str:
    """Words of strangers, so that they neither mention staff nor link nor format in a chat."""
    return unlinked(text).translate(_MARKS)


def unlinked(text: str) -> str:
    """The same where marks do nothing, as in our own HTML: only what clients make links of."""
    seen = (" " if char.isspace() else char for char in text[:MOST_CHARS] if _shown(char))
    return _numbers(_hosts("".join(seen)))


def _shown(char: str) -> bool:
    return char.isprintable() or char.isspace()  # what is neither would hide a name from us


def _hosts(text: str) -> str:
    """Break schemes and domains: a space after the dot, a wide colon after a scheme."""
    kept: list[str] = []
    for at, char in enumerate(text):
        after = text[at + 1 : at + 2]
        if char in _COLONS and (after == "/" or _ends_scheme(text, at)):
            kept.append("：")
        elif char in _DOTS and _joins(after) and not _is_decimal(text, at):
            kept.append(char + " ")
        else:
            kept.append(char)
    return "".join(kept)


def _ends_scheme(text: str, colon: int) -> bool:
    """Whether a letter is among the signs of a scheme before the colon, as in `ed2k:`, not `12:`.

    No sign is looked at for two colons, so a text stays linear.
    """
    at = colon
    while at > 0 and text[at - 1].isascii() and (text[at - 1].isalnum() or text[at - 1] in "+.-"):
        at -= 1
        if text[at].isalpha():
            return True
    return False


def _joins(char: str) -> bool:
    """Whether a dot before this character may lie inside a name."""
    return (
        bool(char)
        and not char.isspace()
        and char not in _DOTS
        and char not in "，。！？；：、）”』」"
    )


def _is_decimal(text: str, dot: int) -> bool:
    """Whether the dot is that of a number such as 3.5: one digit or more, up to four, each side.

    Four digits at most are looked at, so that a text of digits and dots stays linear.
    """
    if text[dot] != ".":
        return False
    left, right = dot, dot + 1
    while left > 0 and dot - left <= _GROUP and _digit(text[left - 1]):
        left -= 1
    while right < len(text) and right - dot <= _GROUP + 1 and _digit(text[right]):
        right += 1
    whole, share = dot - left, right - dot - 1
    if not 0 < whole <= _GROUP or not 0 < share <= _GROUP:
        return False
    return not (_names(text[left - 1 : left]) or _names(text[right : right + 1]))


def _digit(char: str) -> bool:
    return "0" <= char <= "9"


def _names(char: str) -> bool:
    """Whether a number beside this character may be part of a host's name or address."""
    joins = char in _DOTS or char in "-_:/@＠"
    return bool(char) and (joins or (char.isascii() and char.isalnum()))


def _numbers(text: str) -> str:
    """Write what could be a telephone number in groups that no client calls."""
    return "".join(
        _grouped(run) if sum(map(str.isdecimal, run)) >= _CALLABLE_DIGITS else run
        for run in _runs(text)
    )


def _runs(text: str) -> Iterator[str]:
    """The text in pieces: runs of digits with what may join them, and everything else."""
    start = at = 0
    while at < len(text):
        if not text[at].isdecimal():
            at += 1
            continue
        yield text[start:at]
        start = at
        while at < len(text) and (text[at].isdecimal() or text[at] in _JOINTS):
            at += 1
        yield text[start:at]
        start = at
    yield text[start:]


def _grouped(run: str) -> str:
    groups: list[str] = []
    for word in "".join(char if char.isdecimal() else " " for char in run).split():
        groups += [word[at : at + _GROUP] for at in range(0, len(word), _GROUP)]
    end = run[len(run.rstrip("".join(_JOINTS))) :]
    return _APART.join(groups) + end
