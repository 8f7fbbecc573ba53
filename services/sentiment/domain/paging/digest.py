"""Several acknowledgements and endings in one message, for channels that people read. Pure.

A word is no alarm. Where many wait for a channel they become one message with a line each, so that
they use up neither the channel's minute nor the reader's patience.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.sentiment.domain.incidents.incident import Incident, split_account
from services.sentiment.domain.paging.escalation import Action
from services.sentiment.domain.paging.harmless import harmless
from services.sentiment.domain.paging.heads import page_head
from services.sentiment.domain.paging.page_text import SUBJECT_NAMES, Language, PageText

MOST_WORDS = 12
"""In one message: as many lines of `LINE_CHARS` fit into the 4,096 bytes of a WeCom robot."""
LINE_CHARS = 80

_TITLES: dict[Language, dict[Action, str]] = {
    "zh": {"acknowledge": "{} 起事件已确认", "resolve": "{} 起事件已结束"},
    "en": {"acknowledge": "{} incidents acknowledged", "resolve": "{} incidents resolved"},
}


def digest(words: Sequence[tuple[Action, Incident]], language: Language) -> PageText:
    """One text for several words.

    Args:
        words: what happened to which incident, at most `MOST_WORDS`.
        language: of the text.
    """
    counts = Counter(action for action, _ in words)
    titles = [
        title.format(counts[action])
        for action, title in _TITLES[language].items()
        if counts[action]
    ]
    return PageText(
        summary=("，" if language == "zh" else ", ").join(titles),
        facts=tuple(_line(action, incident, language) for action, incident in words),
        samples=(),
        samples_title="",
        link_label="",
        link="",
    )


def _line(action: Action, incident: Incident, language: Language) -> str:
    subject = SUBJECT_NAMES[language].get(incident.subject, incident.subject)
    _, account = split_account(incident.account)
    who = incident.acknowledged_by if action == "acknowledge" else incident.resolved_by
    head = page_head(incident, action, 0, "", language)
    line = f"{head} {subject} {account} {harmless(who)}".rstrip()
    return line if len(line) <= LINE_CHARS else line[: LINE_CHARS - 1] + "…"
