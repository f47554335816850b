"""Private keys in files, and keys kept in the database for holders."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.audit.models import AuditEntry
from gateway.errors import AlreadyExistsError, InvalidInputError, UnknownError
from gateway.evidence.errors import KeyFileError
from gateway.evidence.keys import HolderKeys
from gateway.evidence.models import SigningKey
from gateway.evidence.signers import read_signer, write_signer
from gateway.keywrap import KeyWrap, KeyWrapError
from ipx.errors import SignatureError
from ipx.keys import generate_signer


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_a_key_is_written_for_its_owner_only_and_read_again(tmp_path, alg):
    path = tmp_path / "keys" / "receipt.pem"
    signer = generate_signer(alg)

    write_signer(path, signer)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert read_signer(path).public == signer.public
    assert read_signer(path, alg).kid == signer.kid


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o666])
def test_a_key_file_open_to_others_is_refused(tmp_path, mode):
    path = tmp_path / "receipt.pem"
    write_signer(path, generate_signer("Ed25519"))
    path.chmod(mode)

    with pytest.raises(KeyFileError, match="chmod 600"):
        read_signer(path)


def test_a_key_file_is_never_overwritten(tmp_path):
    path = tmp_path / "receipt.pem"
    write_signer(path, generate_signer("Ed25519"))

    with pytest.raises(KeyFileError, match="cannot be written"):
        write_signer(path, generate_signer("Ed25519"))


def test_a_key_file_that_does_not_fit_is_refused(tmp_path):
    garbage = tmp_path / "garbage.pem"
    garbage.touch(0o600)
    write_signer(tmp_path / "p256.pem", generate_signer("ES256"))

    for path, alg in ((tmp_path / "missing.pem", None), (garbage, None), (tmp_path / "p256.pem", "Ed25519")):
        with pytest.raises(KeyFileError):
            read_signer(path, alg)


def test_a_holder_s_seal_is_made_on_first_use_and_kept(holder_keys, database, key_wrap, acts, clock):
    first = holder_keys.seal("customs-xa")

    another_process = HolderKeys(database, key_wrap, acts, clock)
    assert another_process.seal("customs-xa").public_jwk == first.public_jwk
    assert another_process.seal("court-xa").kid != first.kid


def test_a_holder_s_id_key_is_made_once(holder_keys, database, key_wrap, acts, clock):
    key = holder_keys.id_key("customs-xa")

    assert len(key) == 64
    assert HolderKeys(database, key_wrap, acts, clock).id_key("customs-xa") == key
    assert holder_keys.id_key("court-xa") != key


def test_processes_that_make_a_key_at_once_end_with_one(database, key_wrap, acts, clock):
    processes = [HolderKeys(database, key_wrap, acts, clock) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        kids = set(pool.map(lambda keys: keys.seal("customs-xa").kid, processes))
        ids = set(pool.map(lambda keys: keys.id_key("customs-xa"), processes))

    assert len(kids) == len(ids) == 1
    with database.read() as session:
        assert sorted(session.scalars(select(SigningKey.role))) == ["id", "seal"]


def test_a_key_that_is_made_leaves_an_audit_entry_and_a_leaf(holder_keys, database, log):
    kid = holder_keys.seal("customs-xa").kid

    with database.read() as session:
        act = session.scalars(select(AuditEntry)).one()
    assert (act.actor, act.act, act.subject, act.detail) == (
        "gateway",
        "seal_key.made",
        "customs-xa",
        {"kid": kid, "number": 1},
    )
    assert log.logged(f"act:{act.id}").index == act.log_index == 0


def test_a_renewed_seal_takes_over_and_the_old_one_stays_listed(holder_keys, database, clock):
    old = holder_keys.seal("customs-xa").kid
    clock.advance(60)
    with database.write() as session:
        holder_keys.renew_seal(session, "customs-xa", "operator")

    new = holder_keys.seal("customs-xa").kid
    assert new != old
    ring = holder_keys.ring()
    for kid in (old, new):
        assert ring.key(frozenset({"seal"}), kid).owner == "customs-xa"


def test_a_revoked_seal_is_replaced_on_the_next_use(holder_keys, database, clock):
    old = holder_keys.seal("customs-xa").kid
    with database.write() as session:
        holder_keys.revoke(session, old, "operator", "copied")

    assert holder_keys.seal("customs-xa").kid != old
    revoked = holder_keys.ring().key(frozenset({"seal"}), old)
    assert (revoked.revoked_at, revoked.reason) == (clock(), "copied")


def test_a_seal_that_ran_out_is_replaced_on_the_next_use(database, key_wrap, acts, clock):
    old = HolderKeys(database, key_wrap, acts, clock).seal("customs-xa").kid
    clock.advance(timedelta(days=731).total_seconds())

    assert HolderKeys(database, key_wrap, acts, clock).seal("customs-xa").kid != old


def test_keys_of_the_database_do_not_open_with_another_key_encryption_key(holder_keys, database, acts, clock):
    holder_keys.seal("customs-xa")

    with pytest.raises(KeyWrapError):
        HolderKeys(database, KeyWrap(bytes(32)), acts, clock).seal("customs-xa")


def test_a_wrapped_key_copied_to_another_holder_does_not_open(holder_keys, database, key_wrap, acts, clock):
    holder_keys.id_key("customs-xa")
    with database.write() as session:
        session.scalars(select(SigningKey)).one().owner = "court-xa"

    with pytest.raises(KeyWrapError):
        HolderKeys(database, key_wrap, acts, clock).id_key("court-xa")


def test_a_holder_s_own_key_is_registered_once(holder_keys, database):
    jwk = generate_signer("ES256").public_jwk
    with database.write() as session:
        kid = holder_keys.register(session, "ipo-xa", jwk, "operator").kid

    assert holder_keys.ring().key(frozenset({"holder"}), kid).owner == "ipo-xa"
    with pytest.raises(AlreadyExistsError), database.write() as session:
        holder_keys.register(session, "ipo-xb", jwk, "operator")


def test_a_key_that_is_no_public_key_is_not_registered(holder_keys, database):
    for jwk in ({}, {"kty": "oct", "k": "AA"}, {**generate_signer("ES256").public_jwk, "d": "AA"}):
        with pytest.raises(InvalidInputError), database.write() as session:
            holder_keys.register(session, "ipo-xa", jwk, "operator")


def test_an_id_key_signs_nothing_and_is_in_no_ring(holder_keys, database):
    holder_keys.id_key("customs-xa")
    with database.read() as session:
        kid = session.scalars(select(SigningKey.kid)).one()

    with pytest.raises(SignatureError):
        holder_keys.ring().key(frozenset({"seal", "holder"}), kid)
    with pytest.raises(UnknownError), database.write() as session:
        holder_keys.revoke(session, kid, "operator", "")
