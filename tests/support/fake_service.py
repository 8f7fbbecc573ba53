"""A stand-in for a service or the sandbox: ready after a while, never ready, or dead at once.

``python tests/support/fake_service.py NAME [--port PORT …]``; its port comes from the variable that
a service reads, else from ``--port``. ``FAKE_BROKEN=NAME`` ends that one with a message, and
``FAKE_SLOW=NAME`` never lets it be ready.
"""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

NAME = sys.argv[1]


class Handler(BaseHTTPRequestHandler):
    """Answers readiness, and its process id on any other path."""

    def do_GET(self) -> None:
        ready = self.path in {"/readyz", "/_health"}
        self.send_response(503 if ready and os.environ.get("FAKE_SLOW") == NAME else 200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())


if __name__ == "__main__":
    if os.environ.get("FAKE_BROKEN") == NAME:
        sys.exit(f"{NAME}: the settings need attention")
    port = os.environ.get(f"FAN_{NAME.upper()}_HTTP_PORT") or sys.argv[sys.argv.index("--port") + 1]
    HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
