"""A process that appends to a log from many threads and says what was acknowledged; run by `test_processes.py`.

Arguments: log database, checkpoint database, key file, name, threads, appends for each thread. It opens the log,
prints `ready`, waits for a line, then prints each acknowledged leaf as JSON in one write.
"""

import json
import os
import sys
import threading
from pathlib import Path

from gateway.clock import utc_now
from gateway.db.engine import Database
from gateway.evidence.checkpoints import CheckpointStore
from gateway.evidence.leaf import Leaf
from gateway.evidence.log import EvidenceLog
from gateway.evidence.signers import read_signer
from ipx.note import NoteSigner


def main() -> None:
    log_url, checkpoint_url, key, name, threads, appends = sys.argv[1:]
    signer = NoteSigner("gw.example/log", read_signer(Path(key)))
    log = EvidenceLog(Database(log_url), CheckpointStore(Database(checkpoint_url)), signer, utc_now)
    log.open()
    os.write(1, b"ready\n")
    sys.stdin.readline()

    def write(thread: int) -> None:
        for number in range(int(appends)):
            step = f"exchange:{name}-{thread}-{number}:final"
            logged = log.append(Leaf(step, step.encode()))
            line = {
                "step": step,
                "index": logged.index,
                "size": logged.size,
                "note": logged.checkpoint_note,
                "proof": [value.hex() for value in logged.proof],
            }
            os.write(1, json.dumps(line).encode() + b"\n")

    workers = [threading.Thread(target=write, args=(thread,)) for thread in range(int(threads))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


main()
