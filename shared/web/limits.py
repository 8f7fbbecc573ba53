"""How much of this process one client, or all of them together, may take."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from shared.settings import ServiceSettings

BODY_LIMIT_BYTES = 64 * 1024
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the HTTP edge. A half-open connection is cut within ten seconds."""

    max_connections: int = 2048
    max_in_flight: int = 512
    """Requests at work of each kind: webhooks, staff, everything else public."""
    max_probes: int = 32
    """/readyz and /metrics at work; /livez is always answered."""
    max_unfinished: int = 1024
    """Requests whose head or body is not whole."""
    max_unfinished_per_peer: int = 256
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Peers that are not bounded one by one, since many clients stand behind them."""
    max_pipelined: int = 16
    """Requests that may wait behind one at work on the same connection."""
    head_timeout_s: float = 5.0
    """From the first byte (or the connection) to the end of the headers."""
    request_timeout_s: float = 9.0
    """From the first byte to the end of the body."""
    keep_alive_s: int = 9
    write_timeout_s: float = 9.0
    """How long a client may leave an answer unread."""
    head_limit_bytes: int = 16 * 1024
    max_headers: int = 64
    drained_bytes: int = 4 * 1024 * 1024
    """What of a refused body is read, so that the client sees the refusal, before the cut."""
    sweep_every_s: float = 0.25
    finish_requests_s: int = 5
    """How long requests at work may take once the service stops."""

    @classmethod
    def of(cls, settings: ServiceSettings) -> Limits:
        """The limits that a service's settings ask for."""
        return cls(
            max_connections=settings.http_max_connections,
            max_in_flight=settings.http_max_in_flight,
            max_unfinished=settings.http_max_unfinished,
            max_unfinished_per_peer=settings.http_max_unfinished_per_peer,
            trusted_proxies=settings.http_trusted_proxies,
        )
