"""Two gateways witness each other, a real authority stamps: from an exchange to evidence that needs no trust in us."""

import shutil
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text, update
from werkzeug.serving import make_server

from gateway.demo.run import Demo, free_port
from gateway.evidence import witnesses
from gateway.evidence.errors import TimestampError
from gateway.evidence.models import EvidenceDuty, LogCheckpoint
from gateway.evidence.signers import read_signer, write_signer
from gateway.evidence.timestamps import TimestampClient
from ipx import evidence
from ipx.errors import EvidenceError
from ipx.keys import generate_signer
from ipx.note import COSIGNATURE, NoteSigner
from ipx.problems import ConflictError, UnavailableError
from tests.authority import POLICY, Authority
from tests.exchange.breaking import failing
from tests.exchange.world import Gateway


@contextmanager
def serving(app, port):
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("openssl not present")
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with authority.serving() as authority.url:
        yield authority


@pytest.fixture(scope="session")
def foreign_demo(tmp_path_factory):
    demo = Demo(tmp_path_factory.mktemp("foreign"), free_port())
    demo.prepare()
    return demo


@pytest.fixture
def pair(demo, settings, foreign_demo, tmp_path, authority, monkeypatch):
    """Our gateway with witness and authority, and the peer that is its witness; each witnesses the other."""
    monkeypatch.setattr(witnesses, "TIMEOUT_SECONDS", 20.0)  # a machine that does other things besides is no fault
    shutil.copytree(foreign_demo.directory, tmp_path / "foreign")
    foreign = replace(
        foreign_demo.settings,
        database_url=f"sqlite:///{tmp_path / 'foreign' / 'gateway.db'}",
        checkpoint_database_url=f"sqlite:///{tmp_path / 'foreign' / 'checkpoints' / 'checkpoints.db'}",
    )
    ours, theirs = _witnessing(tmp_path / "ours", settings), _witnessing(tmp_path / "theirs", foreign)
    ports = free_port(), free_port()
    ours, theirs = (
        replace(
            own,
            witnesses=((_witness(other).key, f"http://127.0.0.1:{port}/witness"),),
            witness_quorum=1,
            witnessed_logs=(_log(other).key,),
        )
        for own, other, port in ((ours, theirs, ports[1]), (theirs, ours, ports[0]))
    )
    roots = authority.folder / "ca.pem"
    ours = replace(ours, tsa_url=authority.url, tsa_roots=roots, tsa_policy=POLICY)
    with ExitStack() as stack:
        gateways = [Gateway(demo, ours), Gateway(foreign_demo, theirs)]
        for gateway, port in zip(gateways, ports, strict=True):
            stack.callback(gateway.close)
            stack.enter_context(serving(gateway.app, port))
        for gateway in gateways:
            with gateway.services.database.write() as session:
                gateway.services.trust_lists.publish(session, "operator")
        yield gateways


def _witnessing(folder, settings):
    write_signer(folder / "witness.pem", generate_signer("Ed25519"))
    return replace(settings, witness_key=folder / "witness.pem")


def _witness(settings):
    return NoteSigner(settings.witness_name, read_signer(settings.witness_key), COSIGNATURE)


def _log(settings):
    return NoteSigner(settings.log_origin, read_signer(settings.log_key))


def test_evidence_is_whole_once_a_peer_has_cosigned_and_the_authority_has_stamped(pair):
    ours, _ = pair
    answer = ours.ask()
    exchange = answer.evidence.exchange
    client = ours.client(verified=False)
    with pytest.raises(ConflictError):
        client.bundle(exchange)
    for gateway in pair:
        gateway.services.confirmations.go_round()

    trust, now = ours.trust, ours.services.clock()
    report = evidence.verify(client.bundle(exchange), trust, now=now)
    assert (trust.log.quorum, len(trust.log.witnesses), len(trust.tsa_roots)) == (1, 1, 1)
    assert (report.cosignatures, report.time_source) == (1, "time-stamp")
    assert abs(report.trusted_at - now) < timedelta(minutes=1)
    with pytest.raises(EvidenceError, match="time-stamp"):
        evidence.verify(answer.evidence.raw, trust, now=now)  # the answer alone was confirmed by nobody yet
    for gateway in pair:
        assert gateway.http.get("/log/checkpoint").headers["IPX-Witnessed"] == "?1;cosigned=1;quorum=1"
        gateway.services.evidence_state.look()
        assert gateway.http.get("/readyz").json()["evidence"]["state"] == "current"


