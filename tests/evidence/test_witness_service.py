"""This gateway as a witness: every answer of the protocol, and that its state never goes back."""

import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import flask
import pytest
import svcs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.evidence.edge import Edge
from gateway.evidence.views import witness_blueprint
from gateway.evidence.witness_service import WitnessService
from gateway.web import problem
from ipx.encoding import b64
from ipx.keys import generate_signer
from ipx.merkle import EMPTY_ROOT, consistency_proof, leaf_hash, root
from ipx.note import COSIGNATURE, Checkpoint, NoteSigner, open_note, sign

ORIGIN = "peer.example/log"
LOG = NoteSigner(ORIGIN, generate_signer())
WITNESS = NoteSigner("gw.example/witness", generate_signer(), COSIGNATURE)
STRANGER = NoteSigner(ORIGIN, generate_signer())


class Tree:
    """A peer's tree in memory; `salt` makes another one."""

    def __init__(self, size, salt=b""):
        self.edge = Edge(0, {})
        for number in range(size):
            self.edge.append(leaf_hash(salt + b"%d" % number))

    def root(self, size):
        return root(self.edge.node, size) if size else EMPTY_ROOT

    def note(self, size, *signers, extensions=()):
        return sign(Checkpoint(ORIGIN, size, self.root(size), extensions).text(), *(signers or (LOG,)))

    def body(self, old, size, *, proof=None, note=None):
        if proof is None:
            proof = consistency_proof(self.edge.node, old, size) if 0 < old < size else []
        return "\n".join([f"old {old}", *map(b64, proof), "", note or self.note(size)]).encode()


TREE, OTHER = Tree(40), Tree(40, b"other")


@pytest.fixture
def witness(database, clock):
    return WitnessService(database, WITNESS, [LOG.key], clock)


@pytest.fixture
def client(witness):
    app = flask.Flask("witness")
    svcs.flask.init_app(app)
    svcs.flask.register_value(app, WitnessService, witness)
    problem.install(app, "https://gw.example")
    app.register_blueprint(witness_blueprint())
    return app.test_client()


@pytest.fixture
def submit(client):
    def submit(body):
        answer = client.post("/witness/add-checkpoint", data=body)
        return answer.status_code, answer.content_type, answer.text

    return submit


def test_a_checkpoint_that_extends_the_last_one_is_cosigned(submit, clock):
    for old, size in ((0, 3), (3, 3), (3, 17), (17, 40)):
        status, content_type, line = submit(TREE.body(old, size))

        assert (status, content_type) == (200, "text/plain; charset=utf-8")
        opened = open_note(TREE.note(size) + line, [LOG.key, WITNESS.key])
        assert opened.valid == {LOG.key: None, WITNESS.key: clock()}


def test_the_empty_tree_can_be_cosigned(submit):
    assert submit(TREE.body(0, 0))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        TREE.body(0, 3).replace(b"old 0", b"old 00"),
        TREE.body(0, 3).replace(b"old 0", b"old -1"),
        TREE.body(0, 3).replace(b"old 0\n", b""),
        TREE.body(0, 3).partition(b"\n\n")[0],
        TREE.body(0, 3, proof=[b"x" * 31]),
        TREE.body(0, 3).replace(b"old 0\n", b"old 0\nAAA\n"),
        TREE.body(0, 3, proof=[bytes(32)] * 64),
        TREE.body(0, 3) + b"\n" * 70_000,
    ],
)
def test_400_what_is_not_in_form(submit, body):
    assert submit(body)[0] == 400


def test_400_a_signed_checkpoint_that_is_none(submit):
    body = b"old 0\n\n" + sign(f"{ORIGIN}\nthree\n{b64(bytes(32))}\n", LOG).encode()

    assert submit(body)[0] == 400


def test_400_an_old_size_above_the_new_one(submit):
    submit(TREE.body(0, 17))

    assert submit(TREE.body(17, 3))[0] == 400


def test_404_an_unknown_log(submit):
    foreign = NoteSigner("else.example/log", LOG.signer)
    body = b"old 0\n\n" + sign(Checkpoint("else.example/log", 3, TREE.root(3)).text(), foreign).encode()

    assert submit(body)[0] == 404


def test_404_where_this_gateway_is_no_witness(database, clock):
    assert WitnessService(database, None, [LOG.key], clock).add_checkpoint(TREE.body(0, 3)).status == 404


def test_403_no_signature_by_a_known_key(submit):
    assert submit(TREE.body(0, 3, note=TREE.note(3, STRANGER)))[0] == 403


