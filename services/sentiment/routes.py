"""What HTTP triggers: the page behind a link, and the staff API for incidents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from services.sentiment.domain.incidents import changes
from services.sentiment.domain.incidents.changes import Announced
from services.sentiment.domain.incidents.incident import (
    AccountIncidents,
    Incident,
    account_of,
    find,
)
from services.sentiment.domain.incidents.judgement import got_worse
from services.sentiment.domain.incidents.usual import Prior
from services.sentiment.domain.paging.incident_page import (
    HEADERS,
    cleaned_name,
    expired_html,
    incident_html,
    seen_on,
)
from services.sentiment.domain.paging.links import Opens, verify
from services.sentiment.domain.paging.page_text import Language
from services.sentiment.ports import CommentBook, Counters, IncidentObserver, PageRows
from shared.errors import TransientError
from shared.events import IncidentEvent
from shared.kafka.handler import Change
from shared.kafka.writer import DocumentWriter
from shared.settings import Role
from shared.web.auth import StaffRoute, principal
from shared.web.errors import HttpError, unavailable

LINK_PREFIX = "/i"
MAX_FORM_FIELDS = 8
CHANGED = "changed"
"""In the query of the page: the click before changed nothing, since it had got worse."""

Act = Callable[[AccountIncidents, str, str, int], Announced | None]

ACTIONS: dict[str, Act] = {
    "acknowledge": changes.acknowledge,
    "resume": changes.resume_promotions,
    "resolve": changes.resolve,
}
"""By the name of the button and of the API's path."""


