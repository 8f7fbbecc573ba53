"""Why a push was held, dropped, refused or left unknown, in words for people. Data.

A test keeps this complete: every reason that the notifier can give has words in both languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Language = Literal["zh", "en"]
STOPPED: Final = "channel_stopped_"
"""What the notifier puts before a platform's reason while nothing goes out on a channel."""

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    # The brand's rules and the fan's wishes.
    "cancelled": ("活动已取消", "the campaign was cancelled"),
    "expired": ("活动已过期", "the campaign has expired"),
    "period_over": ("本期已过", "its period is over"),
    "not_yet": ("未到开始时间", "it has not begun"),
    "promotions_paused": ("危机期间暂停推广", "promotions pause during an incident"),
    "quiet_hours": ("免打扰时段", "quiet hours"),
    "fan_cap": ("今天已收到两条", "two pushes today already"),
    "opted_out": ("粉丝已退订", "the fan opted out"),
    "not_following": ("粉丝已取关", "the fan has left"),
    "tag_lost": ("标签已失效", "the tag is gone"),
    "waiting_for_facts": ("资料未齐", "facts are missing"),
    "ledger_full": ("账本已满", "the fan's ledger is full"),
    # The platforms' limits.
    "window_closed": ("会话窗口已关闭", "the conversation's window is closed"),
    "window_spent": ("会话窗口内条数已满", "the conversation's window is used up"),
    "month_spent": ("本月群发额度已满", "this month's mass sends are used up"),
    "mass_slot_taken": ("今天的群发次数已用完", "the day's mass send is used up"),
    "clock_unsure": ("等待平台时钟", "the platform's clock is not known yet"),
    "waiting_for_a_second_fan": (
        "群发至少两人，正等下一位粉丝",
        "a mass send needs two fans: waiting for another one",
    ),
    "audience_being_planned": ("正在统计人群", "the audience is being counted"),
    # Calls that did not come to an end.
    "wave_abandoned": ("群发未开始，稍后再发", "the mass send did not begin; it is tried again"),
    "not_called_in_time": ("未及时发出，稍后再发", "its turn came too late; it is tried again"),
    "crashed_in_call": ("发送时服务中断", "the service ended during the call"),
    "key_expired": ("超过平台的查重期限", "the platform no longer recognises a repetition"),
    "cancelled_in_call": ("发送途中活动被取消", "the campaign was cancelled during the call"),
    "period_over_in_call": ("发送途中本期结束", "its period ended during the call"),
    "too_few_left": ("群发至少两人，已不足", "too few fans are left for a mass send"),
    # What a platform answered.
    "token_refused": ("平台不认访问令牌", "the platform refused the access token"),
    "credentials_refused": ("平台不认密钥", "the platform refused the account's secret"),
    "not_authorised": ("账号没有此权限", "the account may not do this"),
    "address_not_listed": ("服务器地址不在平台白名单", "our address is not on the platform's list"),
    "fan_unknown": ("平台不认识这位粉丝", "the platform does not know the fan"),
    "fan_refuses": ("粉丝拒收", "the fan refuses messages"),
    "fan_limited": ("粉丝接收已达平台上限", "the fan may receive no more"),
    "count_spent": ("条数已满", "the number of messages is used up"),
    "quota_spent": ("平台额度已用完", "the platform's quota is used up"),
    "too_fast": ("发送过快", "too many calls at once"),
    "content_refused": ("内容被平台拒绝", "the platform refused the content"),
    "message_type_refused": ("消息类型不支持", "this type of message is not allowed"),
    "duplicate": ("平台判为重复", "the platform took it for a repetition"),
    "article_missing": ("图文不存在", "the article does not exist"),
    "comments_not_allowed": ("图文未开评论", "the article takes no comments"),
    "account_limited": ("账号被平台限制", "the platform limits the account"),
    "bad_call": ("请求有误", "the call was wrong"),
    "unreachable": ("连不上平台", "the platform can't be reached"),
    "same_key_running": ("同一次群发仍在进行", "the same mass send is still running"),
    "system_busy": ("平台繁忙", "the platform is busy"),
    "timeout": ("平台未及时回答", "the platform did not answer in time"),
    "connection_lost": ("连接中断", "the connection broke"),
    "server_error": ("平台出错", "the platform failed"),
    "unreadable_answer": ("看不懂平台的回答", "the platform's answer can't be read"),
    "unlisted_code": ("平台给出未知的错误码", "the platform gave an unknown code"),
}
_STOPPED_WORDS: Final = ("渠道已停发：{why}", "the channel is stopped: {why}")
_OTHER: Final = ("其他原因（见运维日志）", "another reason; the service's log names it")


def knows(reason: str) -> bool:
    """Whether a reason has words of its own."""
    return reason.removeprefix(STOPPED) in _WORDS


def in_words(reason: str, language: Language) -> str:
    """Return a reason as people say it; one that nobody listed is never shown as it is."""
    place = 0 if language == "zh" else 1
    words = _WORDS.get(reason.removeprefix(STOPPED), _OTHER)[place]
    return _STOPPED_WORDS[place].format(why=words) if reason.startswith(STOPPED) else words
