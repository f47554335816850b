"""Debian's PgBouncer in front of the tests' PostgreSQL, as docs/operators.md has it."""

import os
import pwd
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from sqlalchemy import make_url

from gateway.demo.run import free_port

CONFIGURATION = Path(__file__).resolve().parent.parent.parent / "deploy" / "pgbouncer" / "pgbouncer.ini"


@contextmanager
def pgbouncer(server_url: str, **settings: str | int):
    """Run it with the configuration that the project ships; gives a function from a database's address to its own.

    Args:
        server_url: of PostgreSQL, which lets a test's user in without a password.
        settings: what differs from the shipped configuration.
    """
    server, port = make_url(server_url), free_port()
    host, server_port = server.query.get("host") or server.host, server.query.get("port") or server.port or 5432
    changes = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "auth_type": "any",  # the shipped one reads a file of passwords
        "unix_socket_dir": "",
        **settings,
    }
    text = CONFIGURATION.read_text("utf-8")
    for name, value in changes.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert count or name == "unix_socket_dir", f"{CONFIGURATION} says {name} no more"
    text = re.sub(r"(?m)^(auth_file|ipx) = .*\n", "", text)
    password = f" password={server.password}" if server.password else ""
    reached = f"* = host={host} port={server_port} user={server.username}{password}\n"
    text = text.replace("[databases]\n", "[databases]\n" + reached)
    # Not in a folder of pytest's, which are closed to the user that PgBouncer becomes.
    with TemporaryDirectory(prefix="ipx-pgbouncer-") as folder:
        file = Path(folder, "pgbouncer.ini")
        if os.geteuid() == 0:
            owner = pwd.getpwnam("nobody" if not host.startswith("/") else Path(host).owner())
            text += f"user = {owner.pw_name}\n"
        file.write_text(text)
        Path(folder).chmod(0o755)
        file.chmod(0o644)
        with Path(folder, "words").open("w") as words:
            process = subprocess.Popen([_program() or "pgbouncer", "-q", str(file)], stderr=words)
        try:
            through = server.set(drivername="postgresql", host="127.0.0.1", port=port, query={})
            _await(process, Path(folder, "words"), through.render_as_string(hide_password=False))
            yield lambda url: through.set(database=make_url(url).database).render_as_string(hide_password=False)
        finally:
            process.terminate()
            process.wait(30)


def is_present() -> bool:
    return _program() is not None


def _program() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


def _await(process, words: Path, url: str) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        assert process.poll() is None, words.read_text()
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("pgbouncer did not start")
