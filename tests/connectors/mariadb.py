"""A MariaDB server of its own for one test run, from Debian's package; on a socket, never on a port."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

SERVER = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/bin")
INSTALL = shutil.which("mariadb-install-db")


@contextmanager
def mariadb_server() -> Iterator[sa.URL]:
    """Give the address of a running server, as its administrator."""
    if SERVER is None or INSTALL is None:
        pytest.skip("no MariaDB: apt-get install mariadb-server")
    pytest.importorskip("pymysql", reason="no driver: pip install 'ipx-gateway[mysql]'")
    with TemporaryDirectory(prefix="ipx-mariadb-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        place.chmod(0o755)
        data, endpoint = place / "data", place / "s.sock"
        user = ["--user=mysql"] if place.owner() == "root" else []
        if user:
            shutil.chown(place, "mysql", "mysql")
        install = [INSTALL, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", *user]
        subprocess.run([*install, "--skip-test-db"], check=True, capture_output=True, timeout=120)
        options = ["--skip-networking", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"]
        server = subprocess.Popen(
            [SERVER, "--no-defaults", f"--datadir={data}", f"--socket={endpoint}", *options, *user],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(300):
                if endpoint.exists():
                    break
                time.sleep(0.1)
            query = {"unix_socket": str(endpoint), "charset": "utf8mb4"}
            yield sa.URL.create("mysql+pymysql", "root", "", "localhost", database="mysql", query=query)
        finally:
            server.terminate()
            server.wait(30)
