"""Several processes on one log: never a fork, and nothing acknowledged is lost when one of them is killed."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

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


def test_a_killed_writer_loses_nothing_that_was_acknowledged(start, new_log):
    acknowledged = []
    for round_number in range(2):
        doomed, survivor = start(f"doomed{round_number}", 8, 10_000), start(f"survivor{round_number}", 8, 12)
        for writer in (doomed, survivor):
            writer.wait_until_ready()
        for writer in (doomed, survivor):
            writer.go()
        doomed.read(40)
        doomed.kill()
        survivor.finish()
        acknowledged += doomed.acknowledged + survivor.acknowledged

    log = new_log()
    log.open()

    log.audit()
    require_all(log, acknowledged)
