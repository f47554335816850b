"""Real servers on loopback for tests: started, awaited, ended by their process group."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from gateway.demo.run import Demo, free_port


def environment(demo: Demo, settings):
    """What a server reads to serve a test's database on a port of its own; its origin stays the demo's."""
    original = demo.settings
    demo.settings = settings
    try:
        return os.environ | demo.environment()
    finally:
        demo.settings = original


@contextmanager
def serving(demo, settings, application="gateway.wsgi:application()", workers=1, **more):
    """Run gunicorn; gives its address. The origin in its settings is another one: proofs are made for that."""
    port = free_port()
    settings = replace(settings, bind=f"127.0.0.1:{port}", workers=workers)
    command = [sys.executable, "-m", "gunicorn", "-c", "python:gateway.gunicorn_conf", application]
    server = subprocess.Popen(
        command, env=environment(demo, settings) | more, start_new_session=True, cwd=Path.cwd(), stderr=subprocess.PIPE
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(server, address)
        yield address, server
    finally:
        try:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(15)
        except ProcessLookupError:
            server.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(5)
        server.stderr.close()


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


def _await(server, address, seconds=60.0):
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if server.poll() is not None:
            raise AssertionError(f"the server ended: {server.stderr.read().decode()[-2000:]}")
        try:
            if httpx.get(f"{address}/livez", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("the server did not start")
