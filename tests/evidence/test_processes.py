"""Several processes on one log: never a fork, and nothing acknowledged is lost when one of them is killed."""

import json
import subprocess
import sys
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.evidence.leaf import Leaf
from gateway.evidence.signers import write_signer
from ipx.merkle import leaf_hash, verify_consistency, verify_inclusion
from ipx.note import Checkpoint, open_note

WRITER = Path(__file__).parent / "writer.py"
ROOT = Path(__file__).resolve().parents[2]


class Writer:
    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.acknowledged = []

    def wait_until_ready(self) -> None:
        line = self.process.stdout.readline()
        assert line == "ready\n", line

    def go(self) -> None:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def read(self, lines: int) -> None:
        for _ in range(lines):
            self.acknowledged.append(json.loads(self.process.stdout.readline()))

    def kill(self) -> None:
        self.process.kill()
        self.finish(-9)

    def finish(self, status: int = 0) -> None:
        """Read what is left; a killed process may have been cut off in its last line, which then tells nothing."""
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.acknowledged.append(json.loads(line))
        assert self.process.wait(60) == status


@pytest.fixture
def start(database_url, checkpoint_url, checkpoints, log_key, tmp_path):
    """Starts writer processes; whatever is still running at the end is killed."""
    key = tmp_path / "log.pem"
    write_signer(key, log_key)
    with ExitStack() as stack:

        def writer(name: str, threads: int, appends: int) -> Writer:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, WRITER, database_url, checkpoint_url, key, name, str(threads), str(appends)],
                    cwd=ROOT,
                    env={"PYTHONPATH": str(ROOT)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return Writer(process)

        yield writer


def require_all(log, acknowledged) -> None:
    """Every acknowledged leaf stands where it was said to stand, under a checkpoint that the log still extends."""
    size = max(line["size"] for line in acknowledged)
    roots = {}
    for line in acknowledged:
        checkpoint = Checkpoint.parse(open_note(line["note"], [log.key]).text)
        leaf = leaf_hash(line["step"].encode())
        proof = [bytes.fromhex(value) for value in line["proof"]]
        verify_inclusion(line["index"], line["size"], leaf, proof, checkpoint.root)
        assert roots.setdefault(line["size"], checkpoint.root) == checkpoint.root
        again = log.logged(line["step"])
        assert (again.index, again.size, again.checkpoint_note) == (line["index"], line["size"], line["note"])
    assert len({line["index"] for line in acknowledged}) == len(acknowledged)
    for old, root in roots.items():
        verify_consistency(old, size, log.consistency(old, size), root, roots[size])


def test_two_processes_with_thirty_two_writers_never_fork_the_log(start, new_log):
    """The silent fork (evidence page, section 5): with plain reads of the head, most of these leaves would be lost."""
    writers = [start(name, 16, 12) for name in ("one", "two")]
    for writer in writers:
        writer.wait_until_ready()  # both have created the log at the same time
    for writer in writers:
        writer.go()
    for writer in writers:
        writer.finish()

    acknowledged = [line for writer in writers for line in writer.acknowledged]
    log = new_log()
    log.open()

    assert sorted(line["index"] for line in acknowledged) == list(range(2 * 16 * 12))
    require_all(log, acknowledged)
    log.audit()


def test_two_writers_killed_under_load_eight_times_lose_nothing_that_was_acknowledged(start, new_log, database):
    """Both are killed at another moment each round; the log that is left opens, is whole, and grows on."""
    acknowledged, sizes = [], []
    for number in range(8):
        writers = [start(f"{name}-{number}", 8, 10_000) for name in ("one", "two")]
        for writer in writers:
            writer.wait_until_ready()
        for writer in writers:
            writer.go()
        for writer in writers:
            writer.read(10 + 7 * number)
        for writer in writers if number % 2 else writers[::-1]:
            writer.process.kill()
        for writer in writers:
            writer.finish(-9)
            acknowledged += writer.acknowledged
        log = new_log()
        log.open()
        log.audit()
        sizes.append(max(line["size"] for line in acknowledged))
        log.close()

    assert sizes == sorted(set(sizes))
    log = new_log()
    log.open()
    with database.read_connection() as connection:
        stored = connection.execute(text("SELECT size, note FROM log_checkpoint WHERE size > 0 ORDER BY size")).all()
    require_all(log, acknowledged)
    require_consistent(log, [row.note for row in stored])
    log.append(Leaf("exchange:after:final", b"{}"))


def require_consistent(log, notes) -> None:
    """Every checkpoint that was ever signed, acknowledged to somebody or not, is a beginning of the next."""
    signed = [Checkpoint.parse(open_note(note, [log.key]).text) for note in notes]
    for old, new in pairwise(signed):
        verify_consistency(old.size, new.size, log.consistency(old.size, new.size), old.root, new.root)
