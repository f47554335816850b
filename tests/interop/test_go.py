"""Go's checksum-database code (golang.org/x/mod/sumdb) reads our notes, tiles, entries and proofs."""

import subprocess

import flask
import pytest
import svcs

from gateway.clock import utc_now
from gateway.db.engine import Database
from gateway.evidence.checkpoints import CheckpointStore
from gateway.evidence.demands import Demands
from gateway.evidence.edge import Edge
from gateway.evidence.leaf import Leaf
from gateway.evidence.log import EvidenceLog
from gateway.evidence.published import PublishedShards
from gateway.evidence.views import blueprint
from gateway.tables import Base
from gateway.web import problem
from ipx.encoding import b64
from ipx.keys import generate_signer
from ipx.merkle import consistency_proof, inclusion_proof, leaf_hash, root
from ipx.note import Checkpoint, NoteSigner, parse_proof, sign
from ipx.tiles import TILE_WIDTH, encode_entries, entries_path, tile_path

SIZES = (1, 2, 255, 256, 257)
SIGNER = NoteSigner("gw.example/log", generate_signer("Ed25519"))


def paths(size):
    """Name every tile of a tree of this size, hashes and entries."""
    level = 0
    while count := size >> (8 * level):
        for number in range((count + TILE_WIDTH - 1) // TILE_WIDTH):
            width = min(TILE_WIDTH, count - number * TILE_WIDTH)
            yield tile_path(level, number, width)
            if level == 0:
                yield entries_path(number, width)
        level += 1


def write(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def some(size):
    """Positions where trees are ragged: the ends, and around full tiles."""
    return sorted({at for at in (0, 1, size // 2, 254, 255, 256, 65_535, 65_536, size - 1) if 0 <= at < size})


@pytest.fixture(scope="module")
def mirrors(tmp_path_factory):
    """What our server serves of one log while it grows, downloaded at each size."""
    folder = tmp_path_factory.mktemp("served")
    database, other = Database(f"sqlite:///{folder / 'log.db'}"), Database(f"sqlite:///{folder / 'other.db'}")
    Base.metadata.create_all(database.writer)
    checkpoints = CheckpointStore(other)
    checkpoints.create_table()
    log = EvidenceLog(database, checkpoints, SIGNER, utc_now)
    log.open()
    app = flask.Flask("served")
    svcs.flask.init_app(app)
    svcs.flask.register_value(app, PublishedShards, PublishedShards(database, checkpoints, Demands, utc_now))
    problem.install(app, "https://gw.example")
    app.register_blueprint(blueprint())
    client = app.test_client()

    def get(address):
        answer = client.get(f"/log/{address}")
        assert answer.status_code == 200, address
        return answer.data

    grown = []
    for number in range(max(SIZES)):
        log.append(Leaf(f"exchange:{number}:final", b'{"n":%d}' % number * (number % 7 + 1)))
        size = number + 1
        if size in SIZES:
            mirror = folder / f"size-{size}"
            for name in ("checkpoint", *paths(size)):
                write(mirror, name, get(name))
            for index in some(size):
                proof = parse_proof(get(f"proof?index={index}&size={size}").decode())
                write(mirror, f"proof/{index}", "\n".join(map(b64, proof.hashes)).encode())
            for old in some(size)[1:]:
                write(mirror, f"consistency/{old}", get(f"consistency?old={old}&new={size}"))
            (mirror / "consistency").mkdir(exist_ok=True)
            grown.append(mirror)
    log.close()
    database.dispose()
    other.dispose()
    return grown


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A tree of 70,000 entries made in memory: two levels of full tiles."""
    size, folder, edge = 70_000, tmp_path_factory.mktemp("large"), Edge(0, {})
    entries = [b"%d" % number for number in range(size)]
    for entry in entries:
        edge.append(leaf_hash(entry))
    for path in paths(size):
        if path.startswith("tile/entries/"):
            continue
        level, number = (int(part) for part in path.partition(".")[0].removeprefix("tile/").split("/"))
        write(folder, path, edge.tiles[level, number].data)
    for number in range((size + TILE_WIDTH - 1) // TILE_WIDTH):
        part = entries[number * TILE_WIDTH : (number + 1) * TILE_WIDTH]
        write(folder, entries_path(number, len(part)), encode_entries(part))
    checkpoint = Checkpoint(SIGNER.name, size, root(edge.node, size))
    write(folder, "checkpoint", sign(checkpoint.text(), SIGNER).encode())
    for index in some(size):
        write(folder, f"proof/{index}", "\n".join(map(b64, inclusion_proof(edge.node, index, size))).encode())
    for old in some(size)[1:]:
        write(folder, f"consistency/{old}", "\n".join(map(b64, consistency_proof(edge.node, old, size))).encode())
    return folder


def judged(go_check, *folders, key=SIGNER.key):
    done = subprocess.run([go_check, key.vkey, *folders], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_go_reads_the_log_as_it_is_served_at_each_size(go_check, mirrors):
    code, said = judged(go_check, *mirrors)

    assert code == 0, said
    assert [line.partition(",")[0] for line in said.splitlines()] == [f"size {n}: {n} entries" for n in SIZES]


def test_go_reads_a_tree_of_two_levels_of_full_tiles(go_check, large):
    code, said = judged(go_check, large)

    assert code == 0, said
    assert said == "size 70000: 70000 entries, 9 proofs, 8 consistency proofs\n"


@pytest.mark.parametrize(
    "name", ["checkpoint", "tile/0/000", "tile/0/001.p/1", "tile/entries/000", "proof/255", "consistency/256"]
)
def test_go_notices_what_was_changed(go_check, mirrors, name):
    file = mirrors[-1] / name
    right = file.read_bytes()
    at = len(right) // 2
    file.write_bytes(right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :])

    code, said = judged(go_check, mirrors[-1])

    file.write_bytes(right)
    assert (code, said.partition(":")[0]) == (1, "refused")


def test_go_knows_a_log_by_its_key(go_check, mirrors):
    stranger = NoteSigner(SIGNER.name, generate_signer("Ed25519"))

    assert judged(go_check, mirrors[0], key=stranger.key)[0] == 1
