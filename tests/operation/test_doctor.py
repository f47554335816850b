"""The doctor names what is wrong with a deployment, and what to do."""

import base64
import json
import runpy
import shutil
import ssl
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from click.testing import CliRunner
from cryptography.x509 import load_pem_x509_certificates
from sqlalchemy import text

from gateway.beats import Beats
from gateway.cli import main
from gateway.clock import utc_now
from gateway.db.engine import Database
from gateway.demo.run import free_port
from gateway.doctor import examination, outside, stores, surroundings
from gateway.doctor.finding import Level
from gateway.evidence.outsiders import Authority as Stamper
from gateway.evidence.outsiders import Outsiders, Witness
from gateway.evidence.state import Confirmation, Standing
from gateway.settings import Pool
from ipx.keys import generate_signer
from ipx.merkle import EMPTY_ROOT
from ipx.note import COSIGNATURE, Checkpoint, NoteSigner, sign
from tests.authority import POLICY
from tests.authority import Authority as StampAuthority
from tests.exchange.breaking import database_read_only
from tests.exchange.servers import environment
from tests.exchange.world import OFFICE
from tests.operation.front import Authority
from tests.operation.rolling import redis_server

NOW = datetime(2026, 11, 25, tzinfo=UTC)


LOG = NoteSigner("gw.example/log", generate_signer())


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

    found, status = told(IPX_KEY_ENCRYPTION_KEY=base64.b64encode(bytes(32)).decode())
    assert (status, found["key-encryption key"]["level"]) == (2, "error")
    assert "log" not in found

    checkpoints = Database(settings.checkpoint_database_url)
    with checkpoints.write() as session:
        session.execute(text("DELETE FROM checkpoint_cas"))
    checkpoints.dispose()
    found, status = told()
    assert (status, found["log"]["level"]) == (2, "error")
    assert "store was lost" in found["log"]["found"]


def test_a_database_that_is_not_migrated_or_not_there(empty_database_url, demo, clock):
    database = Database(empty_database_url)
    [found] = stores.store(database, demo.settings, clock)
    database.dispose()
    gone = Database("postgresql://nobody@127.0.0.1:1/none")
    [lost] = stores.store(gone, demo.settings, clock)
    gone.dispose()

    assert (found.level, found.remedy) == (Level.ERROR, "run `ipx-gateway db upgrade`")
    assert lost.level is Level.ERROR
    assert "IPX_DATABASE_URL" in lost.remedy


def test_isolation_and_clock(postgresql_url):
    database = Database(postgresql_url)
    with database.read_connection() as connection:
        assert stores.isolation(connection).level is Level.OK
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        assert stores.isolation(connection).level is Level.ERROR
    database.dispose()

    assert stores.skew(NOW + timedelta(seconds=5), NOW).level is Level.ERROR
    assert stores.skew(NOW, NOW).level is Level.OK


def test_origin_proxies_checkpoints_disk_and_open_files(demo):
    base = replace(demo.settings, origin="https://gw.example")

    assert surroundings.proxy(demo.settings).level is Level.OK
    assert surroundings.proxy(base).level is Level.WARNING
    assert surroundings.proxy(replace(base, client_certificate_header="Client-Cert")).level is Level.ERROR
    assert surroundings.proxy(replace(base, trusted_proxies=("0.0.0.0/0",))).level is Level.ERROR
    assert surroundings.apart(replace(base, checkpoint_database_url=base.database_url)).level is Level.ERROR
    same = replace(base, database_url="postgresql://h/a", checkpoint_database_url="postgresql://h/b")
    assert surroundings.apart(same).level is Level.WARNING
    assert surroundings.descriptors(256).level is Level.WARNING
    for free, level in ((50, Level.OK), (8, Level.WARNING), (2, Level.ERROR)):
        assert {one.level for one in surroundings.disks(base, lambda _, free=free: (100, 100 - free, free))} == {level}


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_server_that_takes_no_more_is_found_out(settings):
    database = Database(settings.database_url)
    assert stores.room(database).level is Level.OK
    with database_read_only(database):
        refused = stores.room(database)
    with database.read_connection() as connection:
        left = connection.exec_driver_sql("SELECT count(*) FROM pg_class WHERE relname = 'ipx_room'").scalar_one()
    database.dispose()

    assert (refused.level, "8 MB more" in refused.found, left) == (Level.ERROR, True, 0)


def test_every_node_and_worker_counts_for_the_connections(demo, postgresql_url):
    settings = replace(demo.settings, database_url=postgresql_url, workers=2, pool=Pool(size=10, overflow=5))
    database = Database(postgresql_url)
    for node, role in (("a", "server"), ("b", "server"), ("c", "worker")):
        beats = Beats(database, utc_now, node=node)
        beats.role = role
        beats.beat()
    with database.read_connection() as connection:
        few = stores.connections(connection, replace(settings, pool=Pool(size=1, overflow=0)), utc_now())
        many = stores.connections(connection, replace(settings, pool=Pool(size=500, overflow=0)), utc_now())
        alone = stores.connections(connection, settings, utc_now() + timedelta(hours=1))
    database.dispose()

    assert (few.level, many.level) == (Level.OK, Level.WARNING)
    assert "5 processes may open 2500" in many.found
    assert "IPX_DATABASE_POOL" in many.remedy
    assert "for 2 processes" in alone.found


