"""Real servers on loopback for tests: started, awaited, ended by their process group.

They are forked from one process that has imported the program already: importing it takes seconds of processor time,
and is not what a test of a running server is about.
"""

import multiprocessing
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from gateway.demo.run import Demo, free_port

IMPORTED = ["gateway.app", "gateway.settings", "gateway.worker", "gunicorn.app.wsgiapp", "gunicorn.workers.gthread"]
LIVE_SECONDS = 120.0


def environment(demo: Demo, settings):
    """What a server reads to serve a test's database on a port of its own; its origin stays the demo's."""
    original = demo.settings
    demo.settings = settings
    try:
        return os.environ | demo.environment()
    finally:
        demo.settings = original


class Server:
    """Gunicorn in a session of its own, so that a signal can reach its workers with it."""

    def __init__(self, application, environ, words: Path) -> None:
        started = multiprocessing.get_context("forkserver")
        started.set_forkserver_preload(IMPORTED)
        self._process = started.Process(target=_gunicorn, args=(application, environ, str(Path.cwd()), str(words)))
        self._process.start()
        self._words = words
        self.pid = self._process.pid

    @property
    def has_ended(self) -> bool:
        return not self._process.is_alive()

    @property
    def words(self) -> str:
        """What it wrote to its standard error."""
        return self._words.read_text("utf-8", "replace") if self._words.exists() else ""

    def wait(self, seconds=60.0) -> None:
        self._process.join(seconds)
        assert self.has_ended, f"the server is still there after {seconds} s"

    def end(self) -> None:
        """Ask it to end, with all that it started; then see to it."""
        for number, seconds in ((signal.SIGTERM, 30), (signal.SIGKILL, 30)):
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            self._process.join(seconds)
            if self.has_ended:
                break
        self._process.close()


@contextmanager
def serving(demo, settings, application="gateway.wsgi:application()", workers=1, port=None, **more):
    """Run gunicorn; gives its address. The origin in its settings is another one: proofs are made for that."""
    port = port or free_port()
    settings = replace(settings, bind=f"127.0.0.1:{port}", workers=workers)
    with TemporaryDirectory(prefix="ipx-server-") as folder:
        server = Server(application, environment(demo, settings) | more, Path(folder) / "words")
        address = f"http://127.0.0.1:{port}"
        try:
            _await(server, address)
            yield address, server
        finally:
            server.end()


def _gunicorn(application, environ, folder, words) -> None:
    """Be what `gunicorn -c python:gateway.gunicorn_conf APPLICATION` is from a shell."""
    os.setsid()
    os.dup2(os.open(words, os.O_WRONLY | os.O_CREAT, 0o600), 2)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    from gunicorn.app.wsgiapp import run  # noqa: PLC0415  (in the child)

    sys.argv = ["gunicorn", "-c", "python:gateway.gunicorn_conf", application]
    run()


class Rewired(httpx.BaseTransport):
    """Sends what is meant for the origin to the port on which a test's server listens, as a load balancer would."""

    def __init__(self, address: str) -> None:
        self._to = httpx.URL(address)
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request):
        request.url = request.url.copy_with(host=self._to.host, port=self._to.port)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def _await(server, address):
    give_up = time.monotonic() + LIVE_SECONDS
    with httpx.Client(timeout=2) as http:
        while time.monotonic() < give_up:
            assert not server.has_ended, f"the server ended: {server.words[-2000:]}"
            try:
                if http.get(f"{address}/livez").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    raise AssertionError(f"the server did not start: {server.words[-2000:]}")
