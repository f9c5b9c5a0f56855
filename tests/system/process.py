"""Processes that tests start: waiting with a deadline, and a server that is ended by its pid alone."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.patience import patience

DEADLINE_S = patience(120)
TIED = ("setpriv", "--pdeathsig", "KILL")  # what is started by it ends with this process, however that ends


def reachable(host: str, port: int, timeout_s: float = 2.0) -> bool:
    """Whether somebody takes a connection there."""
    try:
        socket.create_connection((host, port), timeout_s).close()
    except OSError:
        return False
    return True


def wait_until(holds: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S, every_s: float = 0.1) -> float:
    """Poll a condition; the seconds until it held. Fails when it does not hold in time."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() < start + deadline_s, f"{what}: not within {deadline_s:g} s"
        time.sleep(every_s)
    return time.monotonic() - start


class Server:
    """One process in a session of its own, with its output in a file. It does not outlive this process.

    Args:
        name: for messages.
        command: what to start.
        log: where its output goes.
        env: added to this process's environment.
        user: who it runs as; None: as this process.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] = {}, user: str | None = None
    ) -> None:
        self.name, self.command, self.log, self.env, self.user = name, list(command), log, dict(env), user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, answers: Callable[[], bool]) -> None:
        """Start it and wait until it answers."""
        self.launch()
        self.wait(answers)

    def launch(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*TIED, *self.command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, **self.env}, user=self.user, cwd="/",
            )  # fmt: skip

    def wait(self, answers: Callable[[], bool]) -> None:
        """Wait until it answers. Fails with its output when it ends instead."""
        wait_until(lambda: self._ended() or answers(), f"{self.name} answers")
        assert not self._ended(), f"{self.name} ended:\n{self.log.read_text()[-3000:]}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process and all that it started in its session."""
        if self._process is not None:
            os.killpg(self._process.pid, number)

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, by default as a crash does."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self.send(number)
            self.send(signal.SIGCONT)
        self._process.wait(DEADLINE_S)
        self._process = None

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None
