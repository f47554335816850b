"""Logs whose key was rotated: evidence of a shard that has ended holds, and nobody can lengthen it."""

import json

import pytest

from ipx import evidence, note, trust
from ipx.bundle import write
from ipx.commitment import entry, shard_commitment
from ipx.encoding import b64
from ipx.errors import BindingError, NoteError, TrustError
from ipx.keys import generate_signer

NEXT = "gw.example/log-2"


@pytest.fixture
def files(world):
    return world.members()


@pytest.fixture
def ended(world, files):
    """The trust list after a rotation: the world's log has ended with the checkpoint that the files carry."""
    carried = note.parse_proof(files["proof.tlog-proof"].decode()).checkpoint_note
    checkpoint = note.Checkpoint.parse(carried.partition("\n\n")[0] + "\n")

    def made(**changes):
        following = note.NoteSigner(NEXT, generate_signer())
        shard = {
            "origin": checkpoint.origin,
            "vkeys": [world.log.key.vkey],
            "size": checkpoint.size,
            "root": b64(checkpoint.root),
            **changes,
        }
        return world.trust_payload(
            log={"origin": NEXT, "vkeys": [following.key.vkey]},
            shards=[{name: value for name, value in shard.items() if value is not None}],
        )

    return made


def load(payload):
    return trust.load(json.dumps(payload).encode(), pinned=None, at_least=0)


@pytest.mark.parametrize("more", [0, 1, 1000])
def test_evidence_of_an_ended_shard_holds_up_to_its_end(ended, files, now, more):
    end = {"size": 9 + more, "root": b64(bytes(32))} if more else {}
    report = evidence.verify(write(files), load(ended(**end)), now=now)

    assert (report.receipt.log, report.log_size) == ("gw.example/log", 9)


def test_a_checkpoint_beyond_the_end_is_refused(ended, files, now):
    with pytest.raises(NoteError, match="ended with 8 entries"):
        evidence.verify(write(files), load(ended(size=8)), now=now)


def test_another_tree_of_the_final_size_is_refused(ended, files, now):
    with pytest.raises(NoteError, match="ended with 9 entries"):
        evidence.verify(write(files), load(ended(root=b64(bytes(32)))), now=now)


def test_a_log_that_is_neither_current_nor_ended_is_refused(ended, files, now):
    with pytest.raises(BindingError, match="another log"):
        evidence.verify(write(files), load(ended(origin="gw.example/log-3")), now=now)


def test_a_quorum_is_demanded_of_an_ended_shard_too(world, ended, now):
    listed = [{"vkey": witness.key.vkey, "url": f"https://{witness.name}"} for witness in world.witnesses]
    demanding = load({**ended(size=100), "witnesses": listed, "quorum": 2})
    bare, witnessed = world.members(), world.members(witnesses=world.witnesses[:2])

    with pytest.raises(NoteError, match="2 are demanded"):
        evidence.verify(write(bare), demanding, now=now)
    assert evidence.verify(write(bare), demanding.unconfirmed(), now=now)
    assert evidence.verify(write(witnessed), demanding, now=now).cosignatures == 2


@pytest.mark.parametrize(
    "damage",
    [
        {"size": 0},
        {"size": True},
        {"size": "9"},
        {"size": None},
        {"root": None},
        {"root": b64(bytes(31))},
        {"root": "?"},
        {"vkeys": []},
        {"vkeys": None},
        {"origin": None},
        {"origin": NEXT},
    ],
)
def test_a_shard_that_ends_in_another_form_is_refused(ended, damage):
    with pytest.raises(TrustError):
        load(ended(**damage))


def test_two_shards_share_no_key_and_no_name(world, ended):
    payload = ended()
    again = {**payload["shards"][0], "vkeys": [note.NoteSigner("gw.example/log", generate_signer()).key.vkey]}
    same_key = {**payload["shards"][0], "origin": "gw.example/log-0"}
    same_key["vkeys"] = [note.NoteSigner("gw.example/log-0", world.log.signer).key.vkey]

    for extra in (again, same_key):
        with pytest.raises(TrustError):
            load({**payload, "shards": [*payload["shards"], extra]})


def test_the_first_entry_of_a_shard_is_computed_from_the_public_checkpoint_alone():
    text = note.Checkpoint("gw.example/log", 9, bytes(32)).text()

    assert entry(shard_commitment(text), "shard", 1_790_000_000) == (
        b'{"c":"YY3mhpckY_ig9lgXGgHf4NY81abFp5sHovNDEhK7TDA","o":"shard","t":1790000000,"v":1}'
    )


def test_a_shard_may_have_ended_after_one_entry(ended):
    [shard] = load(ended(size=1)).ended

    assert shard.final.size == 1
