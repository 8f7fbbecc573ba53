"""The page behind the link: what happened, and buttons. HTML without scripts, all escaped. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape

from services.sentiment.domain.incidents.incident import Incident
from services.sentiment.domain.incidents.usual import Prior
from services.sentiment.domain.paging.harmless import unlinked
from services.sentiment.domain.paging.page_text import Language, clock, facts, summary

STYLE = (
    "body{font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.2rem}li{margin:.4rem 0}form{display:inline-block;margin:.5rem .5rem 0 0}"
    "button{font:inherit;padding:.6rem 1.2rem}input{font:inherit;padding:.5rem;width:10rem}"
    ".state{font-weight:bold}"
)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(sha256(STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
"""The URL is a key, so it goes into no cache, no referrer and no index."""
MAX_WHO_CHARS = 40
MAX_DIGITS = 10

_WORDS: dict[Language, dict[str, str]] = {
    "zh": {
        "title": "舆情处理",
        "open": "等待确认",
        "worse": "已确认后恶化，等待再次确认",
        "changed": "情况在您打开页面后又恶化了，请看最新数字，再点一次。",
        "acknowledged": "已由 {who} 于 {when} 确认",
        "resolved": "已由 {who} 于 {when} 结束",
        "resolved_itself": "已于 {when} 自动结束",
        "samples": "评论示例",
        "erased": "（评论内容已删除）",
        "who": "姓名",
        "acknowledge": "我来处理",
        "resume": "恢复营销推送",
        "resolve": "结束事件",
        "paused": "营销推送已暂停",
        "expired": "链接已失效",
        "expired_why": "链接过期或不完整。请从最新的告警打开，或使用值班接口。",
    },
    "en": {
        "title": "Incident",
        "open": "Waiting for an acknowledgement",
        "worse": "Worse since it was acknowledged, waiting for another acknowledgement",
        "changed": "It got worse after you had opened this page. Look at the numbers, click again.",
        "acknowledged": "Acknowledged by {who}, {when}",
        "resolved": "Ended by {who}, {when}",
        "resolved_itself": "Ended by itself, {when}",
        "samples": "Comments",
        "erased": "(the comments were erased)",
        "who": "Your name",
        "acknowledge": "I take it",
        "resume": "Resume promotions",
        "resolve": "End the incident",
        "paused": "Promotions are paused",
        "expired": "This link is no longer good",
        "expired_why": "It is too old or incomplete. Open the newest page, or use the staff API.",
    },
}
_HTML_LANGUAGE: dict[Language, str] = {"zh": "zh-CN", "en": "en"}


def incident_html(
    incident: Incident,
    samples: Sequence[str],
    prior: Prior,
    language: Language,
    *,
    changed: bool = False,
) -> str:
    """The page of an incident, with the buttons that its state allows.

    Args:
        incident: as it is now.
        samples: comments.
        prior: what was taken for usual, if there was no history.
        language: of the words.
        changed: a click changed nothing, since the incident was worse than the page that was seen.
    """
    words = _WORDS[language]
    heading = summary(incident, action="trigger", step=0, language=language)
    lines = "".join(f"<li>{escape(line)}</li>" for line in facts(incident, prior, language))
    quoted = "".join(f"<li>{escape(unlinked(text))}</li>" for text in samples)
    notice = f'<p class="state">{escape(words["changed"])}</p>' if changed else ""
    return _document(
        words["title"],
        f"<h1>{escape(heading)}</h1>"
        f'<p class="state">{escape(_state(incident, words))}</p>'
        f"{notice}"
        f"<ul>{lines}</ul>"
        f"<h2>{escape(words['samples'])}</h2>"
        f"<ol>{quoted or '<li>' + escape(words['erased']) + '</li>'}</ol>"
        + _buttons(incident, words),
        language,
    )


def expired_html(language: Language) -> str:
    """The page for a link that is not good; it tells nothing about incidents."""
    words = _WORDS[language]
    body = f"<h1>{escape(words['expired'])}</h1><p>{escape(words['expired_why'])}</p>"
    return _document(words["expired"], body, language)


def seen_on(form: Mapping[str, str]) -> tuple[int, int] | None:
    """Severity and people that the page showed whose button was clicked; None if it tells none."""
    severity, people = form.get("severity", ""), form.get("people", "")
    if not all(
        one.isascii() and one.isdigit() and len(one) < MAX_DIGITS for one in (severity, people)
    ):
        return None
    return int(severity), int(people)


def cleaned_name(name: str, fallback: str) -> str:
    """A person's name as typed, made harmless to show and to log."""
    kept = "".join(char for char in name if char.isprintable() and char not in "<>@[]`")
    return " ".join(kept.split())[:MAX_WHO_CHARS] or fallback


def _state(incident: Incident, words: dict[str, str]) -> str:
    if incident.status == "open":
        return words["worse" if incident.round else "open"]
    if incident.status == "acknowledged":
        when = clock(incident.acknowledged_at or 0)
        return words["acknowledged"].format(who=unlinked(incident.acknowledged_by), when=when)
    key = "resolved" if incident.resolved_by else "resolved_itself"
    return words[key].format(
        who=unlinked(incident.resolved_by), when=clock(incident.resolved_at or 0)
    )


def _buttons(incident: Incident, words: dict[str, str]) -> str:
    if incident.status == "resolved":
        return ""
    actions = ["acknowledge"] if incident.status == "open" else []
    actions += ["resume"] if incident.pause_promotions else []
    actions += ["resolve"]
    return "".join(
        '<form method="post">'
        f'<input name="who" maxlength="{MAX_WHO_CHARS}" placeholder="{escape(words["who"])}">'
        f'<input type="hidden" name="severity" value="{incident.severity}">'
        f'<input type="hidden" name="people" value="{incident.people}">'
        f'<button name="action" value="{action}">{escape(words[action])}</button></form>'
        for action in actions
    )


def _document(title: str, body: str, language: Language) -> str:
    return (
        f'<!doctype html><html lang="{_HTML_LANGUAGE[language]}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="format-detection" content="telephone=no,address=no,email=no,date=no">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>"
    )
