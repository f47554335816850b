"""Rounds with witnesses and an authority: what they confirm is kept, their objections count where they can show why."""

from datetime import timedelta

import flask
import httpx
import pytest
import svcs
from sqlalchemy import select, text

from gateway.db.engine import Database
from gateway.evidence.confirmations import Confirmations
from gateway.evidence.demands import Demands, NotYetProvable
from gateway.evidence.edge import Edge
from gateway.evidence.errors import EvidenceOverdueError, LogForkedError, TimestampError
from gateway.evidence.leaf import Leaf
from gateway.evidence.models import LogCheckpoint, WitnessStanding
from gateway.evidence.outsiders import Witness
from gateway.evidence.published import PublishedLog
from gateway.evidence.state import Confirmation, EvidenceState
from gateway.evidence.timestamps import Stamp
from gateway.evidence.views import witness_blueprint
from gateway.evidence.witness_service import WitnessService
from gateway.evidence.witnesses import SIZE_TYPE, WitnessClient
from gateway.tables import Base
from gateway.web import problem
from ipx.keys import generate_signer
from ipx.merkle import leaf_hash
from ipx.note import COSIGNATURE, Checkpoint, NoteSigner, open_note, sign

HOURS = timedelta(hours=4)


class Peer:
    """A witness of the log, as another gateway runs it; it can be switched off, or made to lie."""

    def __init__(self, number, folder, log_key, clock):
        self.signer = NoteSigner(f"w{number}.example/witness", generate_signer(), COSIGNATURE)
        self.database = Database(f"sqlite:///{folder / f'w{number}.db'}")
        Base.metadata.create_all(self.database.writer)
        self.service = WitnessService(self.database, self.signer, [log_key], clock)
        self.witness = Witness(self.signer.key, f"https://w{number}.example/witness/")
        app = flask.Flask("peer")
        svcs.flask.init_app(app)
        svcs.flask.register_value(app, WitnessService, self.service)
        problem.install(app, "https://peer.example")
        app.register_blueprint(witness_blueprint())
        self._transport = httpx.WSGITransport(app)
        self.asked = 0
        self.is_down = False
        self.lie = None

    def handle_request(self, request):
        self.asked += request.method == "POST"
        if self.is_down:
            raise httpx.ConnectTimeout("too slow", request=request)
        return self.lie(request) if self.lie else self._transport.handle_request(request)

    __call__ = handle_request


class FakeAuthority:
    """Stamps with the time of the test's clock, or fails."""

    def __init__(self, clock):
        self.clock, self.is_down, self.stamped = clock, False, []

    def stamp(self, note):
        if self.is_down:
            raise TimestampError("the authority does not answer")
        self.stamped.append(note)
        return Stamp(b"stamp of " + note.encode(), self.clock(), 0.0)


@pytest.fixture
def peers(tmp_path, log, clock):
    made = [Peer(number, tmp_path, log.key, clock) for number in (1, 2, 3)]
    yield made
    for peer in made:
        peer.database.dispose()


@pytest.fixture
def authority(clock):
    return FakeAuthority(clock)


@pytest.fixture
def demands(peers):
    return Demands(frozenset(peer.witness.key for peer in peers), 2)


@pytest.fixture
def published(database, checkpoints, log, demands, clock):
    return PublishedLog(database, checkpoints, log.shard, demands=lambda: demands, clock=clock)


@pytest.fixture
def new_rounds(database, checkpoints, log, published, peers, clock):
    by_host = {httpx.URL(peer.witness.url).host: peer for peer in peers}
    http = httpx.Client(transport=httpx.MockTransport(lambda request: by_host[request.url.host](request)))

    def make(*, on=log, quorum=2, authority=None, witnesses=peers):
        return Confirmations(
            database,
            on,
            published,
            clock=clock,
            witnesses=[WitnessClient(peer.witness, http, clock) for peer in witnesses],
            quorum=quorum,
            authority=authority,
        )

    yield make
    http.close()


@pytest.fixture
def rounds(new_rounds):
    return new_rounds()


