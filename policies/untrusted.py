"""Policy text from outside is read in a child process first.

Cedar's parser can overrun its stack and take its process with it, and no exception would say so.

    python -m policies.untrusted    reads a JSON list of texts, writes a JSON list of problems (null: none)
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence

from policies import cedar
from policies.gate import Finding, gate

PARSER_SECONDS = 10
_MEMORY_BYTES = 1 << 30


def examine(texts: Sequence[str], timeout_seconds: float = PARSER_SECONDS) -> list[tuple[Finding, ...]]:
    """Pass texts through the gate, and those that pass to a parser that may die; one process reads them all.

    Returns:
        For each text what is wrong with it. If the parser dies or takes too long, each text is tried alone.
    """
    found = [gate(text) for text in texts]
    clean = [number for number, findings in enumerate(found) if not findings]
    problems = _read([texts[number] for number in clean], timeout_seconds) if clean else []
    if problems is None and len(clean) == 1:
        problems = [("parser_died", "Cedar's parser did not survive this text")]
    if problems is None:
        problems = [_alone(texts[number], timeout_seconds) for number in clean]
    for number, problem in zip(clean, problems, strict=True):
        if problem is not None:
            found[number] = (Finding(*problem),)
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
