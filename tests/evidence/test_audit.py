"""The nightly audit finds whatever was changed, wherever it lies."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from gateway.evidence.errors import LogDamagedError
from gateway.evidence.leaf import Leaf
from ipx.keys import generate_signer
from ipx.note import Checkpoint, NoteSigner, sign

SIZE = 600


@pytest.fixture
def filled(log):
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda n: log.append(Leaf(f"exchange:{n}:final", b'{"n":%d}' % n)), range(SIZE)))
    return log


@pytest.fixture
def damage(database):
    """Changes rows behind the gateway's back, as somebody with the database's own powers could."""

    def change(statement: str, **values) -> None:
        with database.write_connection() as connection:
            if database.is_sqlite:
                for trigger in ("log_entry_keeps_rows", "log_entry_keeps_all"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
            else:
                connection.execute(text("ALTER TABLE log_entry DISABLE TRIGGER USER"))
            assert connection.execute(text(statement), values).rowcount == 1

    return change


@pytest.fixture
def flip(damage, database):
    """Flips a bit of the byte `at` of one value."""

    def flip(table: str, column: str, where: str, at: int = -1) -> None:
        with database.read_connection() as connection:
            value = bytearray(connection.execute(text(f"SELECT {column} FROM {table} WHERE {where}")).scalar_one())
        value[at] ^= 1
        damage(f"UPDATE {table} SET {column} = :value WHERE {where}", value=bytes(value))

    return flip


def findings(log) -> str:
    with pytest.raises(LogDamagedError) as caught:
        log.audit()
    return "; ".join(caught.value.findings)


def test_a_whole_log_passes(filled):
    filled.audit()


def test_an_empty_log_passes(log):
    log.audit()


def test_an_audit_tells_how_far_it_is(filled, monkeypatch):
    monkeypatch.setattr("gateway.evidence.tree_audit.PROGRESS_ENTRIES", 256)
    told = []

    filled.audit(lambda *progress: told.append(progress))

    assert told == [(filled.origin, derived, SIZE) for derived in (256, 512, SIZE)]


def test_a_flipped_byte_of_an_entry_is_found(filled, flip):
    flip("log_entry", "entry", "idx = 5")

    assert "entry 5 does not have the leaf hash" in findings(filled)


def test_a_flipped_leaf_hash_is_found(filled, flip):
    flip("log_entry", "leaf_hash", "idx = 5")

    assert findings(filled) == "entry 5 does not have the leaf hash stored with it"


@pytest.mark.parametrize(("level", "number"), [(0, 0), (0, 1), (0, 2), (1, 0)])
def test_a_flipped_byte_of_a_tile_is_found(filled, flip, level, number):
    flip("log_tile", "data", f"lvl = {level} AND n = {number}")

    assert f"tile {number} of level {level} does not hold the hashes" in findings(filled)


def test_damage_in_a_full_tile_does_not_stop_appending_but_is_found(filled, flip):
    flip("log_tile", "data", "lvl = 0 AND n = 0")

    filled.append(Leaf("exchange:more:final", b"{}"))

    assert "tile 0 of level 0" in findings(filled)


def test_a_missing_entry_is_found(filled, damage):
    damage("DELETE FROM log_entry WHERE idx = 300")

    assert "entry 300 is missing" in findings(filled)


def test_a_missing_last_entry_is_found(filled, damage):
    damage(f"DELETE FROM log_entry WHERE idx = {SIZE - 1}")

    assert f"entry {SIZE - 1} is missing" in findings(filled)


def test_a_missing_tile_is_found(filled, damage):
    damage("DELETE FROM log_tile WHERE lvl = 0 AND n = 1")

    assert "tile 1 of level 0" in findings(filled)


def test_a_changed_head_is_found(filled, flip):
    flip("log_head", "root", "id = 1")

    assert "the head says 600 leaves" in findings(filled)


def test_a_checkpoint_of_another_root_is_found(filled, damage, note_signer):
    root = bytes(32)
    note = sign(Checkpoint(filled.origin, SIZE, root).text(), note_signer)
    damage(f"UPDATE log_checkpoint SET root = :root, note = :note WHERE size = {SIZE}", root=root, note=note)

    assert findings(filled) == f"the checkpoint of size {SIZE} has another root than the entries"


def test_a_checkpoint_of_another_key_is_found(filled, damage):
    stranger = NoteSigner(filled.origin, generate_signer("Ed25519"))
    note = sign(Checkpoint(filled.origin, 0, bytes(32)).text(), stranger)
    damage("UPDATE log_checkpoint SET note = :note WHERE size = 0", note=note)

    assert "size 0 is not signed by this log" in findings(filled)


def test_a_checkpoint_row_that_contradicts_its_note_is_found(filled, flip):
    flip("log_checkpoint", "root", f"size = {SIZE}")

    assert f"size {SIZE} says something else than its row" in findings(filled)


def test_a_published_checkpoint_that_the_log_does_not_contain_is_found(filled, checkpoints, note_signer):
    body = checkpoints.get(filled.origin)
    for size, words in ((SIZE - 1, "another root"), (SIZE, "another root"), (SIZE + 1, "601 leaves was published")):
        forged = sign(Checkpoint(filled.origin, size, bytes(32)).text(), note_signer)
        assert checkpoints.swap(filled.origin, body, forged)
        body = forged

        assert words in findings(filled)


def test_a_leaf_that_damaged_tiles_do_not_prove_gets_no_proof(filled, flip, database):
    """One rotten tile costs the proofs that need it, not the whole service.

    The hash of leaf 0 is rotten: every other leaf of its tile needs it, leaf 0 itself and those of other tiles do not.
    """
    with database.read_connection() as connection:
        steps = connection.execute(text("SELECT step_id FROM log_entry WHERE idx < 260 ORDER BY idx")).scalars().all()
    before = {step: filled.logged(step) for step in steps}
    flip("log_tile", "data", "lvl = 0 AND n = 0", at=31)

    refused = []
    for step in steps:
        try:
            assert filled.logged(step) == before[step]
        except LogDamagedError:
            refused.append(step)
    assert refused == steps[1:256]
    assert filled.append(Leaf("exchange:more:final", b"{}")).index == SIZE
    flip("log_tile", "data", "lvl = 0 AND n = 0", at=31)
    assert {step: filled.logged(step) for step in steps} == before


def test_a_missing_tile_costs_the_proofs_that_need_it(filled, damage):
    damage("DELETE FROM log_tile WHERE lvl = 0 AND n = 0")

    with pytest.raises(LogDamagedError, match="tile 0 of level 0 is missing"):
        filled.proof(0, SIZE)
    assert len(filled.proof(SIZE - 1, SIZE)) > 1
