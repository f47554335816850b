"""The doctor names what is wrong with a deployment, and what to do."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from gateway import doctor
from gateway.cli import main
from gateway.db.engine import Database
from gateway.doctor import Level
from tests.exchange.servers import environment
from tests.operation.front import Authority

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def told(demo, settings):
    """What it prints, by check, and its exit status."""

    def run(**more):
        ran = CliRunner().invoke(main, ["doctor", "--json"], env=environment(demo, settings) | more)
        return {(row := json.loads(line))["check"]: row for line in ran.output.splitlines()}, ran.exit_code

    return run


def test_a_deployment_is_looked_over_and_silent_workers_are_named(told):
    found, status = told()

    assert status == 1
    assert {name for name, row in found.items() if row["level"] != "ok"} <= {
        *("background work", "witnesses and time-stamps", "open files", "disk", "checkpoint store", "connections"),
    }
    assert "ipx-gateway worker" in found["background work"]["remedy"]
    assert found["log"]["level"] == "ok"


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_would_refuse_a_start_is_found(told, settings):
    found, status = told(IPX_KEY_ENCRYPTION_KEY="short")
    assert (status, list(found)) == (2, ["settings and keys"])

    found, status = told(IPX_LOG_KEY=str(settings.receipt_key))
    assert (status, list(found)) == (2, ["settings and keys"])

    checkpoints = Database(settings.checkpoint_database_url)
    with checkpoints.write() as session:
        session.execute(text("DELETE FROM checkpoint_cas"))
    checkpoints.dispose()
    found, status = told()
    assert (status, found["log"]["level"]) == (2, "error")
    assert "store was lost" in found["log"]["found"]


def test_a_database_that_is_not_migrated_or_not_there(empty_database_url, demo, clock):
    database = Database(empty_database_url)
    [found] = doctor.store(database, demo.settings, clock)
    database.dispose()
    gone = Database("postgresql://nobody@127.0.0.1:1/none")
    [lost] = doctor.store(gone, demo.settings, clock)
    gone.dispose()

    assert (found.level, found.remedy) == (Level.ERROR, "run `ipx-gateway db upgrade`")
    assert lost.level is Level.ERROR
    assert "IPX_DATABASE_URL" in lost.remedy


def test_isolation_and_clock(postgresql_url):
    database = Database(postgresql_url)
    with database.read_connection() as connection:
        assert doctor.isolation(connection).level is Level.OK
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        assert doctor.isolation(connection).level is Level.ERROR
    database.dispose()

    assert doctor.skew(NOW + timedelta(seconds=5), NOW).level is Level.ERROR
    assert doctor.skew(NOW, NOW).level is Level.OK


def test_origin_proxies_checkpoints_disk_and_open_files(demo):
    base = replace(demo.settings, origin="https://gw.example")

    assert doctor.proxy(demo.settings).level is Level.OK
    assert doctor.proxy(base).level is Level.WARNING
    assert doctor.proxy(replace(base, client_certificate_header="Client-Cert")).level is Level.ERROR
    assert doctor.proxy(replace(base, trusted_proxies=("0.0.0.0/0",))).level is Level.ERROR
    assert doctor.apart(replace(base, checkpoint_database_url=base.database_url)).level is Level.ERROR
    same = replace(base, database_url="postgresql://h/a", checkpoint_database_url="postgresql://h/b")
    assert doctor.apart(same).level is Level.WARNING
    assert doctor.descriptors(256).level is Level.WARNING
    for free, level in ((50, Level.OK), (8, Level.WARNING), (2, Level.ERROR)):
        assert {one.level for one in doctor.disks(base, lambda _, free=free: (100, 100 - free, free))} == {level}


def test_certificates_that_end(demo, tmp_path):
    certificate, _ = Authority(tmp_path, "ca").issue("gw.example", is_server=True)
    settings = replace(demo.settings, tls_certificate=certificate)
    (tmp_path / "none.pem").write_text("nothing")

    def level(at, settings=settings):
        [found] = doctor.certificates(settings, at)
        return found.level

    now = datetime.now(UTC)
    assert level(now - timedelta(days=60)) is Level.OK
    assert level(now) is Level.WARNING
    assert level(now + timedelta(days=3)) is Level.ERROR
    assert level(now, replace(settings, tls_certificate=tmp_path / "none.pem")) is Level.ERROR
