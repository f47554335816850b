"""Two nodes behind nginx, one after the other ended and started again while clients call without pause.

`make rolling` does it for a minute, with a worker of its own, on PostgreSQL and Redis of Debian's packages where they
are installed.
"""

import argparse
import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from gateway.demo.run import Demo, free_port
from gateway.wiring import build
from ipx import jws, keyfile
from ipx.client import Client
from ipx.encoding import b64url_bytes
from ipx.ids import uuid7
from ipx.waiting import Patience
from tests.bench.stores import postgres_server, two_databases
from tests.exchange.servers import Server, environment
from tests.operation.front import Nginx

CLIENTS = ("customs-xa.intake", "customs-xa.intake")
MARK = "202400017"
READY_SECONDS = 120.0
SHIPPED = {"IPX_CLIENT_CERTIFICATE_HEADER": "Client-Cert", "IPX_TRUSTED_PROXIES": "127.0.0.1"}
"""Of deploy/: what nodes behind this nginx are told."""


@dataclass
class Report:
    """What happened to the calls, and to the nodes."""

    calls: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    said: list[dict] = field(default_factory=list)
    """What each node answered at /readyz after it was told to end, first of all."""
    restarts: int = 0
    seconds: float = 0.0

    def __str__(self):
        made = ", ".join(f"{count} {name}" for name, count in sorted(self.calls.items()))
        return f"{self.seconds:.0f} s, {self.restarts} restarts: {made}; {len(self.failures)} failed"


class Node:
    """One gunicorn on a port of its own, of the same database as the others."""

    def __init__(self, demo: Demo, settings, folder: Path, name: str, **more: str) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._settings = replace(settings, bind=f"127.0.0.1:{self.port}", node=name, workers=1)
        self._environ = environment(demo, self._settings) | SHIPPED | more
        self._words = folder / f"{name}.err"
        self.server: Server | None = None

    def start(self) -> None:
        self.server = Server("gateway.wsgi:application()", self._environ, self._words)
        give_up = time.monotonic() + READY_SECONDS
        while self.readyz() != {"ready": True}:
            assert not self.server.has_ended, self.server.words[-2000:]
            assert time.monotonic() < give_up, "the node did not get ready"
            time.sleep(0.05)

    def readyz(self) -> dict:
        """Give what it says of its readiness: `{"ready": True}`, what fails, or nothing where nobody answers."""
        try:
            said = httpx.get(f"{self.address}/readyz", timeout=10).json()
        except httpx.TransportError:
            return {}
        return {"ready": True} if said["ready"] else said

    def end(self) -> dict:
        """Tell it to end and wait until it has; gives the first answer of /readyz that was not `ready`."""
        assert self.server is not None
        os.kill(self.server.pid, signal.SIGTERM)
        while (said := self.readyz()) == {"ready": True}:
            time.sleep(0.01)
        self.server.wait(READY_SECONDS)
        return said

    def close(self) -> None:
        if self.server is not None:
            self.server.end()


class Traffic:
    """Clients that ask without pause and without patience: what fails once has failed."""

    def __init__(self, demo: Demo, origin: str, nginx: Nginx, urn: str, report: Report) -> None:
        self._report, self._urn = report, urn
        self._ending = threading.Event()
        self._threads = []
        for client_id in CLIENTS:
            key, http = keyfile.read_key(demo.world.keys[client_id]), httpx.Client(transport=nginx.transport())
            client = Client(origin, client_id, key, http=http, patience=Patience(tries=1))
            self._threads.append(threading.Thread(target=self._ask, args=(client, key, origin)))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        for thread in self._threads:
            thread.join(60)

    def count(self) -> int:
        return self._report.calls["answers"]

    def _ask(self, client, key, origin) -> None:
        with client:
            while not self._ending.is_set():
                jti = uuid7()
                try:
                    request = _request(client.client_id, key, origin, self._urn, jti)
                    answer = client.send(request)
                    payload = jws.parse_object(b64url_bytes(answer.evidence.receipt.split(".")[1]))
                    self._report.calls[payload["outcome"]] += 1
                    self._report.calls["answers"] += 1
                    if payload["req_hash"] != _hash(request) or answer.evidence.is_replayed:
                        self._report.failures.append(f"{jti} was answered with another's answer")
                except Exception as error:  # noqa: BLE001  (whatever it is, a call failed)
                    self._report.failures.append(f"{type(error).__name__}: {error}")
                self._ending.wait(0.02)


