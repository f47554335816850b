"""The log's key is rotated between two exchanges: both stay provable by one trust list."""

from dataclasses import replace

import pytest

from gateway.audit.service import AuditTrail
from gateway.errors import InvalidInputError
from gateway.evidence.rotation import Rotation
from gateway.evidence.signers import read_signer, write_signer
from ipx import evidence
from ipx.errors import NoteError
from ipx.journal import Journal, kept_of_answer
from ipx.keys import generate_signer
from ipx.merkle import leaf_hash, verify_inclusion
from ipx.mutual import compare
from ipx.note import Checkpoint, open_note, parse_proof, sign
from tests.exchange.world import CUSTOMS, Gateway


@pytest.fixture
def rotated(gateway, demo, tmp_path):
    """Gives the gateway as it starts again after a rotation."""
    made = []

    def rotate() -> Gateway:
        services, key = gateway.services, tmp_path / "log-2.pem"
        write_signer(key, generate_signer("Ed25519"))
        rotation = Rotation(
            services.database,
            services.checkpoints,
            services.log,
            lambda log: AuditTrail(log, services.clock),
            services.clock,
        )
        rotation.rotate(read_signer(key), "operator:test")
        again = Gateway(demo, replace(gateway.settings, log_key=key))
        made.append(again)
        with again.services.database.write() as session:
            again.services.trust_lists.publish(session, "operator:test")
        return again

    yield rotate
    for one in made:
        one.close()


def test_exchanges_of_both_shards_are_proved_by_one_trust_list(gateway, rotated):
    before = gateway.ask()
    after_start = rotated()
    after = after_start.ask()
    trust, now = after_start.trust, after_start.services.clock()

    origins = []
    for answer in (before, after):
        report = evidence.verify(after_start.client().bundle(answer.evidence.exchange), trust, now=now)
        origins.append((report.receipt.log, report.log_index))
        assert evidence.verify(answer.evidence.raw, trust, now=now).exchange == answer.evidence.exchange
    assert [origin.partition("/")[2] for origin, _ in origins] == ["log", "log-2"]
    again = after_start.client().exchange(before.evidence.exchange)
    assert (again.evidence.receipt, again.evidence.log_index) == (before.evidence.receipt, before.evidence.log_index)


def test_each_agency_finds_its_exchanges_of_both_shards_in_order_and_at_their_places(gateway, rotated):
    answers = [gateway.ask()]
    again = rotated()
    answers.append(again.ask())

    listed = list(again.client().exchanges("requester"))[-2:]
    assert [item.exchange for item in listed] == [answer.evidence.exchange for answer in answers]
    for item, prefix in zip(listed, ("log", "log-2"), strict=True):
        proof = parse_proof(again.http.get(f"/{prefix}/proof?index={item.place.index}").text)
        checkpoint = Checkpoint.parse(proof.checkpoint_note.partition("\n\n")[0] + "\n")
        verify_inclusion(
            proof.index, checkpoint.size, leaf_hash(item.place.entry.encode()), proof.hashes, checkpoint.root
        )


def test_a_client_that_kept_its_receipts_finds_them_in_both_shards_and_the_old_one_as_it_was(
    gateway, rotated, tmp_path
):
    journal, now = Journal(tmp_path / "receipts"), gateway.services.clock

    def keep(answer):
        journal.add([kept_of_answer(answer.evidence.raw, CUSTOMS, now())])

    keep(gateway.ask())
    first = compare(gateway.client(), journal, gateway.trust, now=now)
    again = rotated()
    keep(again.ask())
    second = compare(again.client(), journal, again.trust, now=now)
    head, signatures = journal.checkpoint().split("\n\n")
    journal.keep_checkpoint(f"{head.replace('/log-2', '/log-9')}\n\n{signatures}")
    third = compare(again.client(), journal, again.trust, now=now)

    assert (first.differences, second.differences) == ([], [])
    assert (first.proved, second.proved) == (1, 2)
    assert journal.checkpoint().split("\n")[0].endswith("/log-9")
    assert [difference.kind for difference in third.differences] == ["log_inconsistent"]


def test_who_has_the_old_key_cannot_lengthen_the_old_shard(gateway, rotated):
    answer = gateway.ask()
    old = gateway.services.log
    trust = rotated().trust
    (ended,) = trust.ended
    longer = sign(Checkpoint(old.origin, ended.final.size + 1, bytes(32)).text(), old._batches._signer)
    text = answer.evidence.raw.decode().replace(
        answer.evidence.checkpoint.replace("\n", "\\n"), longer.replace("\n", "\\n")
    )

    assert open_note(longer, ended.keys)
    with pytest.raises(NoteError, match="ended"):
        evidence.verify(text.encode(), trust, now=gateway.services.clock())


def test_an_auditor_has_sizes_and_ranges_of_both_shards_proved(gateway, rotated):
    gateway.ask()
    again = rotated()
    again.ask()
    checks = again.services.auditing.log_checks
    look = checks.look()

    assert [(one.number, one.is_ended) for one in look.shards] == [(1, True), (2, False)]
    assert (look.missing, look.size) == (0, look.shards[1].size)
    for one in look.shards:
        size, shard = one.size, {"shard": str(one.number)}
        assert checks.verify({"first": "0", "last": str(size - 1), **shard}).holds
        assert checks.compare({"old": "1", "new": str(size), **shard}).holds
        with pytest.raises(InvalidInputError):
            checks.verify({"first": "0", "last": str(size), **shard})
    for number in ("0", "3", "x"):
        with pytest.raises(InvalidInputError):
            checks.verify({"first": "0", "last": "0", "shard": number})
