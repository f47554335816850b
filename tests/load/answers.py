"""Every answer is looked at once the clock has stopped: whole, the right one, and nobody else's."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ipx.encoding import b64url_bytes
from tests.bench.answers import Faults, require_releases
from tests.bench.calls import Prepared
from tests.bench.load import Volley
from tests.load import marks, mix


@dataclass(frozen=True, slots=True)
class Looked:
    errors: int
    mixed: int
    """Answers that are another call's: of another request, another exchange or another record."""
    bytes: int
    """Of all bodies together."""


def through(calls: Sequence[Prepared], chosen: Sequence[tuple[int, int]], volley: Volley, faults: Faults) -> Looked:
    """Look at what the gateway answered: released, receipt of that very request, record of that very number."""
    before, mixed = faults.count, 0
    released = require_releases(calls, volley, faults)
    errors = faults.count - before
    for raw, one in zip(volley.answers, chosen, strict=True):
        body = raw.partition(b"\r\n\r\n")[2]
        if not body.startswith(b'{"id"'):
            continue
        document = json.loads(body)
        if document.get("outcome") != "released":
            continue
        named = json.loads(b64url_bytes(document["record"].partition(".")[2].partition(".")[0]))["sub"]
        if not named.endswith(f":{marks.number_of(*one)}"):
            mixed += 1
            faults.add(f"asked for {marks.number_of(*one)} and got {named}")
    return Looked(errors, mixed, sum(len(release.body) for release in released))


def direct(chosen: Sequence[tuple[int, int]], volley: Volley, faults: Faults) -> Looked:
    """Look at what the holder's own system answered: the record of that number, whole."""
    errors = mixed = size = 0
    for raw, one in zip(volley.answers, chosen, strict=True):
        head, _, body = raw.partition(b"\r\n\r\n")
        size += len(body)
        if not head.startswith(b"HTTP/1.1 200") or len(body) < mix.MIX[one[0]].bytes // 2:
            errors += 1
            faults.add(f"direct: {head[:60]!r}")
        elif f'number="{marks.number_of(*one)}"'.encode("ascii") not in body:
            mixed += 1
            faults.add(f"direct: asked for {marks.number_of(*one)}")
    return Looked(errors, mixed, size)
