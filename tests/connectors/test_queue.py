"""Sources of kind `queue`: a real broker, whose messages are acknowledged only after they were kept."""

import json
import threading
from uuid import uuid4

import pytest

from connectors.deadline import Deadline
from connectors.errors import SourceFileError
from connectors.kinds import queue
from connectors.kinds.queue import Peeked
from connectors.mapping import Mapped
from connectors.protocol import Absent, Changes, Failed, FailReason, Found
from connectors.quarantine import Quarantined
from connectors.source_file import read_source
from connectors.sources import open_source
from tests.connectors.rabbitmq import rabbitmq_server
from tests.connectors.relay import relaying

pika = pytest.importorskip("pika")

BODY = """\
reach: {{host: 127.0.0.1, port: {port}, queue: {queue}, user: office, password: "${{secret:PW}}",
        private: true, plain: true, complete: true, refresh: PT0S{more}}}
read: {{format: json, records: put, deleted: removed}}
key: number
revised: {{path: at, use: [{{datetime: UTC}}]}}
map:
  number: {{path: no, use: [trim], required: true}}
  name: {{path: name, use: [trim], required: true}}
"""


@pytest.fixture(scope="module")
def broker():
    with rabbitmq_server() as server:
        yield server


class Sender:
    """The holder's side: a durable queue of its own for each test."""

    def __init__(self, server, name) -> None:
        self.port = server.port
        self.queue = name
        login = pika.PlainCredentials(server.user, server.password)
        self._connection = pika.BlockingConnection(
            pika.ConnectionParameters("127.0.0.1", server.port, credentials=login)
        )
        self._channel = self._connection.channel()
        self._channel.queue_declare(name, durable=True)

    def send(self, *messages) -> None:
        for message in messages:
            raw = message if isinstance(message, bytes) else json.dumps(message).encode()
            self._channel.basic_publish("", self.queue, raw)

    def waiting(self) -> int:
        return self._channel.queue_declare(self.queue, passive=True).method.message_count

    def close(self) -> None:
        self._channel.queue_delete(self.queue)
        self._connection.close()


@pytest.fixture
def sender(broker):
    made = Sender(broker, f"marks-{uuid4().hex}")
    yield made
    made.close()


@pytest.fixture
def source(sender, write_source, tools, clock):
    opened = []

    def make(deliveries=None, *, more="", password="0ff1ce", freshness="follow: PT1M", text=BODY, **names):
        values = {"port": sender.port, "queue": sender.queue, "more": more} | names
        whole = write_source(text.format(**values), kind="queue")
        whole = whole.replace("stale: P2D}", f"stale: P2D, {freshness}}}" if freshness else "stale: P2D}")
        made = open_source(
            read_source(whole),
            secrets={"PW": password},
            variables={},
            tools=tools,
            clock=clock,
            deliveries=deliveries,
        )
        opened.append(made)
        return made

    yield make
    for one in opened:
        one.close()


def mark(number, name="A mark", at="2026-11-20T08:00:00Z", **more):
    return {"put": {"no": number, "name": name, "at": at, **more}}


def names_of(changes, source):
    return [source.apply(found).fields["name"] for found in changes.found]


def test_a_record_is_kept_and_only_then_gone_from_the_queue(sender, source, deadline):
    sender.send(mark("1"), mark("2"))
    kept = Peeked()
    opened = source(kept)

    answer = opened.connector.fetch("1", deadline)

    assert isinstance(opened.apply(answer), Mapped)
    assert json.loads(answer.raw) == mark("1")
    assert (answer.media_type, answer.source_ref) == ("application/json", "test-source#1")
    assert sender.waiting() == 0
    assert isinstance(source(kept).connector.fetch("2", deadline), Found)


def test_what_cannot_be_kept_stays_in_the_queue(sender, source, deadline):
    class Full(Peeked):
        def file(self, source, delivered):
            raise OSError(28, "no space left")

    sender.send(mark("1"))

    answer = source(Full()).connector.fetch("1", deadline)

    assert answer == Failed(FailReason.MISCONFIGURED)
    assert sender.waiting() == 1
    assert isinstance(source(Peeked()).connector.fetch("1", deadline), Found)


def test_the_same_message_again_is_no_change(sender, source, deadline):
    sender.send(mark("1"), mark("1"))
    opened = source(Peeked())
    first = opened.connector.changes(None, deadline)
    sender.send(mark("1"))

    second = opened.connector.changes(first.next, deadline)

    assert len(first.found) == 1
    assert second == Changes((), (), first.next, complete=True)
    assert sender.waiting() == 0