@pytest.fixture
def state(database, log, demands, clock):
    def look(*, is_stamped=False, quorum=2):
        wanted = Demands(demands.witnesses if quorum else frozenset(), quorum, is_stamped=is_stamped)
        return EvidenceState(database, log.shard, wanted, clock, overdue=HOURS)

    return look


@pytest.fixture
def grow(log):
    numbers = iter(range(1000))

    def grow(count=1):
        return [log.append(Leaf(f"exchange:{n}:final", b"%d" % n)) for n, _ in zip(numbers, range(count), strict=False)]

    return grow


@pytest.fixture
def carried(database):
    """The newest checkpoint with what it has."""

    def carried():
        with database.read() as session:
            return session.scalars(select(LogCheckpoint).order_by(LogCheckpoint.size.desc()).limit(1)).one()

    return carried


def cosigners(note, peers):
    return [peer for peer in peers if peer.signer.key in open_note(note, [p.signer.key for p in peers]).valid]


def standing(database, peer):
    with database.read() as session:
        return session.get(WitnessStanding, (peer.witness.key.vkey, "gw.example/log"))


def test_the_newest_checkpoint_is_cosigned_by_all_and_shown_so(rounds, grow, carried, published, peers, clock):
    grow(3)
    before = published.shown()
    rounds.go_round()
    shown = published.shown()

    assert before.header == "?0;cosigned=0;quorum=2"
    assert (shown.note, shown.header) == (carried().cosigned, "?1;cosigned=3;quorum=2")
    assert set(open_note(shown.note, [p.signer.key for p in peers]).valid.values()) == {clock()}


def test_growth_is_proved_from_where_each_witness_stands(rounds, grow, database, peers, clock):
    grow(3)
    rounds.go_round()
    peers[0].is_down = True
    for count in (1, 5, 12):
        grow(count)
        clock.advance(1)
        rounds.go_round()
    peers[0].is_down = False
    clock.advance(10)
    rounds.go_round()

    assert [standing(database, peer).size for peer in peers] == [21, 21, 21]
    assert standing(database, peers[0]).failure is None


def test_two_of_three_are_enough(rounds, grow, carried, peers, state, clock, published):
    peers[2].is_down = True
    grow()
    rounds.go_round()
    clock.advance(60)

    assert cosigners(carried().cosigned, peers) == peers[:2]
    assert state().look().state is Confirmation.CURRENT
    assert published.provable("exchange:0:final").size == 1


def test_below_the_quorum_the_log_counts_as_unwitnessed_and_evidence_waits(
    rounds, grow, peers, state, clock, published
):
    peers[1].is_down = peers[2].is_down = True
    grow()
    rounds.go_round()
    early = state().look().state
    clock.advance(31)
    late = state().look()

    assert (early, late.state) == (Confirmation.CURRENT, Confirmation.UNWITNESSED)
    assert sum("does not answer" in reason for reason in late.reasons) == 2
    assert isinstance(published.provable("exchange:0:final"), NotYetProvable)
    peers[1].is_down = False
    rounds.go_round()
    assert state().look().state is Confirmation.CURRENT


def test_who_failed_is_asked_again_after_ten_seconds_only(rounds, grow, peers, clock):
    peers[0].is_down = True
    grow()
    for _ in range(10):
        rounds.go_round()
        clock.advance(1.5)

    assert [peer.asked for peer in peers] == [2, 1, 1]


def test_who_has_cosigned_is_asked_again_when_the_log_grows_or_after_ten_minutes(rounds, grow, peers, clock):
    grow()
    for _ in range(5):
        rounds.go_round()
        clock.advance(2)
    assert [peer.asked for peer in peers] == [1, 1, 1]

    clock.advance(600)
    rounds.go_round()

    assert [peer.asked for peer in peers] == [2, 2, 2]


def test_of_several_processes_one_asks(new_rounds, grow, peers, clock):
    processes = [new_rounds() for _ in range(3)]
    grow()
    for _ in range(3):
        for process in processes:
            process.go_round()

    assert [peer.asked for peer in peers] == [1, 1, 1]


