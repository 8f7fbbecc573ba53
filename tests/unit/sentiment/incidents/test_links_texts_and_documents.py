"""Signed links, what counts as negative, words for staff, and the way into documents and back."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.domain import documents
from services.sentiment.domain.incidents.comments import (
    STAFF_TEXT_CHARS,
    fingerprint,
    is_negative,
    pseudonym,
    staff_text,
)
from services.sentiment.domain.incidents.incident import (
    AccountIncidents,
    Known,
    StepWhy,
    account_of,
)
from services.sentiment.domain.incidents.subjects import SUBJECTS, subject_of
from services.sentiment.domain.incidents.usual import HOUR_MS, HourCounts, Prior, Usual, fold_hour
from services.sentiment.domain.paging.escalation import Policy, Step, wanted_pages
from services.sentiment.domain.paging.harmless import harmless
from services.sentiment.domain.paging.incident_page import (
    CONTENT_SECURITY_POLICY,
    cleaned_name,
    expired_html,
    incident_html,
)
from services.sentiment.domain.paging.links import Opens, Refused, sign, verify
from services.sentiment.domain.paging.page_text import SUBJECT_NAMES, Language, page_text
from services.sentiment.domain.paging.pages import Outcome, answered, new_page
from services.sentiment.domain.verdict import Aspect, Hazard
from tests.unit.sentiment.incidents.builders import NOON, PRIOR, incident

SECRET, OLD_SECRET = b"s" * 32, b"o" * 32
LANGUAGES: tuple[Language, ...] = ("zh", "en")


@given(name=st.text(min_size=1, max_size=80), expires=st.integers(1, 2**45))
def test_a_link_opens_its_incident_until_it_expires(name: str, expires: int) -> None:
    name = name.encode("utf-8", "replace").decode()
    token = sign(name, expires, SECRET)
    assert verify(token, expires - 1, [SECRET]) == Opens(name)
    assert verify(token, expires, [SECRET]) == Refused("expired")


@given(position=st.integers(0, 200), letter=st.sampled_from("ABCxyz019-_.="))
def test_a_link_that_was_changed_anywhere_opens_nothing(position: int, letter: str) -> None:
    token = sign("wechat:gh_brand:food_safety:1", NOON, SECRET)
    position %= len(token)
    changed = token[:position] + letter + token[position + 1 :]
    if changed != token:
        assert isinstance(verify(changed, NOON - 1, [SECRET]), Refused)


@given(st.text(max_size=300))
def test_nonsense_is_no_link(token: str) -> None:
    assert isinstance(verify(token, NOON, [SECRET]), Refused)


def test_links_signed_with_the_secret_before_stay_good_while_it_is_listed() -> None:
    token = sign("i", NOON, OLD_SECRET)
    assert verify(token, 0, [SECRET, OLD_SECRET]) == Opens("i")
    assert verify(token, 0, [SECRET]) == Refused("forged")


@pytest.mark.parametrize(
    ("label", "p", "severity", "kind", "counts"),
    [
        ("neg", 0.9, 0, "complaint", True),
        ("neg", 0.4, 0, "complaint", False),
        ("neu", 0.1, 3, "complaint", True),  # calm and grave
        ("pos", 0.1, 2, "complaint", True),
        ("neu", 0.1, 1, "question", False),
        ("neu", 0.1, 3, "question", False),
        ("neg", 0.9, 3, "spam", False),
        ("pos", 0.0, 0, "praise", False),
    ],
)
def test_what_counts_as_negative(
    label: str,
    p: float,
    severity: int,
    kind: str,
    counts: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert is_negative(label, p, severity, kind, threshold=0.5) is counts


@pytest.mark.parametrize(
    "copy", ["服务太差了！！", "服务 太差了", "服务太差了😡", "服务太差了。", "服务太差了\u200b"]
)
def test_copies_of_a_text_have_one_fingerprint(copy: str) -> None:
    assert fingerprint(copy) == fingerprint("服务太差了")
    assert fingerprint("服务还行") != fingerprint("服务太差了")


@given(st.text(max_size=2000))
def test_the_words_for_staff_are_one_short_storable_line(text: str) -> None:
    line = staff_text(text)
    assert len(line) <= STAFF_TEXT_CHARS
    assert line.encode().decode() == line
    assert "\n" not in line
    assert fingerprint(text)


def test_lone_surrogates_do_no_harm() -> None:
    assert staff_text("差\ud800评") == "差?评"
    assert fingerprint("\ud800")


def test_a_pseudonym_depends_on_account_and_secret() -> None:
    names = {
        pseudonym(SECRET, "wechat:a", "fan"),
        pseudonym(SECRET, "wechat:b", "fan"),
        pseudonym(OLD_SECRET, "wechat:a", "fan"),
        pseudonym(SECRET, "wechat:a", "nobody"),
    }
    assert len(names) == 4


@pytest.mark.parametrize("hazard", get_args(Hazard))
def test_every_hazard_of_the_model_has_a_subject(hazard: str) -> None:
    assert subject_of([(hazard, 2)], None) not in {"general", ""}


@pytest.mark.parametrize("aspect", get_args(Aspect))
def test_every_aspect_of_the_model_has_a_subject(aspect: str) -> None:
    assert subject_of([], aspect) != "general"


def test_the_gravest_hazard_names_the_subject() -> None:
    assert subject_of([("food", 1), ("legal", 2)], "price") == "legal"
    assert subject_of([("injury", 3), ("food", 3)], None) == "food_safety"
    assert subject_of([], None) == "general"


def test_an_injury_belongs_to_the_crisis_that_caused_it() -> None:
    assert subject_of([("injury", 3), ("food", 2)], None, "拉肚子,进了急诊") == "food_safety"
    assert subject_of([("injury", 3)], None, "吃了蛋糕,寿星送医院了") == "food_safety"
    assert subject_of([("injury", 3), ("food", 1)], None, "电池炸了,住院") == "product_safety"
    assert subject_of([("injury", 3), ("safety", 2)], None, "喝水的杯子烫手") == "product_safety"
    assert subject_of([("injury", 2), ("legal", 3)], None, "吃坏了,起诉") == "legal"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_subject_has_a_name_in_every_language(language: Language) -> None:
    assert set(SUBJECT_NAMES[language]) == set(SUBJECTS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("action", ["trigger", "acknowledge", "resolve"])
@pytest.mark.parametrize("source", ["prior", "average", "hour_of_day", "hour_of_week"])
def test_a_page_has_words_for_everything_that_may_happen(
    language: Language, action: str, source: str
) -> None:
    one = incident()
    one = replace(
        one,
        reason=replace(
            one.reason,
            source=source,  # type: ignore[arg-type]  # every value of the Literal
            times=4,
            copied_people=7,
            late=True,
        ),
        acknowledged_by="王",
        resolved_by="王",
        resolution="by_hand",
    )
    text = page_text(
        one,
        action=action,  # type: ignore[arg-type]  # every value of the Literal
        step=2,
        samples=["中毒了"],
        link="https://staff.example/i/x",
        prior=Prior(),
        language=language,
    )
    assert "None" not in repr(text)
    if action == "trigger":
        assert any("7" in fact for fact in text.facts)
        assert text.samples == ("中毒了",)
    else:
        assert text.samples == ()


@pytest.mark.parametrize(
    ("step", "why", "zh", "en"),
    [
        (4, "worse", "【已确认后恶化】", "[Worse since acknowledged]"),
        (
            5,
            "not_acknowledged",
            "【已确认后恶化·第1次升级·无人确认】",
            "[Worse since acknowledged, Escalation 1, unacknowledged]",
        ),
        (
            6,
            "severity_rose",
            "【已确认后恶化·第2次升级·严重度上升】",
            "[Worse since acknowledged, Escalation 2, severity rose]",
        ),
    ],
)
def test_a_page_after_an_acknowledgement_says_why_and_what_was_known(
    step: int, why: StepWhy, zh: str, en: str
) -> None:
    one = incident(
        step=step, round=1, round_step=4, step_why=why, known=Known(2, 6, NOON, "王"), people=46
    )
    for language, head, known in (("zh", zh, "共 6 人"), ("en", en, "6 people")):
        text = page_text(
            one,
            action="trigger",
            step=step,
            samples=[],
            link="l",
            prior=PRIOR,
            language=language,  # type: ignore[arg-type]  # both of the Literal
            why=why,
        )
        assert text.summary.startswith(head)
        assert "王" in text.facts[0]
        assert known in text.facts[0]
        assert "46" in text.facts[0]


@pytest.mark.parametrize("words", ["<@all>", "[点我](http://evil.example)", "**x**", "http://e.c"])
def test_fans_words_can_neither_mention_nor_link_in_a_chat(words: str) -> None:
    safe = harmless(words)
    assert not set("<>[]`*#@") & set(safe)
    assert "://" not in safe
    page = page_text(
        incident(),
        action="trigger",
        step=0,
        samples=[words],
        link="l",
        prior=PRIOR,
        language="zh",
    )
    assert page.samples == (safe,)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", ["open", "acknowledged", "resolved"])
def test_the_page_behind_the_link_escapes_everything(language: Language, status: str) -> None:
    one = incident(
        status=status, acknowledged_by="<b>x", acknowledged_at=NOON, resolved_at=NOON,
        account='wechat:"><script>alert(1)</script>',
    )  # fmt: skip
    page = incident_html(one, ["<img src=x onerror=alert(1)>", "好<b>"], PRIOR, language)
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>" not in page
    assert "&lt;img" in page
    assert page.count("<form") == {"open": 3, "acknowledged": 2, "resolved": 0}[status]


def test_the_page_may_run_no_script_and_load_nothing() -> None:
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "script-src" not in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "失效" in expired_html("zh")


@given(st.text(max_size=200))
def test_a_typed_name_is_short_and_harmless(name: str) -> None:
    clean = cleaned_name(name, "link")
    assert 0 < len(clean) <= 40
    assert not set("<>@[]`\n") & set(clean)


def test_an_incident_comes_back_from_its_document_as_it_was() -> None:
    known = Known(2, 6, NOON, "王")
    again = incident(id="wechat:gh_brand:price:2", known=known, round=1, step_why="worse")
    state = AccountIncidents(7, 2, (incident(), again))
    assert documents.load_incidents(documents.dump_incidents(state)) == state
    assert documents.load_incidents({}) == AccountIncidents()


def test_a_page_comes_back_from_its_document_as_it_was() -> None:
    wanted = wanted_pages(incident(step=1), Policy((Step(0, ("a",)), Step(1, ("b",), ("@x",)))))
    page = answered(new_page(wanted[0]), Outcome("throttled", "429", 3.0), NOON, 0.5)
    assert documents.load_page(documents.dump_page(page)) == page
    assert documents.load_page({}) is None


def test_history_comes_back_from_its_document_as_it_was() -> None:
    usual = fold_hour(Usual(), PRIOR, NOON, HourCounts({"price": 3, "price_severe": 1}, 3, 40))
    assert documents.load_usual(documents.dump_usual(usual)) == usual
    assert usual.folded_upto == NOON + HOUR_MS


def test_a_comment_comes_back_from_its_document_as_it_was() -> None:
    comment = documents.StoredComment(account="wechat:a", at=NOON, reasons=("food:3:中毒",))
    assert documents.load_comment(documents.dump_comment(comment)) == comment


def test_the_account_is_read_from_an_incidents_id() -> None:
    assert account_of("weibo:17:29:price:12") == "weibo:17:29"
