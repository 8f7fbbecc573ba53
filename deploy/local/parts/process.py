"""A child process with a log file, a process group of its own, and no way to outlive us.

Hides how orphans are prevented. A child waits at its start until the guardian (``guardian.py``) has
been told its process group, so there is no moment at which our death leaves it behind.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.local.parts.errors import PartError
from deploy.local.private import UMASK, make_private_folder, open_private

STOP_GRACE_S = 10.0
POLL_S = 0.02
LOG_TAIL_BYTES = 2_000

# Blocks until one line arrives on standard input, then becomes the program. If we die first, the
# input ends and nothing is started. Plain sh, since it is everywhere and starts in a millisecond.
_GATE = 'read -r _ && exec "$@" </dev/null'


class Process:
    """One child process, which can be started again after it ended.

    Args:
        name: what to call it in messages, and the stem of its log file.
        argv: program and arguments.
        log_dir: where ``NAME.log`` is appended to.
        env: the child's whole environment; ours where omitted.
        cwd: the child's working directory; ours where omitted.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log_dir: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log_path = log_dir / f"{name}.log"
        self._env = None if env is None else dict(env)
        self._cwd = cwd
        self._child: subprocess.Popen[str] | None = None
        self._is_group_gone = True
        self._is_asked_to_end = False
        self._log_begin = 0

    @property
    def pid(self) -> int:
        """The process id, which is also its process group's.

        Raises:
            PartError: it is not started.
        """
        if self._child is None:
            raise PartError(f"{self.name} is not started")
        return self._child.pid

    def start(self) -> None:
        """Start it; returns at once, see ``wait_until`` for readiness.

        Raises:
            PartError: it is running already.
        """
        if self.is_running():
            raise PartError(f"{self.name} is running already")
        if not self.log_path.parent.exists():
            make_private_folder(self.log_path.parent)
        with open(self.log_path, "ab", opener=open_private) as log:
            self._log_begin = log.tell()
            child = subprocess.Popen(
                ["/bin/sh", "-c", _GATE, self.name, *self.argv],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,  # a Ctrl-C is ours to handle, and the group is ours to kill
                text=True,
                umask=UMASK,
            )
        self._child, self._is_group_gone, self._is_asked_to_end = child, False, False
        _guardian.watch(child.pid)
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # killed already: is_running() tells
                child.stdin.write("go\n")
                child.stdin.close()

    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs, and where it was never started."""
        return None if self._child is None else self._child.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group; nothing happens if it has ended."""
        if self._child is not None and self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)

    def freeze(self) -> None:
        """Stop it in its tracks (SIGSTOP); connections stay open and nothing answers."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self.signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end, once (SIGTERM to the leader, which ends its children); does not wait."""
        if self._child is not None and not self._is_asked_to_end and self._child.poll() is None:
            self._is_asked_to_end = True  # a second SIGTERM would tell it to hurry
            self.thaw()  # a frozen process cannot hear
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill it at once (``kill -9``), and wait for its end."""
        self.stop(grace_s=0)

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """SIGTERM, and SIGKILL to the group after the grace; harmless when it is not running."""
        child = self._child
        if child is None or self._is_group_gone:
            return  # its number may be another process's by now
        if grace_s > 0:
            self.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(grace_s)
        # The group also when the leader has ended: a helper of its own may have stayed.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        self._is_group_gone = True
        _guardian.forget(child.pid)

    def check_running(self) -> None:
        """Nothing happens while it runs.

        Raises:
            PartError: it has ended; the message quotes its log.
        """
        if not self.is_running():
            raise PartError(f"{self.name} ended before it was ready; {self._log_hint()}")

    def wait_until(self, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Poll until ready.

        Args:
            is_ready: asked again and again; may raise ``OSError`` for "not yet".
            timeout_s: when to give up.

        Raises:
            PartError: the process ended first, or the time was up; the message quotes its log.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.check_running()
            with contextlib.suppress(OSError):
                if is_ready():
                    return
            time.sleep(POLL_S)
        raise PartError(f"{self.name} was not ready within {timeout_s:g} s; {self._log_hint()}")

    def log_tail(self) -> str:
        """The end of its log, since it was started last."""
        with contextlib.suppress(FileNotFoundError):
            data = self.log_path.read_bytes()[self._log_begin :]
            return data[-LOG_TAIL_BYTES:].decode(errors="replace")
        return ""

    def _log_hint(self) -> str:
        return f"see {self.log_path}, which ends:\n{self.log_tail()}"


class _Guardian:
    """Our end of the pipe to the guardian process, which is started with the first child."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def watch(self, group: int) -> None:
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        self._tell(f"-{group}")

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(Path(__file__).with_name("guardian.py"))],
                    stdin=subprocess.PIPE,
                    start_new_session=True,
                    text=True,
                )
                atexit.register(self._close)
            if self._process.stdin is not None:
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()


_guardian = _Guardian()
