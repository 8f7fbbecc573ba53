"""Every connection is an open file: do as many as we allow fit into what the system allows us?

A process that runs out of files accepts nothing more and cannot even open its own configuration.
So the soft limit is raised as far as it may be, and what still does not fit is not allowed.
"""

from __future__ import annotations

from typing import Final

from shared.observe.logs import get_logger

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

RESERVED_FILES: Final = 256
"""For the log's and the store's connections, calls to platforms, files, the loop's own."""
LEAST_CONNECTIONS: Final = 16


def connections_that_fit(wanted: int) -> int:
    """Return how many connections may be open, at most `wanted`; raises the soft limit for them."""
    if resource is None:
        return wanted
    log = get_logger(__name__)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED_FILES
    if _is_less(soft, needed) and soft != hard:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        log.info("http.open_files.raised", was=soft, now=raised, needed=needed)
        soft = raised
    if not _is_less(soft, needed):
        log.info("http.open_files.enough", limit=soft, connections=wanted)
        return wanted
    fits = max(LEAST_CONNECTIONS, soft - RESERVED_FILES)
    log.warning(
        "http.open_files.too_few",
        limit=soft,
        needed=needed,
        connections=fits,
        advice=f"allow {needed} open files (ulimit -n, LimitNOFILE=) or set a lower"
        " FAN_HTTP_MAX_CONNECTIONS",
    )
    return fits


def _is_less(limit: int, needed: int) -> bool:
    return 0 <= limit < needed  # -1 is no limit