def test_403_a_known_key_s_signature_that_fails(submit):
    note = TREE.note(3)
    lines = note.partition("\n\n")[2] + OTHER.note(3).partition("\n\n")[2]

    assert submit(TREE.body(0, 3, note=note.partition("\n\n")[0] + "\n\n" + lines))[0] == 403


def test_422_an_empty_tree_with_another_root(submit):
    note = sign(Checkpoint(ORIGIN, 0, bytes(32)).text(), LOG)

    assert submit(TREE.body(0, 0, note=note))[0] == 422


def test_409_another_size_than_the_last_cosigned_says_which(submit):
    assert submit(TREE.body(3, 17)) == (409, "text/x.tlog.size", "0\n")
    submit(TREE.body(0, 17))

    assert submit(TREE.body(3, 40)) == (409, "text/x.tlog.size", "17\n")
    assert submit(TREE.body(0, 3)) == (409, "text/x.tlog.size", "17\n")


def test_409_the_same_size_with_another_root(submit):
    submit(TREE.body(0, 17))

    assert submit(OTHER.body(17, 17)) == (409, "text/x.tlog.size", "17\n")


def test_422_a_proof_from_the_empty_tree(submit):
    assert submit(TREE.body(0, 3, proof=[bytes(32)]))[0] == 422


def test_422_a_proof_that_fails(submit):
    submit(TREE.body(0, 17))

    assert submit(TREE.body(17, 40, proof=[bytes(32)]))[0] == 422
    assert submit(OTHER.body(17, 40))[0] == 422
    assert submit(TREE.body(17, 17, proof=[bytes(32)]))[0] == 422


def test_a_refusal_changes_nothing(submit, client):
    submit(TREE.body(0, 17))
    for body in (OTHER.body(17, 40), TREE.body(3, 40), TREE.body(17, 40, note=TREE.note(40, STRANGER))):
        submit(body)

    assert submit(TREE.body(17, 40))[0] == 200


def test_the_last_cosigned_checkpoint_is_shown_by_the_hash_of_its_origin(submit, client):
    address = f"/witness/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    before = client.get(address)
    submit(TREE.body(0, 17, note=TREE.note(17, LOG, STRANGER)))
    shown = client.get(address)

    assert before.status_code == 404
    assert open_note(shown.data, [LOG.key, WITNESS.key]).valid.keys() == {LOG.key, WITNESS.key}
    assert shown.text.count("\u2014") == 2
    assert client.get("/witness/" + "0" * 64 + "/checkpoint").status_code == 404


def test_extension_lines_are_signed_as_they_are(submit):
    note = TREE.note(3, extensions=("more",))
    status, _, line = submit(TREE.body(0, 3, note=note))

    assert status == 200
    assert WITNESS.key in open_note(note + line, [WITNESS.key]).valid


class Halting:
    """A signer that stops inside the witness's transaction until it is let go."""

    def __init__(self, inner):
        self.inner, self.reached, self.go = inner, threading.Event(), threading.Event()

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def sign(self, message):
        self.reached.set()
        assert self.go.wait(10)
        return self.inner.sign(message)


def test_two_requests_at_once_cannot_roll_a_log_back(database, clock, witness):
    witness.add_checkpoint(TREE.body(0, 3))
    halting = Halting(WITNESS.signer)
    slow = WitnessService(database, NoteSigner(WITNESS.name, halting, COSIGNATURE), [LOG.key], clock)
    with ThreadPoolExecutor(2) as pool:
        larger = pool.submit(slow.add_checkpoint, TREE.body(3, 40))
        assert halting.reached.wait(10)
        smaller = pool.submit(witness.add_checkpoint, TREE.body(3, 17))
        waited = not smaller.done()
        halting.go.set()
        answers = larger.result(), smaller.result()

    assert waited
    assert [answer.status for answer in answers] == [200, 409]
    assert answers[1].body == "40\n"


def test_of_many_at_once_one_extends_the_log(witness):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(witness.add_checkpoint, [TREE.body(0, size) for size in range(1, 17)]))

    assert sorted(answer.status for answer in answers) == [200, *[409] * 15]


FRAGMENTS = st.sampled_from(
    [
        b"old 0",
        b"old 3",
        b"old 17",
        b"\n",
        b"\n\n",
        b64(bytes(32)).encode(),
        TREE.note(3).encode(),
        b"\xe2\x80\x94 x ",
        b"x",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(body=st.binary(max_size=200) | st.lists(FRAGMENTS, max_size=8).map(b"".join))
def test_whatever_is_sent_gets_an_answer_of_the_protocol(witness, body):
    answer = witness.add_checkpoint(body)

    assert answer.status in {200, 400, 403, 404, 409, 422}
    assert answer.body.endswith("\n")