class IncidentRoutes:
    """Answers for incidents.

    Args:
        writer: of the incidents' documents.
        book: for the words of samples.
        rows: for the pages of an incident.
        counters: tells which accounts there are.
        prior: named where there is no history.
        language: of the page.
        secrets: of the links.
        observer: is told of changes.
        clock: ms.
        changed: called after an incident changed.
        people_factor: an incident with so many times the people that a page showed is worse.
    """

    def __init__(
        self,
        *,
        writer: DocumentWriter[AccountIncidents],
        book: CommentBook,
        rows: PageRows,
        counters: Counters,
        prior: Prior,
        language: Language,
        secrets: Sequence[bytes],
        observer: IncidentObserver,
        clock: Callable[[], int],
        changed: Callable[[], None],
        people_factor: float = 2.0,
    ) -> None:
        self._writer = writer
        self._book = book
        self._rows = rows
        self._counters = counters
        self._prior = prior
        self._language = language
        self._secrets = tuple(secrets)
        self._observer = observer
        self._clock = clock
        self._changed = changed
        self._people_factor = people_factor

    def routes(self) -> list[BaseRoute]:
        """All routes of the service."""
        readers: tuple[Role, ...] = ("oncall", "operations")
        return [
            Route(LINK_PREFIX + "/{token}", self.show, methods=["GET"]),
            Route(LINK_PREFIX + "/{token}", self.act, methods=["POST"]),
            StaffRoute("/v1/incidents", self.list_incidents, roles=readers),
            StaffRoute("/v1/incidents/{incident}", self.one_incident, roles=readers),
            StaffRoute(
                "/v1/incidents/{incident}/{action}",
                self.act_by_api,
                roles=["oncall"],
                methods=["POST"],
            ),
        ]

    async def show(self, request: Request) -> Response:
        """GET /i/{token}: shows, and changes nothing, since link previews call it too."""
        opened = await self._opened(request)
        if opened is None:
            return HTMLResponse(expired_html(self._language), 404, HEADERS)
        texts = await self._texts(opened)
        changed = CHANGED in request.query_params
        return HTMLResponse(
            incident_html(opened, texts, self._prior, self._language, changed=changed),
            headers=HEADERS,
        )

    async def act(self, request: Request) -> Response:
        """POST /i/{token}: the buttons. A click answers for what its page showed, and no more."""
        opened = await self._opened(request)
        if opened is None:
            return HTMLResponse(expired_html(self._language), 404, HEADERS)
        form = _form(await request.body())
        act = ACTIONS.get(form.get("action", ""))
        if act is None:
            raise HttpError(422, "unknown_action", f"action is one of {', '.join(ACTIONS)}.")
        fallback = "链接" if self._language == "zh" else "link"
        seen = seen_on(form)
        worse = False

        def as_seen(
            state: AccountIncidents, incident_id: str, who: str, now: int
        ) -> Announced | None:
            nonlocal worse
            found = find(state, incident_id)
            worse = bool(
                found
                and seen
                and got_worse(seen, (found.severity, found.people), self._people_factor)
            )
            return None if worse else act(state, incident_id, who, now)

        await self._change(opened.id, as_seen, cleaned_name(form.get("who", ""), fallback))
        headers = {name: text for name, text in HEADERS.items() if name != "Content-Type"}
        here = request.url.path.rpartition("/")[2]
        return RedirectResponse(f"{here}?{CHANGED}=1" if worse else here, 303, headers)

    async def list_incidents(self, request: Request) -> Response:
        """GET /v1/incidents?status=open,acknowledged&account=wechat:…: the newest first."""
        wanted = set(filter(None, request.query_params.get("status", "").split(",")))
        if not wanted <= {"open", "acknowledged", "resolved"}:
            raise HttpError(422, "unknown_status", "status: open, acknowledged, resolved.")
        account = request.query_params.get("account")
        with _store_away():
            accounts = [account] if account else list(await self._counters.all())
            states = await self._writer.change(accounts, _look, announced=False)
        found = [
            incident
            for state in states.values()
            for incident in state.incidents
            if not wanted or incident.status in wanted
        ]
        found.sort(key=lambda incident: (-incident.opened_at, incident.id))
        return JSONResponse({"incidents": [_shown(incident) for incident in found]})

    async def one_incident(self, request: Request) -> Response:
        """GET /v1/incidents/{id}: with samples and pages."""
        incident = await self._find(request.path_params["incident"])
        with _store_away():
            rows = await self._rows.of_incident(incident.id)
        samples = await self._texts(incident)
        pages = [
            {
                "page": row.id,
                "step": row.wanted.step,
                "channel": row.wanted.channel,
                "action": row.wanted.action,
                "state": row.state,
                "attempts": row.attempts,
                "code": row.code,
                "due_at": row.wanted.due_at,
                "done_at": row.done_at,
            }
            for row in sorted(rows, key=lambda row: (row.wanted.due_at, row.id))
        ]
        return JSONResponse({**_shown(incident), "samples": samples, "pages": pages})

    async def act_by_api(self, request: Request) -> Response:
        """POST /v1/incidents/{id}/acknowledge|resume|resolve."""
        act = ACTIONS.get(request.path_params["action"])
        if act is None:
            raise HttpError(404, "unknown_action", f"Actions are {', '.join(ACTIONS)}.")
        incident = await self._find(request.path_params["incident"])
        return JSONResponse(_shown(await self._change(incident.id, act, principal(request).name)))

    async def _opened(self, request: Request) -> Incident | None:
        """The incident of a link; None where the link or the incident is not good."""
        found = verify(request.path_params["token"], self._clock(), self._secrets)
        if not isinstance(found, Opens):
            return None
        try:
            return await self._find(found.incident)
        except HttpError as error:
            if error.status == 404:  # noqa: PLR2004 - the HTTP status
                return None
            raise

    async def _find(self, incident_id: str) -> Incident:
        account = account_of(incident_id)
        with _store_away():
            states = await self._writer.change([account], _look, announced=False)
        incident = find(states[account], incident_id)
        if incident is None:
            raise HttpError(404, "unknown_incident", "There is no such incident.")
        return incident

    async def _texts(self, incident: Incident) -> list[str]:
        try:
            texts = await self._book.texts(incident.samples)
        except TransientError:
            return []  # the buttons matter more
        return [texts[one] for one in incident.samples if one in texts]

    async def _change(self, incident_id: str, act: Act, who: str) -> Incident:
        """Change the incident; doing it twice is doing it once."""
        account, now = account_of(incident_id), self._clock()
        events: list[IncidentEvent] = []

        def decide(_id: str, state: AccountIncidents) -> Change[AccountIncidents] | None:
            events.clear()
            announced = act(state, incident_id, who, now)
            if announced is None:
                return None
            events.extend(event for event, _ in announced.events)
            return announced.change

        with _store_away():
            states = await self._writer.change([account], decide, announced=False)
        for event in events:
            self._observer.announced(event)
        self._changed()
        incident = find(states[account], incident_id)
        if incident is None:
            raise HttpError(404, "unknown_incident", "There is no such incident.")
        return incident


@contextmanager
def _store_away() -> Iterator[None]:
    """Turn "the store is away" into 503, so that whoever clicked tries again."""
    try:
        yield
    except TransientError as error:
        raise unavailable("store_unreachable") from error


def _look(_id: str, _state: AccountIncidents) -> None:
    return None


def _form(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        raise HttpError(422, "invalid_form", "Send action and who as a form.") from None
    return {name: values[0] for name, values in fields.items()}


def _shown(incident: Incident) -> dict[str, Any]:
    return {name: value for name, value in asdict(incident).items() if name != "samples"}
