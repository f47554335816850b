"""The log over HTTP, as foreign tools read it."""

import json
from concurrent.futures import ThreadPoolExecutor

import flask
import pytest
import svcs
from sqlalchemy import select

from gateway.agencies.trusted_keys import requester_keys
from gateway.evidence.demands import Demands
from gateway.evidence.leaf import Leaf
from gateway.evidence.models import LogCheckpoint
from gateway.evidence.published import PublishedShards
from gateway.evidence.trust_list import TrustLists
from gateway.evidence.views import blueprint
from gateway.web import problem
from ipx.encoding import b64_bytes
from ipx.keys import generate_signer
from ipx.merkle import leaf_hash, root, verify_consistency, verify_inclusion
from ipx.note import Checkpoint, open_note, parse_proof
from ipx.tiles import TileReader, decode_entries, entries_path

TRUST = generate_signer("Ed25519")
FOREVER = "public, max-age=31536000, immutable"


@pytest.fixture
def lists(database, log, acts, clock):
    return TrustLists(
        database,
        requester_keys=requester_keys,
        receipt_signer=generate_signer("Ed25519"),
        log_key=log.key,
        issuer="https://gw.example",
        acts=acts,
        clock=clock,
        signer=TRUST,
    )


@pytest.fixture
def client(database, checkpoints, log, lists, clock):
    app = flask.Flask("test")
    svcs.flask.init_app(app)
    svcs.flask.register_value(app, PublishedShards, PublishedShards(database, checkpoints, Demands, clock))
    svcs.flask.register_value(app, TrustLists, lists)
    problem.install(app, "https://gw.example")
    app.register_blueprint(blueprint())
    return app.test_client()


@pytest.fixture
def fill(log):
    """Appends leaves, the last one alone, so that its checkpoint has the whole size."""

    def fill(count: int, *, start: int = 0) -> None:
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(lambda number: log.append(leaf(number)), range(start, count - 1)))
        log.append(leaf(count - 1))

    return fill


def leaf(number: int) -> Leaf:
    return Leaf(f"exchange:{number}:final", b'{"n":%d}' % number)


def fetcher(client):
    def fetch(path: str) -> bytes:
        answer = client.get(f"/log/{path}")
        if answer.status_code == 404:
            raise LookupError(path)
        assert answer.status_code == 200
        return answer.data

    return fetch


def checkpoint_of(client, log) -> Checkpoint:
    return Checkpoint.parse(open_note(client.get("/log/checkpoint").data, [log.key]).text)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600])
