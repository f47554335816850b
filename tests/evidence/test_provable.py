"""From when a leaf can be proved to those who demand witnesses and time-stamps."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from gateway.errors import UnknownError
from gateway.evidence.demands import Demands, NotYetProvable, Provable
from gateway.evidence.leaf import Leaf
from gateway.evidence.models import LogCheckpoint
from gateway.evidence.published import PublishedLog
from ipx.keys import generate_signer
from ipx.note import COSIGNATURE, NoteSigner

FIRST, SECOND, THIRD = (NoteSigner(f"w{n}.example/witness", generate_signer(), COSIGNATURE) for n in (1, 2, 3))
KEYS = frozenset({FIRST.key, SECOND.key, THIRD.key})


@pytest.fixture
def published(database, checkpoints, log, clock):
    def make(**demands):
        return PublishedLog(database, checkpoints, log.shard, demands=lambda: Demands(**demands), clock=clock)

    return make


@pytest.fixture
def confirm(database, clock):
    """Writes what witnesses and the authority gave for a checkpoint."""

    def confirm(logged, *witnesses, tst=None) -> str:
        text = logged.checkpoint_note.partition("\n\n")[0] + "\n"
        note = logged.checkpoint_note + "".join(f"{witness.line(text, clock())}\n" for witness in witnesses)
        with database.write_connection() as connection:
            connection.execute(
                update(LogCheckpoint).where(LogCheckpoint.size == logged.size).values(cosigned=note, tst=tst)
            )
        return note

    return confirm


@pytest.fixture
def leaves(log):
    return [log.append(Leaf(f"exchange:{number}:final", b"%d" % number)) for number in range(5)]


def test_where_nothing_is_demanded_the_first_checkpoint_proves_a_leaf(published, leaves):
    proved = published().provable("exchange:2:final")

    assert isinstance(proved, Provable)
    assert (proved.size, proved.timestamp) == (3, None)
    assert proved.proof.checkpoint_note == leaves[2].checkpoint_note
    assert proved.proof.hashes == leaves[2].proof


def test_a_leaf_waits_for_the_quorum_and_takes_the_first_checkpoint_that_has_it(published, leaves, confirm, clock):
    log = published(witnesses=KEYS, quorum=2)
    confirm(leaves[1], FIRST, SECOND)
    confirm(leaves[3], FIRST)

    waiting = log.provable("exchange:2:final")
    cosigned = confirm(leaves[4], FIRST, THIRD)
    proved = log.provable("exchange:2:final")

    assert waiting == NotYetProvable(clock() + timedelta(seconds=1))
    assert (proved.size, proved.proof.checkpoint_note) == (5, cosigned)
    assert log.provable("exchange:1:final").size == 2


def test_a_leaf_waits_for_the_time_stamp(published, leaves, confirm, clock):
    log = published(is_stamped=True)
    waiting = log.provable("exchange:0:final")
    confirm(leaves[2], tst=b"token")

    assert waiting == NotYetProvable(clock() + timedelta(seconds=60))
    assert (log.provable("exchange:0:final").size, log.provable("exchange:0:final").timestamp) == (3, b"token")
    assert isinstance(log.provable("exchange:3:final"), NotYetProvable)


def test_a_stamp_that_nobody_demands_is_left_out(published, leaves, confirm):
    confirm(leaves[0], tst=b"token")

    assert published().provable("exchange:0:final").timestamp is None


def test_one_witness_twice_and_strangers_make_no_quorum(published, leaves, confirm):
    stranger = NoteSigner("stranger.example", generate_signer(), COSIGNATURE)
    confirm(leaves[0], FIRST, FIRST, stranger)

    assert isinstance(published(witnesses=KEYS, quorum=2).provable("exchange:0:final"), NotYetProvable)


def test_what_was_never_logged_cannot_be_proved(published, leaves):
    with pytest.raises(UnknownError):
        published().provable("exchange:9:final")
