"""What staff read: the words of a page, in Chinese or English, before any channel's format. Pure.

The summary comes first and says what, how many and against which usual; then what one should know
before believing it; then comments, and the link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from services.sentiment.domain.incidents.incident import Incident, Known, StepWhy, split_account
from services.sentiment.domain.incidents.usual import MINUTE_MS, Prior
from services.sentiment.domain.paging.escalation import Action
from services.sentiment.domain.paging.harmless import harmless
from services.sentiment.domain.paging.heads import page_head

Language = Literal["zh", "en"]

SAMPLE_CHARS = 120
_SHANGHAI = timedelta(hours=8)

SUBJECT_NAMES: dict[Language, dict[str, str]] = {
    "zh": {
        "food_safety": "食品安全",
        "product_safety": "产品安全",
        "minors": "未成年人",
        "fraud": "欺诈",
        "legal": "法律纠纷",
        "media": "媒体曝光",
        "refund": "退款",
        "quality": "质量",
        "price": "价格",
        "delivery": "物流配送",
        "service": "服务态度",
        "store": "门店",
        "advertising": "广告宣传",
        "general": "综合",
    },
    "en": {
        "food_safety": "food safety",
        "product_safety": "product safety",
        "minors": "minors",
        "fraud": "fraud",
        "legal": "legal",
        "media": "media",
        "refund": "refunds",
        "quality": "quality",
        "price": "price",
        "delivery": "delivery",
        "service": "service",
        "store": "store",
        "advertising": "advertising",
        "general": "general",
    },
}
_PLATFORMS: dict[Language, dict[str, str]] = {
    "zh": {"wechat": "微信", "weibo": "微博"},
    "en": {"wechat": "WeChat", "weibo": "Weibo"},
}


@dataclass(frozen=True, slots=True)
class PageText:
    """The words; a channel chooses its format and cuts from the end of the samples first."""

    summary: str
    """One line; the whole message where there is room for no more."""
    facts: tuple[str, ...]
    samples: tuple[str, ...]
    """Comments in fans' words."""
    samples_title: str
    link_label: str
    link: str


@dataclass(frozen=True, slots=True)
class PageMessage:
    """One call to make: the words, and what a channel needs beside them."""

    text: PageText
    action: Action
    page: str
    """The row's id."""
    incident: str
    dedup_key: str
    """The same for all pages of an incident's round."""
    account: str
    subject: str
    severity: int
    step: int
    mention: tuple[str, ...]
    occurred_at: int
    """When the incident opened, ms."""
    earlier_keys: tuple[str, ...] = ()
    """The dedup keys of the incident's earlier rounds: what ends it ends them too."""


def page_text(
    incident: Incident,
    *,
    action: Action,
    step: int,
    samples: Sequence[str],
    link: str,
    prior: Prior,
    language: Language,
    why: StepWhy = "not_acknowledged",
) -> PageText:
    """The words of one page.

    Args:
        incident: as it is now.
        action: what happened to it.
        step: the escalation step, from 0.
        samples: comments, the most telling first.
        link: where to acknowledge.
        prior: what was taken for usual, if there was no history.
        language: of the words around the comments.
        why: why the step was due.
    """
    trigger = action == "trigger"
    return PageText(
        summary=summary(incident, action=action, step=step, language=language, why=why),
        facts=facts(incident, prior, language) if trigger else _ending(incident, action, language),
        samples=tuple(_cut(harmless(text)) for text in samples) if trigger else (),
        samples_title="评论示例：" if language == "zh" else "Comments:",
        link_label="查看并确认" if language == "zh" else "See and acknowledge",
        link=link,
    )


def summary(
    incident: Incident,
    *,
    action: Action,
    step: int,
    language: Language,
    why: StepWhy = "not_acknowledged",
) -> str:
    """One line: what, about whom, how many."""
    platform, account = split_account(incident.account)
    subject = SUBJECT_NAMES[language].get(incident.subject, incident.subject)
    where = f"{_PLATFORMS[language][platform]} {account}"
    reason = incident.reason
    minutes = reason.window_ms // MINUTE_MS
    head = page_head(incident, action, step, why, language)
    if language == "zh":
        return (
            f"{head}{subject}（严重度 {incident.severity}/3）{where}："
            f"{minutes} 分钟内 {reason.people} 人投诉，"
            f"共 {incident.people} 人 {incident.comments} 条"
        )
    return (
        f"{head} {subject} (severity {incident.severity}/3), {where}: {reason.people} people in "
        f"{minutes} min, {incident.people} people and {incident.comments} comments in all"
    )