def test_the_later_revision_counts_whichever_message_came_last(sender, source, deadline):
    sender.send(mark("1", "new", "2026-11-21T08:00:00Z"), mark("1", "old"))
    opened = source(Peeked())

    answer = opened.connector.fetch("1", deadline)
    changes = opened.connector.changes(None, deadline)

    assert opened.apply(answer).fields["name"] == "new"
    outcomes = [opened.apply(found) for found in changes.found]
    assert isinstance(outcomes[0], Mapped)
    assert [why.reason for why in outcomes[1].reasons] == ["older_revision"]


def test_two_states_of_one_instant_are_not_chosen_from_until_a_later_one_comes(sender, source, deadline):
    sender.send(mark("1", "one"), mark("1", "other"))
    opened = source(Peeked())

    disputed = opened.apply(opened.connector.fetch("1", deadline))
    sender.send(mark("1", "settled", "2026-11-22T08:00:00Z"))
    settled = opened.apply(opened.connector.fetch("1", deadline))

    assert [why.reason for why in disputed.reasons] == ["duplicate_in_batch"]
    assert settled.fields["name"] == "settled"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"{ no json", "not_parseable"),
        (b'{"put": {"no": "1", "name": "D\xfcsseldorf", "at": "2026-11-20T08:00:00Z"}}', "wrong_encoding"),
        (b'{"no": "1", "no": "2"}', "not_parseable"),
        (b'{"something": "else"}', "wrong_type"),
        ({"put": {"no": "1", "name": "x"}}, "missing_required"),
        (mark("1", name=""), "missing_required"),
        (mark("", name="x"), "missing_required"),
        (mark("1", at="2026-11-26T08:00:00Z"), "future_date"),
        (b'{"put": {"no": "1", "name": "' + b"x" * 5000 + b'"}}', "too_large"),
    ],
)
def test_a_poison_message_is_quarantined_and_blocks_nothing(sender, source, deadline, message, reason):
    sender.send(message, mark("2"))
    opened = source(Peeked(), more=", limits: {file_bytes: 2000}")

    changes = opened.connector.changes(None, deadline)

    (poison, good) = [opened.apply(found) for found in changes.found]
    assert isinstance(poison, Quarantined)
    assert reason in [why.reason for why in poison.reasons]
    assert good.key == "2"
    assert sender.waiting() == 0


def test_a_deletion_makes_a_record_absent_and_is_told(sender, source, deadline):
    sender.send(mark("1"))
    opened = source(Peeked())
    first = opened.connector.changes(None, deadline)
    sender.send({"removed": {"no": "1", "at": "2026-11-22T08:00:00Z"}})

    second = opened.connector.changes(first.next, deadline)

    assert (second.found, second.deleted) == ((), ("1",))
    assert opened.connector.fetch("1", deadline) == Absent()
    assert opened.connector.capabilities().deletions


def test_what_never_came_is_absent_only_where_the_queue_brings_every_record(sender, source, deadline):
    whole = source(Peeked())
    part = source(Peeked(), text=BODY.replace("complete: true", "complete: false"))

    assert whole.connector.fetch("9", deadline) == Absent()
    assert part.connector.fetch("9", deadline) == Failed(FailReason.NOT_READY)


def test_while_messages_wait_nothing_is_absent(sender, source, deadline):
    sender.send(*(mark(str(number)) for number in range(5)))
    opened = source(Peeked(), more=", limits: {messages: 3}")

    first = opened.connector.fetch("4", deadline)
    second = opened.connector.fetch("4", deadline)

    assert first == Failed(FailReason.NOT_READY)
    assert isinstance(second, Found)


def test_many_messages_come_in_batches_and_none_is_lost(sender, source, deadline, monkeypatch):
    monkeypatch.setattr(queue, "BATCH_RECORDS", 7)
    sender.send(*(mark(str(number)) for number in range(250)))
    opened = source(Peeked())
    keys, since = [], None

    while True:
        changes = opened.connector.changes(since, deadline)
        keys += [found.key for found in changes.found]
        since = changes.next
        if changes.complete:
            break

    assert keys == [str(number) for number in range(250)]
    assert sender.waiting() == 0


