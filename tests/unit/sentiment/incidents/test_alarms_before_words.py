"""What a channel is called with next: a new grave alarm finds room, whatever else waits."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.channels.wecom_robot import MARKDOWN_BYTES
from services.sentiment.domain.incidents.incident import Incident
from services.sentiment.domain.paging.digest import MOST_WORDS, digest
from services.sentiment.domain.paging.dispatch import (
    MINUTE_MS,
    WORDS_APART_MS,
    Due,
    Limits,
    Used,
    choose,
)
from services.sentiment.domain.paging.escalation import Action, WantedPage
from services.sentiment.domain.paging.pages import new_page
from tests.unit.sentiment.incidents.builders import NOON, incident

ROBOT = Limits(per_minute=20, folds=True)
PAGER = Limits(per_minute=120)


def due(number: int, action: Action, *, severity: int = 2, step: int = 0, at: int = NOON) -> Due:
    about = incident(id=f"wechat:gh:food_safety:{number}", severity=severity, step=step)
    wanted = WantedPage(
        incident=about.id,
        account="wechat:gh",
        step=step,
        channel="robot",
        action=action,
        due_at=at,
        why="not_acknowledged" if step else "",
    )
    return Due(new_page(wanted), about)


def simulate(limits: Limits, arrivals: dict[int, list[Due]], seconds: int) -> dict[str, int]:
    """Call each second what may be called; answers at which second each row was."""
    used, waiting, called = Used(), list[Due](), dict[str, int]()
    times: list[int] = []
    for second in range(seconds):
        waiting += arrivals.get(second, [])
        now = NOON + second * 1000
        for call in choose(waiting, limits, used, now).calls:
            used.note(call, now)
            times.append(now)
            called.update({one.page.id: second for one in call})
            waiting = [one for one in waiting if one not in call]
        assert sum(now - MINUTE_MS < at for at in times) <= (limits.per_minute or 1e9)
    return called


arrivals_of_others = st.dictionaries(
    st.integers(0, 100),
    st.lists(
        st.tuples(
            st.sampled_from(("acknowledge", "resolve", "repeated", "mild")), st.integers(0, 60)
        ),
        max_size=40,
    ),
    max_size=12,
)


@given(others=arrivals_of_others, second=st.integers(0, 110))
def test_a_new_grave_page_leaves_within_five_seconds_whatever_else_waits(
    others: dict[int, list[tuple[str, int]]], second: int
) -> None:
    arrivals: dict[int, list[Due]] = {}
    for at, rows in others.items():
        for kind, number in rows:
            row = {
                "acknowledge": due(number, "acknowledge"),
                "resolve": due(number, "resolve"),
                "repeated": due(number, "trigger", severity=3, step=1 + number % 5),
                "mild": due(number, "trigger", severity=0),
            }[kind]
            arrivals.setdefault(at, []).append(row)
    grave = due(999, "trigger", severity=3, at=NOON + second * 1000)
    arrivals.setdefault(second, []).append(grave)
    called = simulate(ROBOT, arrivals, second + 6)
    assert called[grave.page.id] - second <= 5


def test_forty_words_become_a_few_messages_and_all_of_them_are_told() -> None:
    rows = [due(number, "acknowledge") for number in range(40)]
    called = simulate(ROBOT, {0: rows}, 60)
    assert set(called) == {row.page.id for row in rows}
    assert len(set(called.values())) == -(-40 // MOST_WORDS)


def test_words_for_a_machine_are_not_folded_and_leave_it_room() -> None:
    rows = [due(number, "resolve") for number in range(200)]
    chosen = choose(rows, PAGER, Used(), NOON)
    assert [len(call) for call in chosen.calls] == [1] * 60
    assert chosen.again_at == NOON + MINUTE_MS


def test_the_first_word_goes_at_once_and_the_next_ones_together_a_little_later() -> None:
    used = Used()
    first = choose([due(1, "acknowledge")], ROBOT, used, NOON)
    assert [len(call) for call in first.calls] == [1]
    used.note(first.calls[0], NOON)
    more = [due(2, "acknowledge"), due(3, "resolve")]
    assert choose(more, ROBOT, used, NOON + 1).calls == ()
    assert choose(more, ROBOT, used, NOON + 1).again_at == NOON + WORDS_APART_MS
    later = choose(more, ROBOT, used, NOON + WORDS_APART_MS)
    assert [len(call) for call in later.calls] == [2]


def test_words_rest_where_the_channel_asked_for_it_and_alarms_do_not() -> None:
    used = Used(words_rest_until=NOON + 30_000)
    rows = [due(1, "acknowledge"), due(2, "trigger")]
    chosen = choose(rows, ROBOT, used, NOON)
    assert [call[0].alarm for call in chosen.calls] == [True]
    assert chosen.again_at == NOON + 30_000


def test_the_gravest_new_alarm_is_the_first() -> None:
    rows = [
        due(1, "trigger", severity=2),
        due(2, "trigger", severity=3, step=4),
        due(3, "trigger", severity=1),
        due(4, "trigger", severity=3),
    ]
    chosen = choose(rows, ROBOT, Used(), NOON)
    assert [call[0].incident.id[-1] for call in chosen.calls] == ["4", "1", "2", "3"]


def test_pages_of_one_incident_keep_their_order() -> None:
    rows = [due(1, "trigger", step=2), due(1, "trigger", step=1)]
    chosen = choose(rows, ROBOT, Used(), NOON)
    assert [[one.page.wanted.step for one in call] for call in chosen.calls] == [[1]]


@given(
    accounts=st.lists(st.text(min_size=1, max_size=64), min_size=MOST_WORDS, max_size=MOST_WORDS),
    who=st.text(max_size=40),
)
def test_a_folded_message_fits_a_robots_bytes_with_every_line(
    accounts: list[str], who: str
) -> None:
    words: list[tuple[Action, Incident]] = [
        ("acknowledge", replace(incident(), account=f"weibo:{account}", acknowledged_by=who))
        for account in accounts
    ]
    text = digest(words, "zh")
    whole = "\n".join([f"**{text.summary}**", *text.facts])
    assert len(text.facts) == MOST_WORDS
    assert len(whole.encode("utf-8", "replace")) <= MARKDOWN_BYTES
