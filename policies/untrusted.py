"""Policy text from outside is read in a child process first.

Cedar's parser can overrun its stack and take its process with it, and no exception would say so.

    python -m policies.untrusted    reads a JSON list of texts, writes a JSON list of problems (null: none)
"""

import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Final

from policies import cedar
from policies.gate import Finding, gate

PARSER_SECONDS = 10
_MEMORY_BYTES = 1 << 30


class _Texts:
    """Texts in which the parser found nothing, by their hash: they need not be read again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._hashes: dict[bytes, None] = {}
        self._lock = threading.Lock()

    def __contains__(self, text: str) -> bool:
        return _hash(text) in self._hashes

    def add(self, text: str) -> None:
        with self._lock:
            if len(self._hashes) >= self._limit:
                del self._hashes[next(iter(self._hashes))]
            self._hashes[_hash(text)] = None


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


_SURVIVED: Final = _Texts(limit=4096)


def examine(texts: Sequence[str], timeout_seconds: float = PARSER_SECONDS) -> list[tuple[Finding, ...]]:
    """Pass texts through the gate, and those that pass to a parser that may die; one process reads them all.

    Returns:
        For each text what is wrong with it. If the parser dies or takes too long, each text is tried alone.
    """
    found = [gate(text) for text in texts]
    clean = [number for number, findings in enumerate(found) if not findings and texts[number] not in _SURVIVED]
    problems = _read([texts[number] for number in clean], timeout_seconds) if clean else []
    if problems is None and len(clean) == 1:
        problems = [("parser_died", "Cedar's parser did not survive this text")]
    if problems is None:
        problems = [_alone(texts[number], timeout_seconds) for number in clean]
    for number, problem in zip(clean, problems, strict=True):
        if problem is not None:
            found[number] = (Finding(*problem),)
        else:
            _SURVIVED.add(texts[number])
    return found


def _alone(text: str, timeout_seconds: float) -> tuple[str, str] | None:
    problems = _read([text], timeout_seconds)
    return ("parser_died", "Cedar's parser did not survive this text") if problems is None else problems[0]


def _read(texts: Sequence[str], timeout_seconds: float) -> list[tuple[str, str] | None] | None:
    """Have a child read texts: per text a code and a message or None; None for all if the child did not come back."""
    try:
        child = subprocess.run(
            [sys.executable, "-m", "policies.untrusted"],
            input=json.dumps(list(texts)).encode(),
            capture_output=True,
            timeout=timeout_seconds,
            env={"PYTHONPATH": os.pathsep.join(sys.path)},  # nothing of ours: no keys, no addresses
            check=False,
        )
        problems = json.loads(child.stdout) if child.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        return None
    if not isinstance(problems, list) or len(problems) != len(texts):
        return None
    return [None if problem is None else ("syntax", str(problem)) for problem in problems]


def _problem(text: str) -> str | None:
    try:
        cedar.parse(text)
    except cedar.PolicyTextError as error:
        return str(error)
    return None


def main() -> None:
    """Be the child: bounded in memory and time, no core dump."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PARSER_SECONDS, PARSER_SECONDS))
    json.dump([_problem(text) for text in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
