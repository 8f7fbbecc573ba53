"""WeChat's and Weibo's sending rules, with the platform's time as an argument."""

from __future__ import annotations

import calendar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sandbox.config import AccountKind
from deploy.sandbox.wechat import rules
from deploy.sandbox.wechat.rules import Fan, Trigger, charge_message, follow, open_window
from deploy.sandbox.weibo.state import WINDOW_S, WeiboFan, decide_reply

NOW = 1_800_000_000.0
HOUR = 3600.0


def _codes(fan: Fan, instants: list[float]) -> list[int]:
    codes = []
    for at in instants:
        code, fan = charge_message(fan, at)
        codes.append(code)
    return codes


def _follower() -> Fan:
    return Fan(following=True, ever_followed=True)


def test_five_messages_fit_into_the_48_hours_after_a_fans_message() -> None:
    fan = open_window(_follower(), Trigger.MESSAGE, NOW)
    assert _codes(fan, [NOW + hour * HOUR for hour in range(6)]) == [0] * 5 + [45047]


def test_the_window_of_a_message_closes_after_48_hours() -> None:
    fan = open_window(_follower(), Trigger.MESSAGE, NOW)
    assert _codes(fan, [NOW + 48 * HOUR - 0.001]) == [0]
    assert _codes(fan, [NOW + 48 * HOUR]) == [45015]


@pytest.mark.parametrize("trigger", [Trigger.CLICK, Trigger.SUBSCRIBE, Trigger.SCAN])
def test_three_messages_fit_into_the_minute_after_an_action(trigger: Trigger) -> None:
    fan = open_window(_follower(), trigger, NOW)
    assert _codes(fan, [NOW, NOW + 1, NOW + 59.9, NOW + 59.95, NOW + 60]) == [
        0,
        0,
        0,
        45047,
        45015,
    ]


def test_a_new_message_of_the_fan_renews_the_count() -> None:
    fan = open_window(_follower(), Trigger.MESSAGE, NOW)
    for _ in range(5):
        _code, fan = charge_message(fan, NOW + 1)
    assert charge_message(fan, NOW + 2)[0] == 45047
    assert charge_message(open_window(fan, Trigger.MESSAGE, NOW + 2), NOW + 3)[0] == 0


def test_a_message_is_charged_to_every_open_window() -> None:
    fan = open_window(follow(Fan(), NOW), Trigger.MESSAGE, NOW)
    assert _codes(fan, [NOW + 1] * 6) == [0] * 5 + [45047]


def test_following_opens_the_minute_of_subscription() -> None:
    assert _codes(follow(Fan(), NOW), [NOW] * 4) == [0, 0, 0, 45047]


def test_nothing_goes_to_a_fan_who_left_or_never_came() -> None:
    left = rules.unfollow(follow(Fan(), NOW))
    assert _codes(left, [NOW]) == [rules.NOT_FOLLOWING]
    stranger = open_window(Fan(), Trigger.MESSAGE, NOW)
    assert _codes(stranger, [NOW]) == [rules.NEVER_FOLLOWED]


@given(
    st.lists(
        st.tuples(st.sampled_from([*Trigger, None]), st.floats(0, 200 * HOUR)),
        max_size=60,
    )
)
def test_no_schedule_ever_passes_the_quota_of_its_windows(
    steps: list[tuple[Trigger | None, float]],
) -> None:
    fan = _follower()
    opened: dict[Trigger, float] = {}
    since: dict[Trigger, int] = {}
    for trigger, at in sorted(steps, key=lambda step: step[1]):
        if trigger is not None:
            fan = open_window(fan, trigger, at)
            opened[trigger], since[trigger] = at, 0
            continue
        code, fan = charge_message(fan, at)
        limits = {
            Trigger.MESSAGE: (5, 48 * HOUR),
            Trigger.CLICK: (3, 60.0),
            Trigger.SUBSCRIBE: (3, 60.0),
            Trigger.SCAN: (3, 60.0),
        }
        running = [one for one, start in opened.items() if at - start < limits[one][1]]
        room = [one for one in running if since[one] < limits[one][0]]
        assert code == (0 if room else 45047 if running else 45015)
        if not code:
            for one in running:
                since[one] += 1


def test_a_service_account_reaches_a_fan_four_times_a_month_in_shanghai() -> None:
    fans = {"a": _follower(), "b": _follower(), "gone": Fan(ever_followed=True)}
    # 2026-11-30 23:59:59 in Shanghai is 15:59:59 UTC.
    last = calendar.timegm((2026, 11, 30, 15, 59, 59))
    used = {("a", "2026-11"): 4, ("b", "2026-11"): 3}
    split = rules.split_mass(("a", "b", "gone", "b"), fans, used, AccountKind.SERVICE, last)
    assert split == rules.MassSplit(delivered=("b",), not_following=("gone",), over_month=("a",))
    split = rules.split_mass(("a", "b"), fans, used, AccountKind.SERVICE, last + 1)
    assert split.delivered == ("a", "b")


def test_a_client_msg_id_is_remembered_for_a_day_and_not_hammered() -> None:
    check = rules.check_client_msg_id
    assert check(None, NOW, 60) == 0
    assert check((NOW, NOW), NOW + 59, 60) == 45066
    assert check((NOW, NOW), NOW + 60, 60) == 45065
    assert check((NOW, NOW + 59), NOW + 60, 60) == 45066
    assert check((NOW, NOW), NOW + 24 * HOUR, 60) == 0


def test_mass_calls_are_bounded_by_the_minute_and_by_the_day() -> None:
    assert rules.check_mass_rate((NOW,) * 59, NOW + 1) == 0
    assert rules.check_mass_rate((NOW,) * 60, NOW + 1) == 45011
    assert rules.check_mass_rate((NOW,) * 60, NOW + 60) == 0
    midnight = calendar.timegm((2026, 11, 30, 16, 0, 0))  # in Shanghai
    assert rules.check_mass_rate((midnight - 120.0,) * 100, midnight - 1) == 45009
    assert rules.check_mass_rate((midnight - 120.0,) * 100, midnight) == 0


def test_weibo_answers_within_48_hours_and_once_after_a_mention() -> None:
    assert decide_reply(None, NOW)[0] == 20003
    assert decide_reply(WeiboFan(), NOW) == (20301, "not_following")
    fan = WeiboFan(following=True, acted_at=NOW)
    assert decide_reply(fan, NOW + WINDOW_S - 1)[0] == 0
    assert decide_reply(fan, NOW + WINDOW_S) == (20301, "window_closed")
    assert decide_reply(WeiboFan(mentioned_at=NOW), NOW + 1) == (0, "after_mention")
