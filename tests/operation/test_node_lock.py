"""Work that one process of a node does for all of them."""

import os
import signal
import tempfile

import pytest

from gateway.node_lock import NodeLock


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_one_has_it_until_it_lets_go():
    first, second = NodeLock("index"), NodeLock("index")

    assert first.take()
    assert first.take()
    assert not second.take()
    first.let_go()
    assert second.take()
    assert not first.take()


def test_other_work_has_a_lock_of_its_own():
    assert NodeLock("index").take()
    assert NodeLock("sweep").take()


def test_a_process_that_is_killed_has_let_go():
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:  # the other process
        kept = NodeLock("index")
        os.write(tell, b"1" if kept.take() else b"0")
        signal.pause()
        os._exit(0)
    try:
        assert os.read(told, 1) == b"1"
        assert not NodeLock("index").take()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    assert NodeLock("index").take()


def test_where_no_file_can_be_made_nobody_is_kept_from_working(folder):
    lock = NodeLock("index")
    lock._path.symlink_to(folder / "elsewhere")

    assert lock.take()
    assert not (folder / "elsewhere").exists()