def test_a_tile_reader_derives_the_published_root_and_proves_each_entry(client, log, fill, size):
    fill(size)
    checkpoint = checkpoint_of(client, log)
    assert checkpoint.size == size

    fetch = fetcher(client)
    node = TileReader(fetch, size)
    assert root(node, size) == checkpoint.root
    entries = [
        entry
        for start in range(0, size, 256)
        for entry in decode_entries(fetch(entries_path(start // 256, min(256, size - start))), min(256, size - start))
    ]
    assert [node(0, index) for index in range(size)] == [leaf_hash(entry) for entry in entries]
    assert {json.loads(entry)["n"] for entry in entries} == set(range(size))


def test_a_reader_with_an_older_checkpoint_finds_its_partial_tiles(client, log, fill):
    fill(10)
    old = checkpoint_of(client, log)
    fill(300, start=10)

    assert root(TileReader(fetcher(client), 10), 10) == old.root


def test_the_checkpoint_is_a_note_that_is_cached_for_seconds_only(client, log, fill):
    fill(3)

    answer = client.get("/log/checkpoint")

    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=5"
    assert client.get("/log/checkpoint", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_tiles_never_change(client, fill):
    fill(300)

    for path in ("tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"):
        answer = client.get(f"/log/{path}")
        assert answer.status_code == 200, path
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["Cache-Control"] == FOREVER
    assert len(client.get("/log/tile/0/000").data) == 8192


MISSING = [
    "tile/0/001",  # not full yet
    "tile/0/001.p/45",  # beyond the tree
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/0/0",
    "tile/0/x000/000",
    "tile/0/-01",
    "tile/00/000",
    "tile/8/000",
    "tile/9999999999/000",
    "tile/entries/002",
    "tile/entries/x001/000",
    "tile/1/000",
    "tile/2/000",
    "tile/data/000",
    "tile/0/x999/x999/x999/x999/x999/x999/999",
    "tile/",
    "tile/0/..%2F000",
    "entries/000",
    "",
]


def test_tiles_that_are_not_there_are_told_so(client, database, fill):
    fill(300)
    with database.read_connection() as connection:
        published = set(connection.execute(select(LogCheckpoint.size)).scalars())
    never = next(width for width in range(1, 256) if width not in published)

    for path in (*MISSING, f"tile/0/000.p/{never}", f"tile/entries/000.p/{never}"):
        answer = client.get(f"/log/{path}")
        assert (path, answer.status_code) == (path, 404)
        assert answer.content_type == "application/problem+json"


def test_what_is_committed_but_not_published_is_not_served(client, log, database, fill):
    fill(2)
    with database.write_connection() as connection:
        log.append_within(connection, leaf(2))

    assert checkpoint_of(client, log).size == 2
    for path in (
        "tile/0/000.p/3",
        "tile/entries/000.p/3",
        "proof?index=2",
        "proof?index=0&size=3",
        "consistency?old=2&new=3",
    ):
        assert client.get(f"/log/{path}").status_code == 404


def test_a_proof_names_the_first_checkpoint_that_has_the_leaf(client, log, fill):
    fill(5)
    log.append(leaf(5))
    log.append(leaf(6))

    answer = client.get("/log/proof?index=5")

    proof = parse_proof(answer.text)
    logged = log.logged("exchange:5:final")
    assert (proof.index, proof.hashes, proof.checkpoint_note) == (5, logged.proof, logged.checkpoint_note)
    assert answer.content_type == "text/plain; charset=utf-8"


def test_a_proof_under_a_later_checkpoint_holds(client, log, fill):
    fill(300)

    proof = parse_proof(client.get("/log/proof?index=7&size=300").text)

    checkpoint = Checkpoint.parse(open_note(proof.checkpoint_note, [log.key]).text)
    entry = decode_entries(client.get("/log/tile/entries/000").data, 256)[7]
    verify_inclusion(7, 300, leaf_hash(entry), proof.hashes, checkpoint.root)


def test_two_checkpoints_are_shown_to_be_one_log(client, log, fill):
    fill(3)
    old = checkpoint_of(client, log)
    log.append(leaf(3))
    new = checkpoint_of(client, log)

    answer = client.get("/log/consistency?old=3&new=4")

    hashes = [b64_bytes(line) for line in answer.text.splitlines()]
    verify_consistency(3, 4, hashes, old.root, new.root)
    assert client.get("/log/consistency?old=4&new=4").text == ""


NO_NUMBER = [
    "proof",
    "proof?index=",
    "proof?index=-1",
    "proof?index=01",
    "proof?index=1.0",
    "proof?index=x",
    "proof?index=1&index=2",
    "proof?index=1&size=",
    "proof?index=99999999999999999999",
    "proof?index=1&sizes=2",
    "proof?index=%D9%A1",
    "consistency?old=1",
    "consistency?new=1",
    "consistency?old=1&new=two",
]


def test_numbers_that_are_none_are_refused_with_their_names(client):
    for query in NO_NUMBER:
        answer = client.get(f"/log/{query}")
        assert (query, answer.status_code) == (query, 400)
        assert answer.json["type"] == "https://gw.example/problems/invalid-request"
        assert answer.json["errors"]


NO_PROOF = [
    "proof?index=3",
    "proof?index=3&size=3",
    "proof?index=0&size=4",
    "proof?index=9223372036854775808",
    "proof?index=0&size=9223372036854775808",
    "proof?index=0&size=0",
    "consistency?old=0&new=3",
    "consistency?old=3&new=2",
    "consistency?old=1&new=4",
    "consistency?old=9223372036854775808&new=3",
]


def test_proofs_that_do_not_exist_are_told_so(client, fill):
    fill(3)

    for query in NO_PROOF:
        assert (query, client.get(f"/log/{query}").status_code) == (query, 404)


def test_the_trust_list_and_the_key_to_pin(client, lists, database):
    assert client.get("/log/trust.jws").status_code == 404
    with database.write() as session:
        lists.publish(session, "operator")

    answer = client.get("/log/trust.jws")

    assert answer.text == lists.latest()
    assert answer.content_type == "application/jose"
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert client.get("/log/trust.jws", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.get("/log/trust.jwk").json == dict(TRUST.public_jwk)


def test_the_log_is_read_only(client):
    for path in ("checkpoint", "tile/0/000", "proof", "consistency", "trust.jws", "trust.jwk"):
        assert client.post(f"/log/{path}").status_code == 405