def test_a_witness_that_stands_elsewhere_than_was_thought_is_asked_once_more(rounds, grow, database, peers, clock):
    grow(5)
    rounds.go_round()
    with peers[0].database.write_connection() as connection:
        connection.execute(text("DELETE FROM witnessed_log"))  # it was set up anew
    grow(2)
    clock.advance(1)
    rounds.go_round()

    assert peers[0].asked == 3
    assert (standing(database, peers[0]).size, standing(database, peers[0]).failure) == (7, None)


def fork(peer, size, log_signer, *, salt=b"fork"):
    """Have a witness cosign another tree under the log's key, as a copy of the log would."""
    edge = Edge(0, {})
    for number in range(size):
        edge.append(leaf_hash(salt + b"%d" % number))
    note = sign(Checkpoint("gw.example/log", size, edge.root()).text(), log_signer)
    assert peer.service.add_checkpoint(f"old 0\n\n{note}".encode()).status == 200


@pytest.mark.parametrize("size", [2, 3, 50])
def test_a_witness_that_shows_another_log_under_our_key_stops_this_one(
    rounds, grow, log, peers, state, note_signer, size, clock
):
    fork(peers[1], size, note_signer)
    grow(3)
    rounds.go_round()

    with pytest.raises(LogForkedError, match=r"w2\.example"):
        log.append(Leaf("exchange:x:final", b"x"))
    assert state().look().state is Confirmation.CONTRADICTED
    for refuse in (state().require_current, state().require_whole):
        with pytest.raises(LogForkedError):
            refuse()


@pytest.mark.parametrize(
    "answer",
    [
        (409, SIZE_TYPE, "1000\n"),
        (409, SIZE_TYPE, "0\n"),
        (422, "text/plain", "no"),
        (409, "text/plain", "5\n"),
        (409, SIZE_TYPE, "05\n"),
        (404, "text/plain", ""),
        (500, "text/plain", ""),
        (200, "text/plain", ""),
        (200, "text/plain", "x" * 70_000),
    ],
)
def test_a_witness_that_only_says_so_stops_nothing(rounds, grow, log, database, peers, answer, carried):
    status, kind, body = answer
    peers[0].lie = lambda request: (
        httpx.Response(status, headers={"Content-Type": kind}, text=body)
        if request.method == "POST"
        else httpx.Response(404)
    )
    grow(3)
    rounds.go_round()

    assert cosigners(carried().cosigned, peers) == peers[1:]
    assert standing(database, peers[0]).failure
    assert standing(database, peers[0]).contradiction is None
    assert log.append(Leaf("exchange:x:final", b"x")).index == 3


def test_a_race_with_another_process_is_no_contradiction(rounds, grow, log, peers, database, clock):
    first = grow(3)[-1]
    grow(2)
    peers[0].service.add_checkpoint(f"old 0\n\n{database_note(database)}".encode())
    stale = WitnessClient(peers[0].witness, httpx.Client(transport=httpx.MockTransport(peers[0])), clock)
    rounds._witnesses = [stale]
    rounds._published.newest = lambda: type("Newest", (), {"size": first.size})
    rounds.go_round()

    assert "has cosigned 5 leaves" in standing(database, peers[0]).failure
    assert standing(database, peers[0]).contradiction is None


def database_note(database):
    with database.read() as session:
        return session.scalars(select(LogCheckpoint.note).order_by(LogCheckpoint.size.desc()).limit(1)).one()


@pytest.mark.parametrize("kind", ["other text", "other key", "old time", "future"])
def test_what_is_no_cosignature_of_this_moment_is_not_kept(rounds, grow, peers, carried, clock, kind):
    def lie(request):
        note = request.content.decode().partition("\n\n")[2]
        signed = note.partition("\n\n")[0] + "\n"
        signer = peers[1].signer if kind == "other key" else peers[0].signer
        seconds = {"old time": -3600, "future": 3600}.get(kind, 0)
        line = signer.line("another\n" if kind == "other text" else signed, clock() + timedelta(seconds=seconds))
        return httpx.Response(200, text=line + "\n")

    peers[0].lie = lie
    grow()
    rounds.go_round()

    assert cosigners(carried().cosigned, peers) == peers[1:]


