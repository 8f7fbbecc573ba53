"""What fans write is shown to staff, and a chat client makes no link of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.sentiment.domain.incidents.comments import fingerprint, staff_text
from services.sentiment.domain.paging.harmless import MOST_CHARS, harmless, unlinked
from services.sentiment.domain.paging.incident_page import incident_html
from services.sentiment.domain.paging.page_text import page_text
from tests.unit.sentiment.incidents.builders import PRIOR, incident

DOT = r"[.。．｡․﹒]"
LABEL = r"[^\W_](?:[\w-]*\w)?"
LINKS = {
    "a scheme": re.compile(r"[a-z][a-z0-9+.-]*:\S", re.IGNORECASE),
    "a host": re.compile(rf"{LABEL}(?:{DOT}{LABEL})*{DOT}(?!\d+(?:\W|$))[^\W_]"),
    "an address": re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}"),
    "a mail address": re.compile(rf"[\w+-]+[@＠][\w-]+{DOT}[^\W_]"),
    "markdown": re.compile(r"\[[^\]]*\]\("),
    "a telephone number": re.compile(r"\d(?:[ ()+/\u2010-\u2015\u2212-]{0,2}\d){6,}"),
}
"""What chat clients look for, written apart from the code that hides it."""

hosts = st.sampled_from(
    [
        "www.evil.example",
        "evil.com",
        "例子.中国",
        "例子。中国",
        "ｗｗｗ．ｅｖｉｌ．ｃｏｍ",
        "evil｡com",
        "xn--fsqu00a.xn--0zwm56d",
        "bücher.example",
        "1.2.3.4",
        "a.b.c.d.e.f",
        "evil\u200b.com",
        "evil.\ufe0fcom",
    ]
)
links = st.one_of(
    hosts,
    hosts.map("https://{}/i/eyJ".format),
    hosts.map("http：//{}".format),
    hosts.map("//{}:8080/x?y=1".format),
    hosts.map("weixin://dl/{}".format),
    hosts.map("[查看并确认](http://{})".format),
    hosts.map("<https://{}|查看>".format),
    hosts.map("staff@{}".format),
    hosts.map("mailto:a.b+c@{}".format),
    st.sampled_from(
        [
            "tel:10086",
            "ed2k:abc",
            "13800138000",
            "138 0013 8000",
            "400-123-4567",
            "+86 (10) 6552-9988",
            "13 80 01 38 00 0",
            "1 3 8 0 0 1 3 8 0 0 0",
            "138—0013—8000",
            "138−0013−8000",
            "138 / 0013 / 8000",
            "95 588 123",
        ]
    ),
)


@given(before=st.text(max_size=30), link=links, after=st.text(max_size=30))
@example(before="查看并确认：", link="www.evil.example/i/eyJ", after="")
@example(before="", link="evil&#46;com", after="")
@example(before="", link="evil\\.com", after="")
def test_a_chat_makes_no_link_of_what_a_fan_writes(before: str, link: str, after: str) -> None:
    safe = harmless(staff_text(before + link + after))
    for name, what in LINKS.items():
        found = what.search(safe)
        assert found is None, f"{name} in {safe!r}"
    assert not set("<>[]`*#@&\\") & set(safe)


@given(st.lists(st.sampled_from([*"ab1.。．:/@-(例 ", "\u200b", "..", "12", "333"]), max_size=60))
def test_no_mixture_of_its_signs_is_a_link(signs: list[str]) -> None:
    safe = harmless("".join(signs))
    for name, what in LINKS.items():
        assert not what.search(safe), f"{name} in {safe!r}"


@pytest.mark.parametrize(
    "text",
    [
        "打了3.5分，退了12.80元",
        "12:30 到店，等了 2 小时",
        "10:00-12:30 没人",
        "太差了！再也不来。",
        "第3次了……",
    ],
)
def test_what_is_no_link_reads_as_it_was_written(text: str) -> None:
    assert harmless(text) == text


def test_a_number_in_groups_keeps_what_stands_around_it() -> None:
    assert harmless("打 13 80 01 38 00 0 谢谢") == "打 13·80·01·38·00·0 谢谢"
    assert harmless("（138—0013—8000）") == "（138·0013·8000）"


def test_what_is_broken_can_still_be_read() -> None:
    assert harmless("看 www.evil.example/a") == "看 www. evil. example/a"
    assert harmless("打 13800138000") == "打 1380·0138·000"
    assert harmless("[点我](http://e.c)") == "【点我】(http：//e. c)"


@pytest.mark.parametrize("piece", ["1.", "a.", "1 ", "-1", "。", "http:", "a@", "\u0301", "138-"])
def test_a_long_text_is_cut_before_it_is_read(piece: str) -> None:
    assert len(harmless(piece * 40_000)) <= 2 * MOST_CHARS + 1


@given(link=links)
def test_neither_pages_nor_the_page_behind_the_link_have_a_strangers_link(link: str) -> None:
    one = incident(status="acknowledged", acknowledged_by=link, acknowledged_at=1)
    comment = staff_text(f"查看并确认：{link}")
    for action in ("trigger", "acknowledge"):
        text = page_text(
            one,
            action=action,
            step=0,
            samples=[comment],
            link="https://staff.example/i/token",
            prior=PRIOR,
            language="zh",
        )
        for words in text.samples if action == "trigger" else text.facts:
            assert not any(what.search(words) for what in LINKS.values())
    shown = incident_html(one, [comment], PRIOR, "zh")
    assert comment == unlinked(comment) or comment not in shown


def test_a_run_of_marks_is_bounded_before_a_text_is_compared() -> None:
    """Normalising takes quadratic time in it."""
    assert fingerprint("\u0301\u0327" * 900) == fingerprint("\u0301\u0327" * 4)
    assert fingerprint("e\u0301") == fingerprint("\u00e9") != fingerprint("e")
