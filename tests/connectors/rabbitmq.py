"""A RabbitMQ server of its own for one test run, from Debian's package; on loopback, with its own port mapper."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
MAPPER = shutil.which("epmd")

CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = office
default_pass = 0ff1ce
default_permissions.configure = .*
default_permissions.read = .*
default_permissions.write = .*
loopback_users = none
disk_free_limit.absolute = 1MB
log.file = false
log.console = false
"""


@dataclass(frozen=True)
class Server:
    port: int
    user: str = "office"
    password: str = "0ff1ce"


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@contextmanager
def rabbitmq_server() -> Iterator[Server]:
    """Give a running server; it and its port mapper are gone afterwards."""
    if not SERVER.is_file() or MAPPER is None:
        pytest.skip("no RabbitMQ: apt-get install rabbitmq-server")
    pytest.importorskip("pika", reason="no client: pip install 'ipx-gateway[queue]'")
    with TemporaryDirectory(prefix="ipx-rabbitmq-", ignore_cleanup_errors=True) as folder:
        place, port, mapper_port, inner_port = Path(folder), free_port(), free_port(), free_port()
        (place / "rabbitmq.conf").write_text(CONFIG.format(port=port))
        (place / "plugins").write_text("[].")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"ipx{port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(place / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(place / "none"),
            "RABBITMQ_MNESIA_BASE": str(place / "data"),
            "RABBITMQ_LOG_BASE": str(place / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "plugins"),
            "RABBITMQ_DIST_PORT": str(inner_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false +S 1:1 +sbwt none",
        }
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment, "cwd": folder}
        mapper = subprocess.Popen([MAPPER, "-port", str(mapper_port), "-address", "127.0.0.1"], **quiet)
        server = subprocess.Popen([SERVER], start_new_session=True, **quiet)
        try:
            _await(server, port)
            yield Server(port)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait(5)
            mapper.terminate()
            mapper.wait(10)


def _await(server: subprocess.Popen, port: int) -> None:
    for _ in range(600):
        if server.poll() is not None:
            pytest.fail(f"RabbitMQ ended with {server.returncode}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    pytest.fail("RabbitMQ does not listen")
