"""Who may call the staff API: default-deny by bearer token and role.

Every path under /v1 needs a token before anything else is looked at, so that an unknown path and
a forbidden one look alike from outside. Source: RFC 6750 for the header and the answers.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from shared.settings import ROLES, Role
from shared.web.body import header
from shared.web.errors import HttpError

STAFF_PREFIX = "/v1"
MAX_AUTHORIZATION_BYTES = 512
PRINCIPAL = "principal"
_REALM = 'Bearer realm="fan-engagement"'
_CHALLENGE = {"WWW-Authenticate": _REALM}
_REFUSAL = {"WWW-Authenticate": f'{_REALM}, error="invalid_token"'}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the roles of the token, and a name for logs that is not the token."""

    roles: frozenset[Role]
    name: str


class StaffRoute(Route):
    """A route under /v1 and the roles that may use it.

    Args:
        path: below /v1/, as starlette writes it.
        endpoint: an async function of a request.
        roles: who may; at least one.
        methods: as starlette's; GET when left out.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        roles: Collection[Role],
        methods: Collection[str] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(path, endpoint, methods=methods, name=name)
        self.roles = frozenset(roles)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through if the caller has one of the roles."""
        if not self.roles & scope["state"][PRINCIPAL].roles:
            raise HttpError(
                403, "wrong_role", f"This needs the role {' or '.join(sorted(self.roles))}."
            )
        await super().handle(scope, receive, send)


class TokenGate:
    """Turns a bearer token into a principal, in a time that does not depend on the token."""

    def __init__(self, tokens: Mapping[Role, Sequence[SecretStr]]) -> None:
        self._known = tuple(
            (_digest(secret.get_secret_value().encode()), role)
            for role, secrets in tokens.items()
            for secret in secrets
        )

    def authenticate(self, scope: Scope) -> Principal:
        """The caller of a request.

        Raises:
            HttpError: 401, without a token or with one that is not known.
        """
        value = header(scope, b"authorization") or b""
        scheme, _, token = value.partition(b" ")
        if scheme.lower() != b"bearer" or not token or len(value) > MAX_AUTHORIZATION_BYTES:
            raise HttpError(401, "no_token", "Send Authorization: Bearer <token>.", _CHALLENGE)
        digest = _digest(token.strip())
        # Every known token is compared, so the time tells nothing about which one came close.
        roles = frozenset(role for known, role in self._known if hmac.compare_digest(known, digest))
        if not roles:
            raise HttpError(401, "unknown_token", "The token is not known here.", _REFUSAL)
        return Principal(roles, f"staff-{digest.hex()[:8]}")


def principal(request: Request) -> Principal:
    """Who calls a staff route."""
    found: Principal = request.scope["state"][PRINCIPAL]
    return found


def is_staff_path(path: str) -> bool:
    """Whether a path lies under /v1, where nothing is public."""
    return path == STAFF_PREFIX or path.startswith(STAFF_PREFIX + "/")


def split_routes(routes: Sequence[object]) -> tuple[tuple[StaffRoute, ...], tuple[Route, ...]]:
    """Staff routes and public ones, checked.

    Raises:
        ValueError: a route under /v1 declares no role or an unknown one; a staff route lies
            elsewhere; or something other than a plain route, inside which one could hide.
    """
    staff: list[StaffRoute] = []
    public: list[Route] = []
    for route in routes:
        if isinstance(route, StaffRoute):
            if not route.path.startswith(STAFF_PREFIX + "/"):
                raise ValueError(f"{route.path}: a staff route lies under {STAFF_PREFIX}/")
            if not route.roles or not route.roles <= ROLES:
                raise ValueError(f"{route.path}: name its roles out of {sorted(ROLES)}")
            staff.append(route)
        elif not isinstance(route, Route):
            raise ValueError(f"{route!r}: list plain routes, no mounts")  # noqa: TRY004 - one kind
        elif is_staff_path(route.path):
            raise ValueError(f"{route.path}: declare it as a StaffRoute with its roles")
        else:
            public.append(route)
    return tuple(staff), tuple(public)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
