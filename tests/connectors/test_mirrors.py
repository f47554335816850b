"""Deliveries over SFTP and out of an object store: copied when they are ready, and never taken for empty."""

import logging

import pytest

from connectors.errors import SourceFileError
from connectors.protocol import Absent, Failed, FailReason, Found, RecordKey

fsspec = pytest.importorskip("fsspec", reason="no fsspec: pip install 'ipx-gateway[objectstore]'")
paramiko = pytest.importorskip("paramiko", reason="no paramiko: pip install 'ipx-gateway[sftp]'")

from tests.connectors.sftp_server import sftp_serving  # noqa: E402  (it needs paramiko)

ONE = RecordKey("1")
REST = """
read: {format: xml, records: "/mark"}
key: number
map:
  number: {path: no, use: [trim], required: true}
"""
DROP = """
reach:
  host: 127.0.0.1
  port: PORT
  private: true
  user: gateway
  password: "${secret:PASSWORD}"
  host_key: "HOSTKEY"
  folder: /out
  match: "*.xml"
  refresh: PT0S
  ready: {marker: .done}
"""
STORE = 'reach: {url: "memory://BUCKET", match: "*.xml", refresh: PT0S}\n'


def mark(number):
    return f"<mark><no>{number}</no></mark>"


@pytest.fixture
def server(tmp_path):
    root = tmp_path / "out"
    root.mkdir()
    with sftp_serving(root) as made:
        yield made


@pytest.fixture
def drop(server, opened, write_source):
    def make(password="pass", host_key=None, state=None, **put):
        text = DROP.replace("PORT", str(server.port)).replace("HOSTKEY", host_key or server.host_key_text)
        for old, new in put.get("put", {}).items():
            assert old in text
            text = text.replace(old, new)
        return opened(write_source(text + REST, kind="drop"), PASSWORD=password, state=state)

    return make


def deliver(server, number, *, marked=True):
    (server.root / f"{number}.xml").write_text(mark(number))
    if marked:
        (server.root / f"{number}.xml.done").touch()


def test_a_delivery_is_copied_and_read_once_its_marker_stands_beside_it(server, drop, deadline):
    deliver(server, 1)
    deliver(server, 2, marked=False)
    source = drop()

    first, second = source.connector.fetch(ONE, deadline), source.connector.fetch(RecordKey("2"), deadline)
    (server.root / "2.xml.done").touch()
    ready = source.connector.fetch(RecordKey("2"), deadline)

    assert (first.raw, first.source_ref) == (mark(1).encode(), "1.xml")
    assert second == Failed(FailReason.NOT_READY)
    assert isinstance(ready, Found)
    assert source.connector.fetch(RecordKey("3"), deadline) == Absent()


def test_a_delivery_comes_once_also_when_it_is_delivered_again(server, drop, deadline, tmp_path):
    deliver(server, 1)
    state = tmp_path / "state"
    state.mkdir()
    source = drop(state=state)

    first = source.connector.changes(None, deadline)
    deliver(server, 1)
    deliver(server, 2)
    second = source.connector.changes(first.next, deadline)

    assert [[item.key for item in batch.found] for batch in (first, second)] == [["1"], ["2"]]


def test_another_host_key_than_the_pinned_one_ends_all(server, drop, deadline):
    other = paramiko.ECDSAKey.generate()
    deliver(server, 1)
    source = drop(host_key=f"{other.get_name()} {other.get_base64()}")

    assert source.connector.fetch(ONE, deadline) == Failed(FailReason.MISCONFIGURED)


def test_a_wrong_password_is_refused_and_never_logged(server, drop, deadline, caplog):
    caplog.set_level(logging.INFO)
    source = drop(password="w0rng-s3cret")

    assert source.connector.fetch(ONE, deadline) == Failed(FailReason.MISCONFIGURED)
    assert "w0rng" not in caplog.text


def test_a_connection_that_was_cut_is_made_anew_and_a_dead_server_says_nothing(server, drop, deadline):
    deliver(server, 1)
    source = drop()
    source.connector.fetch(ONE, deadline)

    server.cut()
    outcomes = [source.connector.fetch(ONE, deadline) for _ in range(2)]
    server.close()
    dead = source.connector.fetch(RecordKey("9"), deadline)

    assert isinstance(outcomes[-1], Found)
    assert isinstance(dead, Failed)


def test_an_emptied_folder_is_not_an_empty_register(server, drop, deadline):
    deliver(server, 1)
    source = drop()
    source.connector.fetch(ONE, deadline)
    for file in server.root.iterdir():
        file.unlink()

    assert source.connector.fetch(ONE, deadline) == Failed(FailReason.UNREACHABLE)


def test_names_that_would_lead_out_of_the_copy_are_passed_over(server, drop, deadline, tmp_path):
    deliver(server, 1)
    server.foul += ["../../evil.xml", "/etc/evil.xml", "a/b.xml", ".hidden.xml", "..xml"]
    source = drop(put={"ready: {marker: .done}": "ready: {quiet_seconds: 0}"})

    source.connector.changes(None, deadline)

    assert list(tmp_path.rglob("*evil*")) == []


@pytest.mark.parametrize(
    ("put", "pointer"),
    [
        ({'password: "${secret:PASSWORD}"': "password: plain"}, "/reach/password"),
        ({"ready: {marker: .done}": "ready: {marker: done}"}, "/reach/ready/marker"),
        ({"  folder: /out\n": ""}, "/reach"),
    ],
)
def test_a_drop_that_cannot_work_is_refused_with_the_place(drop, put, pointer):
    with pytest.raises(SourceFileError) as refused:
        drop(put=put)

    assert pointer in [fault.pointer for fault in refused.value.faults]


def test_a_host_key_that_is_none_is_refused(drop):
    with pytest.raises(SourceFileError, match="is no host key"):
        drop(host_key="ssh-ed25519 not-base64-at-all")


# Object stores


@pytest.fixture
def bucket(tmp_path):
    store, name = fsspec.filesystem("memory"), f"/{tmp_path.name}"
    store.mkdir(name)
    yield store, name
    store.rm(name, recursive=True)


@pytest.fixture
def store(bucket, opened, write_source):
    return lambda text=STORE: opened(write_source(text.replace("BUCKET", bucket[1]) + REST, kind="store"))


def test_objects_are_copied_read_and_followed(bucket, store, deadline, clock):
    clock.advance(10 * 365 * 86_400)
    fs, name = bucket
    fs.pipe(f"{name}/1.xml", mark(1).encode())
    fs.pipe(f"{name}/notes.txt", b"no record")
    source = store()

    first = source.connector.changes(None, deadline)
    fs.pipe(f"{name}/2.xml", mark(2).encode())
    second = source.connector.changes(first.next, deadline)
    fs.rm(f"{name}/1.xml")

    assert [[item.key for item in batch.found] for batch in (first, second)] == [["1"], ["2"]]
    assert source.connector.fetch(ONE, deadline) == Absent()
    assert isinstance(source.connector.fetch(RecordKey("2"), deadline), Found)


def test_a_store_that_cannot_be_listed_says_nothing_of_its_records(store, deadline):
    source = store(STORE.replace("BUCKET", "no-such-bucket"))

    assert source.connector.fetch(ONE, deadline) == Failed(FailReason.UNREACHABLE)


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "ftp://h/x", "file:///etc", "github://o:r@/x", "x"])
def test_a_store_is_no_way_to_anything_else(store, url):
    with pytest.raises(SourceFileError, match="must begin with one of"):
        store(STORE.replace("memory://BUCKET", url))