def _request(client_id, key, origin, urn, jti) -> str:
    now = int(time.time())
    asked = {"purpose": "border_enforcement", "legal_basis": "XA Customs Cooperation Agreement 2025, art. 4"}
    times = {"iat": now, "exp": now + 60}
    return jws.sign(
        {"iss": client_id, "aud": origin, "jti": jti, "holder": "ipo-xa", "record": urn, **asked, **times},
        key,
        typ="ipx-request+jwt",
    )


def _hash(request: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(request.encode()).digest()).rstrip(b"=").decode()


@contextmanager
def two_nodes(demo: Demo, settings, folder: Path, **more: str):
    """Run two nodes and nginx in front of them; gives all three."""
    nodes = [Node(demo, settings, folder, f"gateway-{number}", **more) for number in (1, 2)]
    with ExitStack() as stack:
        for node in nodes:
            stack.callback(node.close)
            node.start()
        ports = {f"gateway-{number}": node.port for number, node in enumerate(nodes, 1)}
        yield nodes, stack.enter_context(Nginx(folder / "nginx", ports, free_port(), free_port()))


def roll(demo: Demo, settings, nodes, nginx, seconds: float = 0.0) -> Report:
    """End and start one node after the other under load, at least once each, for as long as is said."""
    report = Report()
    services = build(settings)
    urn = demo.urn("ipo-xa", "trademark", MARK, services.holder_keys)
    begun = time.monotonic()
    try:
        with Traffic(demo, settings.origin, nginx, urn, report) as traffic:
            while not report.restarts or time.monotonic() < begun + seconds:
                for node in nodes:
                    _await_more(traffic, report, 10)
                    report.said.append(node.end())
                    _await_more(traffic, report, 10)
                    node.start()
                    report.restarts += 1
            _await_more(traffic, report, 10)
        report.seconds = time.monotonic() - begun
        services.log.audit()
    finally:
        services.close()
    return report


def _await_more(traffic: Traffic, report: Report, count: int) -> None:
    """Wait until so many more calls were answered."""
    wanted, give_up = traffic.count() + count, time.monotonic() + READY_SECONDS
    while traffic.count() < wanted and not report.failures and time.monotonic() < give_up:
        time.sleep(0.02)


@contextmanager
def redis_server(folder: Path):
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes"]
    process = subprocess.Popen([*command, "--save", ""], stdout=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + READY_SECONDS
        while not _listens(port):
            assert time.monotonic() < give_up, "Redis did not start"
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def packaged_postgresql(folder: Path):
    """Run the newest PostgreSQL of Debian's packages, as the user that they made for it; gives its address, or None."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
    if programs is None:
        yield None
        return
    data, port = folder / "postgresql", free_port()
    data.mkdir(mode=0o700)
    owner = {}
    if os.geteuid() == 0:  # the server refuses to be run by root
        shutil.chown(data, "postgres", "postgres")
        folder.chmod(0o711)  # to be gone through
        owner = {"user": "postgres", "group": "postgres", "extra_groups": []}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **owner}
    subprocess.run([programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust"], check=True, **quiet)
    where = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={data}"]
    process = subprocess.Popen([programs / "postgres", "-D", data, *where], **quiet)
    try:
        give_up = time.monotonic() + READY_SECONDS
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready, check=False).returncode:
            assert time.monotonic() < give_up, "PostgreSQL did not start"
            time.sleep(0.05)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # its fast way to end
        process.wait(60)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ipx-rolling-")))
        packaged = stack.enter_context(packaged_postgresql(folder))
        postgres = packaged or stack.enter_context(postgres_server())
        first, second = stack.enter_context(two_databases(folder, postgres))
        demo = Demo(folder / "demo", free_port())
        demo.settings = replace(
            demo.settings, database_url=first, checkpoint_database_url=second, has_consoles=False, drain_seconds=2.0
        )
        demo.prepare()
        more = {"IPX_REDIS_URL": stack.enter_context(redis_server(folder)), "IPX_DRAIN_SECONDS": "2"}
        nodes, nginx = stack.enter_context(two_nodes(demo, demo.settings, folder, **more))
        worker = subprocess.Popen(
            [sys.executable, "-c", "from gateway.cli import main; main()", "worker"],
            env=environment(demo, replace(demo.settings, node="worker-1")) | more,
            stdout=subprocess.DEVNULL,
        )
        stack.callback(worker.wait, 60)
        stack.callback(worker.terminate)
        report = roll(demo, demo.settings, nodes, nginx, arguments.seconds)
        alive = worker.poll() is None
    told = f"PostgreSQL of {'Debian' if packaged else 'a wheel'}; the worker {'lives' if alive else 'has died'}"
    sys.stdout.write("\n".join([f"{report}; {told}", *report.failures[:20], ""]))
    return int(bool(report.failures) or not alive)


if __name__ == "__main__":
    sys.exit(main())
