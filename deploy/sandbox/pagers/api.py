"""The staff's channels over HTTP: WeCom robots under `/wecom`, PagerDuty under `/pagerduty`.

Source: WeCom "Group robot configuration"; PagerDuty "Events API v2".
"""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from deploy.sandbox.pagers import books as pagers
from deploy.sandbox.world import World


class PagerApi:
    """The handlers of the routes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def robot_routes(self) -> list[Route]:
        """Return WeCom's route, with the platform's true path."""
        return [Route("/cgi-bin/webhook/send", self.robot_send, methods=["POST"])]

    def pagerduty_routes(self) -> list[Route]:
        """Return PagerDuty's route, with the platform's true path."""
        return [Route("/v2/enqueue", self.enqueue, methods=["POST"])]

    async def robot_send(self, request: Request) -> JSONResponse:
        """Answer `POST /cgi-bin/webhook/send?key=`: HTTP 200 always."""
        world, key = self._world, request.query_params.get("key", "")
        now = world.clock.now()
        message = _json(await request.body())
        rate = world.robots.get(key)
        if rate is None:
            code, text = pagers.WECOM_UNKNOWN_KEY, "invalid webhook url"
        else:
            code, text = pagers.check_robot_message(message)
            if not code and not rate.take(now):
                code, text = pagers.WECOM_RATE, "api freq out of limit"
        world.books.record(
            now, "wecom", self._robot_name(key), "webhook/send", code, message=message, reason=text
        )
        return JSONResponse({"errcode": code, "errmsg": text})

    async def enqueue(self, request: Request) -> JSONResponse:
        """Answer `POST /v2/enqueue`: 202, 400 for an invalid event, 429 for too many."""
        raw = await request.body()
        event = _json(raw)
        errors = pagers.check_pagerduty_event(event)
        if len(raw) > pagers.EVENT_BYTES:
            errors.append("the event is larger than 512 KB")
        key = event.get("routing_key") if isinstance(event, dict) else None
        alerts = self._world.alerts.get(key) if isinstance(key, str) else None
        if alerts is None:
            errors.append("'routing_key' is invalid")
        if errors or alerts is None or not isinstance(key, str):
            self._book(key, pagers.BAD_REQUEST, event, reason="; ".join(errors))
            body = {"status": "invalid event", "message": "Event object is invalid"}
            return JSONResponse({**body, "errors": errors}, pagers.BAD_REQUEST)
        now = self._world.clock.now()
        if not self._world.alert_rates[key].take(now):
            self._book(key, pagers.RATE_LIMITED, event, reason="rate")
            return JSONResponse({"status": "throttle exceeded"}, pagers.RATE_LIMITED)
        dedup_key, effect = alerts.apply(event, now)
        self._book(key, 0, event, reason=effect, dedup_key=dedup_key)
        return JSONResponse(
            {"status": "success", "message": "Event processed", "dedup_key": dedup_key},
            pagers.ACCEPTED,
        )

    def _book(self, key: Any, code: int, event: Any, **facts: Any) -> None:
        known = (one.name for one in self._world.config.pagerduty if one.routing_key == key)
        shown = event
        if isinstance(event, dict):
            shown = {name: value for name, value in event.items() if name != "routing_key"}
        self._world.books.record(
            self._world.clock.now(),
            "pagerduty",
            next(known, ""),
            "v2/enqueue",
            code,
            event=shown,
            **facts,
        )

    def _robot_name(self, key: str) -> str:
        return next((one.name for one in self._world.config.robots if one.key == key), "")


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