def test_each_shows_what_it_has_cosigned_of_the_other(pair):
    for gateway in pair:
        gateway.services.confirmations.go_round()

    for own, other in (pair, pair[::-1]):
        (client,) = own.services.confirmations._confirmations[0]._witnesses
        shown = client.latest(own.services.log.key)
        assert 0 < shown.size <= own.services.published.newest().size
        assert other.count("witnessed_log") == 1


def test_overdue_time_stamps_refuse_new_exchanges_before_the_holder_is_called(pair):
    ours = pair[0]
    repeated = ours.sign()
    answered = ours.client(verified=False).send(repeated)
    ours.services.confirmations.go_round()
    _age(ours, hours=5)
    before = ours.count("exchange")

    with pytest.raises(UnavailableError) as refused:
        ours.client(verified=False).send(ours.sign())
    assert refused.value.problem.slug == "evidence-overdue"
    assert ours.count("exchange") == before
    assert ours.http.get("/readyz").json()["evidence"]["state"] == "overdue"
    status, parts = failing(ours)
    assert (status, parts["evidence"]) == (503, "time-stamps are overdue: no new exchange is taken")
    again = ours.client(verified=False).send(repeated)  # what was answered before is answered again
    assert again.evidence.receipt == answered.evidence.receipt

    _wait_no_more(ours)
    ours.services.confirmations.go_round()
    ours.services.evidence_state.look()
    assert ours.client(verified=False).send(ours.sign()).evidence.exchange
    assert failing(ours) == (200, {})


def test_while_a_witness_or_the_authority_is_down_exchanges_go_on_and_evidence_waits(pair, monkeypatch):
    ours, theirs = pair
    client = ours.client(verified=False)
    hindrances = (
        ("too few witnesses", lambda patch: patch.setitem(theirs.app.before_request_funcs, None, [lambda: ("", 503)])),
        ("time-stamps are late", lambda patch: patch.setattr(TimestampClient, "stamp", _silent)),
    )
    for words, hinder in hindrances:
        with monkeypatch.context() as patch:
            hinder(patch)
            answer = client.send(ours.sign())
            ours.services.confirmations.go_round()
            _age(ours, keep_stamps=words == "too few witnesses", minutes=10)

            assert ours.receipt(answer)["outcome"] == "released"
            status, parts = failing(ours)
            assert (status, parts.keys()) == (200, {"evidence"})
            assert parts["evidence"].startswith(words)
            with pytest.raises(ConflictError):
                client.bundle(answer.evidence.exchange)

        _wait_no_more(ours)
        ours.services.confirmations.go_round()
        ours.services.evidence_state.look()
        assert failing(ours) == (200, {})
        evidence.verify(client.bundle(answer.evidence.exchange), ours.trust, now=ours.services.clock())


def _silent(*_):
    raise TimestampError("the authority does not answer")


def _age(gateway, *, keep_stamps=False, **since):
    """Let every entry wait for its confirmation since some time ago.

    Without a quorum the newest checkpoint is stamped as it is once the first has waited for a minute and a half: in a
    long run of tests that is so, for the world's first entries were made when the run began.
    """
    then = gateway.services.clock() - timedelta(**since)
    with gateway.services.database.write_connection() as connection:
        connection.execute(update(LogCheckpoint).values(at=then, **({} if keep_stamps else {"tst": None})))
        connection.execute(update(EvidenceDuty).values(since=then))
    gateway.services.evidence_state.look()


def _wait_no_more(gateway):
    with gateway.services.database.write_connection() as connection:
        connection.execute(text("DELETE FROM witness_standing"))
        connection.execute(update(EvidenceDuty).values(next_at=gateway.services.clock()))
