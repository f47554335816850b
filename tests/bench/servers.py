"""The two servers side by side: the demo's gateway, and the bare route under the same gunicorn settings."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from gateway.demo.run import free_port

ROOT = Path(__file__).resolve().parents[2]
WORKERS, THREADS = 2, 16
READY_SECONDS = 30.0
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process has in memory, in megabytes."""

    resident: float
    """All of its pages, those that it shares with other processes too (`Rss`)."""
    proportional: float
    """Shared pages divided by how many share them (`Pss`): summed over all processes, what the machine gives."""
    peak: float
    """The most that was ever resident (`VmHWM`)."""


def memory_of(process: Path) -> Memory:
    """Read a process's folder below /proc.

    Raises:
        OSError: there is none, or the system does not tell.
    """
    fields = {
        name: int(rest.split()[0]) / 1024
        for file in ("smaps_rollup", "status")
        for name, _, rest in (line.partition(":") for line in (process / file).read_text("ascii").splitlines())
        if name in {"Rss", "Pss", "VmHWM"}
    }
    return Memory(fields["Rss"], fields["Pss"], fields["VmHWM"])


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is up: where, and the process that was started for it, parent of its workers."""

    address: Address
    process: subprocess.Popen

    def worker_memory(self) -> "Memory | None":
        """Give the memory of the largest worker; None where the system does not tell."""
        try:
            found = [memory_of(worker) for worker in self._workers()]
        except OSError:
            return None
        return max(found, key=lambda memory: memory.resident, default=None)

    def cpu_seconds(self) -> float | None:
        """Give the processor time that all workers have used so far; None where the system has no /proc."""
        try:
            lines = [(worker / "stat").read_text("ascii").rpartition(")")[2] for worker in self._workers()]
        except OSError:
            return None
        ticks = sum(int(count) for line in lines for count in line.split()[11:13])  # user and system
        return ticks / os.sysconf("SC_CLK_TCK")

    def _workers(self) -> list[Path]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii").split()
        return [Path("/proc") / child for child in children]


class ServerError(Exception):
    """A server did not start."""


@contextmanager
def bare_server() -> Iterator[Served]:
    """Serve the bare route while the block runs."""
    with plain_server("tests.bench.bare_conf", "/") as served:
        yield served


@contextmanager
def plain_server(conf: str, ready: str, **more: str) -> Iterator[Served]:
    """Serve an application of the tests by the gateway's own gunicorn settings while the block runs.

    Args:
        conf: the module of its settings.
        ready: a path that answers once it is up.
        more: environment variables of its own.
    """
    address = ("127.0.0.1", free_port())
    environment = {
        "IPX_BIND": f"{address[0]}:{address[1]}",
        "IPX_WORKERS": str(WORKERS),
        "IPX_THREADS": str(THREADS),
        **more,
    }
    command = [sys.executable, "-m", "gunicorn", "-c", f"python:{conf}"]
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    try:
        _wait_until_ready(server, f"http://{address[0]}:{address[1]}{ready}")
        yield Served(address, server)
    finally:
        end(server)


def end(server: subprocess.Popen) -> None:
    """End a server that was started here, politely first."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _wait_until_ready(server: subprocess.Popen, url: str) -> None:
    give_up = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up:
        if server.poll() is not None:
            raise ServerError(f"the bare server ended with status {server.returncode}")
        try:
            if httpx.get(url, timeout=2.0).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise ServerError(f"the bare server was not ready after {READY_SECONDS:.0f} s")