def test_two_readers_of_one_queue_lose_nothing(sender, source, deadline):
    sender.send(*(mark(str(number)) for number in range(120)))
    kept = Peeked()
    lock = threading.Lock()
    inner = kept.file
    kept.file = lambda name, delivered: _locked(lock, inner, name, delivered)
    readers = [source(kept), source(kept)]
    threads = [threading.Thread(target=one.connector.changes, args=(None, deadline)) for one in readers]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({one.delivered.key for one in kept.after("", 0, 1000)}) == 120
    assert sender.waiting() == 0


def _locked(lock, inner, name, delivered):
    with lock:
        inner(name, delivered)


def test_a_dry_run_looks_at_messages_and_leaves_them(sender, source, deadline):
    sender.send(mark("1"), mark("2"), b"{")
    opened = source(None)

    changes = opened.connector.changes(None, deadline)
    opened.close()

    assert len(changes.found) == 3
    assert sender.waiting() == 3


def test_a_wrong_password_or_queue_is_told_and_never_logged(sender, source, deadline, caplog):
    caplog.set_level("DEBUG")

    wrong = source(Peeked(), password="n0t-th1s").connector.fetch("1", deadline)
    missing = source(Peeked(), queue="not-there").connector.fetch("1", deadline)

    assert (wrong, missing) == (Failed(FailReason.MISCONFIGURED), Failed(FailReason.MISCONFIGURED))
    assert "n0t-th1s" not in caplog.text
    assert "0ff1ce" not in caplog.text
    assert "404" in caplog.text


def test_a_connection_cut_while_messages_come_loses_none_and_says_nothing_is_absent(sender, source, deadline):
    sender.send(*(mark(str(number), "x" * 2000) for number in range(40)))
    kept = Peeked()
    with relaying(sender.port) as relay:
        opened = source(kept, port=relay.port)
        relay.cut_after = 30_000
        cut = opened.connector.fetch("99", deadline)
        relay.cut_after = None
        whole = opened.connector.fetch("39", deadline)

    assert cut == Failed(FailReason.UNREACHABLE)
    assert isinstance(whole, Found)
    assert sender.waiting() == 0
    assert len(kept.after("", 0, 1000)) == 40


def test_a_crash_between_keeping_and_acknowledging_brings_the_message_again_and_no_second_record(
    sender, source, deadline
):
    class Crashing(Peeked):
        def file(self, source, delivered):
            super().file(source, delivered)
            raise OSError

    sender.send(mark("1"), mark("2"))
    kept = Crashing()
    source(kept).connector.fetch("1", deadline)
    again = Peeked()
    again._numbered = kept._numbered

    changes = source(again).connector.changes(None, deadline)

    assert [found.key for found in changes.found] == ["1", "2"]
    assert sender.waiting() == 0


def test_a_broker_that_is_down_or_silent_fails_by_the_deadline(sender, source):
    with relaying(sender.port) as relay:
        relay.is_held.set()
        silent = source(Peeked(), port=relay.port).connector.fetch("1", Deadline.within(0.5))
        down = source(Peeked(), port=1).connector.fetch("1", Deadline.within(10))

    assert silent == Failed(FailReason.TIMEOUT)
    assert down == Failed(FailReason.UNREACHABLE)


@pytest.mark.parametrize(
    ("old", "new", "pointer"),
    [
        ("private: true, ", "", "/reach/plain"),
        ('"${{secret:PW}}"', "0ff1ce", "/reach/password"),
        ("complete: true, ", "", "/reach"),
        ("format: json", "format: csv", "/read/format"),
        ("revised: {{path: at, use: [{{datetime: UTC}}]}}\n", "", "/revised"),
    ],
)
def test_a_queue_that_cannot_work_is_refused_with_the_place(source, old, new, pointer):
    assert old in BODY

    with pytest.raises(SourceFileError) as refused:
        source(Peeked(), text=BODY.replace(old, new))

    assert pointer in [fault.pointer for fault in refused.value.faults]


def test_a_queue_that_nobody_follows_is_refused(source):
    with pytest.raises(SourceFileError) as refused:
        source(Peeked(), freshness="")

    assert [fault.pointer for fault in refused.value.faults] == ["/freshness/follow"]


def test_a_broker_in_a_private_network_is_called_only_where_the_file_says_so(source, deadline):
    text = BODY.replace("private: true, plain: true, ", "")

    assert source(Peeked(), text=text).connector.fetch("1", deadline) == Failed(FailReason.MISCONFIGURED)
