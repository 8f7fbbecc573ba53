"""How a page begins: what happened, in two or three words. Pure."""

from __future__ import annotations

from typing import Literal

from services.sentiment.domain.incidents.incident import Incident, StepWhy
from services.sentiment.domain.paging.escalation import Action

_HEADS: dict[str, dict[str, str]] = {
    "zh": {
        "trigger": "负面舆情",
        "acknowledge": "已确认",
        "resolve": "已结束",
        "worse": "已确认后恶化",
        "escalation": "第{}次升级",
        "not_acknowledged": "无人确认",
        "severity_rose": "严重度上升",
        "channels_dead": "上一级渠道均不可用",
    },
    "en": {
        "trigger": "Negative comments",
        "acknowledge": "Acknowledged",
        "resolve": "Resolved",
        "worse": "Worse since acknowledged",
        "escalation": "Escalation {}",
        "not_acknowledged": "unacknowledged",
        "severity_rose": "severity rose",
        "channels_dead": "no channel of the step before took it",
    },
}


def page_head(
    incident: Incident, action: Action, step: int, why: StepWhy, language: Literal["zh", "en"]
) -> str:
    """What happened: that it is new, which escalation and why, that it got worse, or its end."""
    words = _HEADS[language]
    parts = [words[action]]
    if action == "trigger":
        escalation = max(step - incident.round_step, 0)
        worse = [words["worse"]] if incident.round else []
        if escalation:
            reason = words.get(why, words["not_acknowledged"])
            parts = [*worse, words["escalation"].format(escalation), reason]
        elif worse:
            parts = worse
    return f"【{'·'.join(parts)}】" if language == "zh" else f"[{', '.join(parts)}]"
