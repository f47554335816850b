"""The demo's real server as something that may die and be started again."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx

from gateway.demo.run import Demo
from tests.bench.servers import ServerError, end

READY_SECONDS = 120.0


class Server:
    """One gunicorn with its workers; its words go into a file."""

    def __init__(self, demo: Demo, words: Path) -> None:
        self._demo, self._words = demo, words
        self._process: subprocess.Popen[bytes] | None = None
        self.grown: dict[int, tuple[float, float]] = {}
        """Of each worker: resident megabytes when it was first and when it was last looked at."""

    def start(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            ServerError: it did not get ready.
        """
        command = [sys.executable, "-m", "gunicorn", "-c", "python:gateway.gunicorn_conf"]
        with self._words.open("ab") as words:
            self._process = subprocess.Popen(command, env=os.environ | self._demo.environment(), stderr=words)
        give_up = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise ServerError(f"the server did not get ready: {self.words()}")
            time.sleep(0.1)

    def words(self) -> str:
        """Give the end of what it wrote to its standard error."""
        return self._words.read_text("utf-8", "replace")[-3000:]

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self._demo.origin}/readyz", timeout=5.0).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def workers(self) -> list[int]:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in children.read_text("ascii").split()]

    def kill(self) -> None:
        """Kill it and all its workers at once, as when the machine loses power."""
        assert self._process is not None
        for pid in (self._process.pid, *self.workers()):
            _kill(pid)
        self._process.wait()

    def kill_worker(self, place: float) -> None:
        """Kill one worker: that at this place of the row, from 0 up to 1."""
        workers = self.workers()
        if workers:
            _kill(workers[int(place * len(workers))])

    def end(self) -> None:
        if self._process is not None:
            end(self._process)

    def look(self) -> None:
        """Take down what each worker's memory is now."""
        for pid in self.workers():
            try:
                status = Path(f"/proc/{pid}/status").read_text("ascii")
            except OSError:
                continue  # it has just been killed
            sizes = [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:")]
            for size in sizes:
                self.grown[pid] = (self.grown.get(pid, (size, size))[0], size)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