def test_redis_is_a_part_of_its_own(demo, tmp_path):
    pytest.importorskip("redis", reason="the package redis is not installed")
    lost = stores.replay(replace(demo.settings, redis_url=f"redis://127.0.0.1:{free_port()}/0"), None)

    assert stores.replay(demo.settings, None).level is Level.OK
    assert (lost.check, lost.level) == ("replay store", Level.ERROR)
    assert "IPX_REDIS_URL" in lost.remedy
    if shutil.which("redis-server") is None:
        return
    with redis_server(tmp_path) as url:
        settings = replace(demo.settings, redis_url=url)
        assert stores.replay(settings, None).level is Level.OK
        _redis(url, "CONFIG", "SET", "appendonly", "no")
        assert "appendonly" in stores.replay(settings, None).remedy
        _redis(url, "CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
        evicts = stores.replay(settings, None)
        assert (evicts.level, "noeviction" in evicts.found) == (Level.ERROR, True)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_dead_redis_is_not_laid_at_the_door_of_the_log(told):
    pytest.importorskip("redis", reason="the package redis is not installed")
    found, status = told(IPX_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")

    assert (status, found["replay store"]["level"]) == (2, "error")
    assert "log" not in found


def test_each_witness_is_asked(clock):
    mine, silent, new = (NoteSigner(f"w{n}.example/witness", generate_signer(), COSIGNATURE) for n in range(3))
    last = sign(Checkpoint(LOG.key.name, 0, EMPTY_ROOT, ()).text(), LOG)

    def answer(request):
        match request.url.host:
            case "w0.example":
                return httpx.Response(200, text=last)
            case "w2.example":
                return httpx.Response(404)
        raise httpx.ConnectError("nobody is there", request=request)

    def ask(*signers, quorum):
        asked = tuple(Witness(signer.key, f"https://{signer.key.name}") for signer in signers)
        with httpx.Client(transport=httpx.MockTransport(answer)) as http:
            return list(outside.witnesses(Outsiders(asked, quorum), LOG.key, clock, http))

    good, down, strange = ask(mine, silent, new, quorum=2)
    assert [one.level for one in (good, down, strange)] == [Level.OK, Level.ERROR, Level.ERROR]
    assert (down.check, "IPX_WITNESSES" in down.remedy) == ("witness w1.example/witness", True)
    assert "log keys" in strange.remedy
    assert [one.level for one in ask(mine, silent, quorum=1)] == [Level.OK, Level.WARNING]


def test_the_time_stamp_authority_is_asked_for_a_stamp(tmp_path, demo):
    if shutil.which("openssl") is None:
        pytest.skip("openssl not present")
    real = StampAuthority(tmp_path)
    with real.serving() as url, httpx.Client() as http:
        good = outside.authority(Stamper(url, (real.root,), POLICY), utc_now, http)
        other = outside.authority(Stamper(url, (real.root,), "1.2.3"), utc_now, http)
        late = outside.authority(Stamper(url, (real.root,), POLICY), lambda: utc_now() + timedelta(minutes=1), http)
    with httpx.Client() as http:
        gone = outside.authority(Stamper(url, (real.root,), POLICY), utc_now, http)
    settings = replace(demo.settings, tsa_roots=tmp_path / "ca.pem")
    [ends] = load_pem_x509_certificates(settings.tsa_roots.read_bytes())
    end = ends.not_valid_after_utc

    def roots(at, settings=settings):
        [found] = surroundings.certificates(settings, at)
        return found.check, found.level, "renew" in found.remedy

    assert good.level is Level.OK
    assert {other.level, late.level, gone.level} == {Level.ERROR}
    assert "set the clock" in late.found
    assert "IPX_TSA_URL" in gone.remedy
    assert roots(end - timedelta(days=31)) == ("IPX_TSA_ROOTS", Level.OK, False)
    assert roots(end - timedelta(days=29)) == ("IPX_TSA_ROOTS", Level.WARNING, True)
    assert roots(end) == ("IPX_TSA_ROOTS", Level.ERROR, True)
    assert roots(end, replace(settings, tsa_roots=tmp_path / "none.pem"))[1] is Level.ERROR
    both = tmp_path / "both.pem"  # the next root beside the one that ends: old stamps need both
    following = Authority(tmp_path, "following").file
    both.write_bytes(settings.tsa_roots.read_bytes() + following.read_bytes())
    [later] = load_pem_x509_certificates(following.read_bytes())
    last = max(end, later.not_valid_after_utc)
    assert roots(last - timedelta(seconds=1), replace(settings, tsa_roots=both))[1] is Level.WARNING


def test_the_certificate_that_callers_see(tmp_path):
    issuer, other = Authority(tmp_path, "ca"), Authority(tmp_path, "other-ca")
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*issuer.issue("localhost", is_server=True))
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # callers that refuse the certificate
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"https://localhost:{server.server_port}"

    def look(at, authority, origin=origin):
        [found] = surroundings.presented(origin, at, ssl.create_default_context(cafile=str(authority.file)))
        return found

    try:
        now = utc_now()
        assert look(now - timedelta(days=60), issuer).level is Level.OK
        assert look(now, issuer).level is Level.WARNING
        refused = look(now, other)
        assert (refused.level, "callers refuse it" in refused.found) == (Level.ERROR, True)
    finally:
        server.shutdown()
        server.server_close()
    assert look(now, issuer, f"https://localhost:{free_port()}").level is Level.WARNING
    assert list(surroundings.presented("http://127.0.0.1:8080", now)) == []


@pytest.mark.parametrize(
    ("standing", "level"),
    [
        (Confirmation.CURRENT, Level.OK),
        (Confirmation.UNWITNESSED, Level.WARNING),
        (Confirmation.OVERDUE, Level.ERROR),
        (Confirmation.CONTRADICTED, Level.ERROR),
    ],
)
def test_what_outsiders_do_not_confirm_and_sources_that_fail(one_gateway, monkeypatch, standing, level):
    services = one_gateway.services
    failing = [SimpleNamespace(source="court-xa-cases")] if level is not Level.OK else []
    monkeypatch.setattr(services.evidence_state, "look", lambda: Standing(standing, reasons=("w1 is silent",)))
    monkeypatch.setattr(services.intake.following, "failing", lambda: failing)

    found = {one.check: one for one in examination.running(services, services.clock)}

    assert found["witnesses and time-stamps"].level is level
    assert (found["witnesses and time-stamps"].remedy == "") == (level is Level.OK)
    assert found["sources"].level is (Level.WARNING if failing else Level.OK)
    assert not failing or "court-xa-cases" in found["sources"].found


def test_holders_whose_systems_fail(one_gateway):
    before = {one.check: one for one in examination.running(one_gateway.services, one_gateway.services.clock)}
    one_gateway.ask(OFFICE, "ipo-xb", number="2023889012", purpose="examination")  # which has no system in this world
    after = {one.check: one for one in examination.running(one_gateway.services, one_gateway.services.clock)}

    assert before["holders"].level is Level.OK
    assert (after["holders"].level, "ipo-xb" in after["holders"].found) == (Level.WARNING, True)
    assert "source health" in after["holders"].remedy


def test_seal_keys_that_end_where_the_trust_key_is_offline(one_gateway):
    one_gateway.ask()  # the first use of the seal of ipo-xa
    database, now = one_gateway.services.database, utc_now()
    offline = replace(one_gateway.settings, trust_key=None)
    late = stores.seals(database, offline, now + timedelta(days=710))

    assert (late.level, "ipo-xa" in late.found, "seal-key renew" in late.remedy) == (Level.WARNING, True, True)
    assert stores.seals(database, offline, now).level is Level.OK
    assert stores.seals(database, one_gateway.settings, now + timedelta(days=710)).level is Level.OK


def test_times_that_do_not_fit_and_a_node_that_waits_for_its_exchanges(demo, monkeypatch):
    base = demo.settings
    assert surroundings.times(base).level is Level.OK
    late = surroundings.times(replace(base, holder_seconds=30.0, exchange_seconds=30.0))
    long = surroundings.times(replace(base, exchange_seconds=90.0))
    assert (late.level, "IPX_EXCHANGE_SECONDS" in late.remedy) == (Level.WARNING, True)
    assert (long.level, "proxy_read_timeout" in long.remedy) == (Level.WARNING, True)

    monkeypatch.setenv("IPX_EXCHANGE_SECONDS", "90.5")
    monkeypatch.setenv("IPX_DRAIN_SECONDS", "4")
    read = runpy.run_path(str(Path(surroundings.__file__).parents[1] / "gunicorn_conf.py"))
    assert read["graceful_timeout"] == 100


def _redis(url, *command):
    redis = pytest.importorskip("redis")
    with redis.Redis.from_url(url) as connection:
        connection.execute_command(*command)


def test_certificates_that_end(demo, tmp_path):
    certificate, _ = Authority(tmp_path, "ca").issue("gw.example", is_server=True)
    settings = replace(demo.settings, tls_certificate=certificate)
    (tmp_path / "none.pem").write_text("nothing")

    def level(at, settings=settings):
        [found] = surroundings.certificates(settings, at)
        return found.level

    now = datetime.now(UTC)
    assert level(now - timedelta(days=60)) is Level.OK
    assert level(now) is Level.WARNING
    assert level(now + timedelta(days=3)) is Level.ERROR
    assert level(now, replace(settings, tls_certificate=tmp_path / "none.pem")) is Level.ERROR