def facts(incident: Incident, prior: Prior, language: Language) -> tuple[str, ...]:
    """The numbers against the usual, and what to know before believing them."""
    lines = [_against_the_usual(incident, language), basis(incident, prior, language)]
    if incident.round and incident.known:
        lines.insert(0, _since_known(incident, incident.known, language))
    copied, people = incident.reason.copied_people, incident.reason.people
    if language == "zh":
        if copied:
            lines.append(f"注意：{people} 人中有 {copied} 人发的是同一段文字，可能有人组织。")
        if incident.reason.late:
            lines.append(f"注意：评论写于 {clock(incident.reason.crossed_at)} 前后，送达时已晚。")
        lines.append("营销推送已暂停。" if incident.pause_promotions else "营销推送未暂停。")
        lines.append(f"编号：{incident.id}")
    else:
        if copied:
            lines.append(
                f"Note: {copied} of {people} people posted the same text; maybe organised."
            )
        if incident.reason.late:
            lines.append(
                f"Note: written around {clock(incident.reason.crossed_at)}, they reached us late."
            )
        paused = incident.pause_promotions
        lines.append("Promotions are paused." if paused else "Promotions are not paused.")
        lines.append(f"Number: {incident.id}")
    return tuple(lines)


def _since_known(incident: Incident, known: Known, language: Language) -> str:
    """What is worse than when somebody acknowledged it."""
    who, when = harmless(known.by), clock(known.at)
    if language == "zh":
        return (
            f"{who} 于 {when} 确认时：严重度 {known.severity}/3，共 {known.people} 人；"
            f"此后恶化为严重度 {incident.severity}/3，共 {incident.people} 人。"
        )
    return (
        f"When {who} acknowledged it ({when}): severity {known.severity}/3, {known.people} people;"
        f" since then severity {incident.severity}/3, {incident.people} people."
    )


def basis(incident: Incident, prior: Prior, language: Language) -> str:
    """Where "the usual" comes from; without history it says so."""
    reason = incident.reason
    per_hour = prior.severe_people_per_hour if reason.level else prior.people_per_hour
    if language == "zh":
        return {
            "prior": f"暂无历史数据：按配置的先验判断（通常每小时 {per_hour:g} 人）。",
            "average": "历史不足三天：与近期平均水平相比。",
            "hour_of_day": f"历史不足三周：与此前 {reason.times} 天的同一时段相比。",
            "hour_of_week": f"与此前 {reason.times} 周的同一时段相比。",
        }[reason.source]
    return {
        "prior": f"No history yet: configured prior of {per_hour:g} people an hour.",
        "average": "Less than three days of history: compared with the recent average.",
        "hour_of_day": f"Less than three weeks of history: compared with this hour of the day"
        f" over {reason.times} days.",
        "hour_of_week": f"Compared with this hour of the week over {reason.times} weeks.",
    }[reason.source]


def _against_the_usual(incident: Incident, language: Language) -> str:
    reason = incident.reason
    minutes = reason.window_ms // MINUTE_MS
    if language == "zh":
        what = "严重投诉" if reason.level else "负面评论"
        return (
            f"{minutes} 分钟内 {reason.people} 人发表{what}；"
            f"通常 {reason.expected:.2g} 人，{reason.limit} 人起报警。"
        )
    what = "severe complaints" if reason.level else "negative comments"
    return (
        f"{reason.people} people with {what} in {minutes} min; "
        f"usually {reason.expected:.2g}, the limit is {reason.limit}."
    )


def _ending(incident: Incident, action: Action, language: Language) -> tuple[str, ...]:
    if action == "acknowledge":
        who = harmless(incident.acknowledged_by)
        return (f"确认人：{who}",) if language == "zh" else (f"Acknowledged by {who}",)
    who = harmless(incident.resolved_by)
    why = {
        "zh": {
            "by_hand": f"由 {who} 结束。",
            "no_more_comments": "已无新的负面评论。",
            "back_to_the_usual": "负面评论已回到平常水平。",
        },
        "en": {
            "by_hand": f"Ended by {who}.",
            "no_more_comments": "No more negative comments.",
            "back_to_the_usual": "Negative comments are back to the usual.",
        },
    }[language].get(incident.resolution, incident.resolution)
    return (why, "营销推送可以恢复。" if language == "zh" else "Promotions may resume.")


def clock(at: int) -> str:
    """A time as staff read it: month, day, hour, minute in Asia/Shanghai."""
    return f"{datetime.fromtimestamp(at / 1000, UTC) + _SHANGHAI:%m-%d %H:%M}"


def _cut(text: str) -> str:
    return text if len(text) <= SAMPLE_CHARS else text[: SAMPLE_CHARS - 1] + "…"