def test_a_stamp_is_over_the_cosigned_note_which_then_changes_no_more(
    new_rounds, grow, carried, peers, authority, clock
):
    rounds = new_rounds(authority=authority)
    peers[2].is_down = True
    grow()
    rounds.go_round()
    stamped = carried()
    peers[2].is_down = False
    clock.advance(20)
    rounds.go_round()

    assert authority.stamped == [stamped.cosigned]
    assert (carried().cosigned, carried().tst) == (stamped.cosigned, b"stamp of " + stamped.cosigned.encode())
    assert cosigners(stamped.cosigned, peers) == peers[:2]


def test_a_stamp_over_too_few_cosignatures_gives_way_to_enough(new_rounds, grow, carried, peers, authority, clock):
    rounds = new_rounds(authority=authority)
    for peer in peers:
        peer.is_down = True
    grow()
    rounds.go_round()
    clock.advance(91)
    rounds.go_round()
    alone = carried()
    for peer in peers:
        peer.is_down = False
    for _ in range(3):
        clock.advance(61)
        rounds.go_round()

    assert (alone.cosigned, alone.tst) == (None, b"stamp of " + alone.note.encode())
    assert cosigners(carried().cosigned, peers) == peers
    assert carried().tst == b"stamp of " + carried().cosigned.encode()


def test_without_witnesses_the_newest_checkpoint_is_stamped_once_a_minute(new_rounds, grow, authority, clock):
    rounds = new_rounds(authority=authority, witnesses=(), quorum=0)
    for _ in range(125):
        grow()
        rounds.go_round()
        clock.advance(1)
    clock.advance(600)
    rounds.go_round()
    clock.advance(600)
    rounds.go_round()

    assert [int(note.split("\n")[1]) for note in authority.stamped] == [1, 61, 121, 125]


def test_evidence_is_late_after_five_minutes_and_overdue_after_hours(new_rounds, grow, authority, state, clock):
    rounds = new_rounds(authority=authority, witnesses=(), quorum=0)
    watched = state(is_stamped=True, quorum=0)
    grow()
    rounds.go_round()
    authority.is_down = True
    clock.advance(48 * 3600)
    states = [watched.look().state]  # nothing waits: a gateway that nobody asks needs no stamp
    grow()
    for seconds in (1, 300, 4 * 3600):
        rounds.go_round()
        clock.advance(seconds)
        states.append(watched.look().state)

    assert states == [Confirmation.CURRENT, Confirmation.CURRENT, Confirmation.LATE, Confirmation.OVERDUE]
    assert watched.look().reasons == ("the authority does not answer",)
    assert watched.now().detail()["waiting_since"] == "2026-11-27T08:00:00+00:00"
    with pytest.raises(EvidenceOverdueError):
        watched.require_current()
    authority.is_down = False
    rounds.go_round()
    assert watched.look().state is Confirmation.CURRENT
    watched.require_current()


def test_an_authority_that_is_new_has_not_failed_what_was_logged_before(new_rounds, grow, authority, state, clock):
    grow()
    clock.advance(30 * 24 * 3600)
    authority.is_down = True
    new_rounds(authority=authority, witnesses=(), quorum=0).go_round()
    clock.advance(10)

    assert state(is_stamped=True, quorum=0).look().state is Confirmation.CURRENT


def test_every_state_says_what_a_reader_should_know(state, grow, new_rounds):
    nobody = state(quorum=0)

    assert (nobody.now().detail(), nobody.now().state) == ({"state": "none"}, Confirmation.NONE)
    assert "nobody else" in nobody.banner()
    grow()
    new_rounds().go_round()
    assert state().banner() is None
    assert state().now().detail() == {"state": "current", "witnessed": 1}


def test_a_checkpoint_long_unwitnessed_is_shown_as_it_is(rounds, grow, peers, published, clock):
    grow()
    rounds.go_round()
    for peer in peers:
        peer.is_down = True
    grow()
    soon = published.shown()
    clock.advance(61)
    late = published.shown()

    assert (soon.header, late.header) == ("?1;cosigned=3;quorum=2", "?0;cosigned=0;quorum=2")
    assert late.note == published.newest().note
