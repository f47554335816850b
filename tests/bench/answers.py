"""Every answer is looked at once the clock has stopped: is it a success, and is it the answer to this very call."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ipx.encoding import b64url, b64url_bytes
from tests.bench.calls import Prepared
from tests.bench.load import Volley

SHOWN = 5
_SERVER_TIMING = re.compile(rb"(?im)^server-timing: *(.*?)\r?$")


class WrongAnswerError(Exception):
    """An answer is not what the call asked for."""


@dataclass
class Faults:
    """What went wrong in a run: counted, the first few in words."""

    count: int = 0
    words: list[str] = field(default_factory=list)

    def add(self, words: str) -> None:
        self.count += 1
        if len(self.words) < SHOWN:
            self.words.append(words)


@dataclass(frozen=True, slots=True)
class Release:
    """A released answer as it came."""

    body: bytes
    spent_ms: dict[str, float]
    """By stage, as the header Server-Timing says: to the very end, where `timing_ms` in the body ends at the commit."""


def require_plain(calls: Sequence[Prepared], volley: Volley, faults: Faults) -> list[Release]:
    for raw in volley.answers:
        _kept(lambda raw=raw: _body(raw), "bare", faults)
    return []


def require_tokens(calls: Sequence[Prepared], volley: Volley, faults: Faults) -> list[Release]:
    """Count as a fault what is no token of its own."""
    seen: set[str] = set()
    for raw in volley.answers:
        document = _kept(lambda raw=raw: json.loads(_body(raw)), "token", faults)
        if document is None:
            continue
        token = document.get("access_token")
        if document.get("token_type") != "DPoP" or not token or token in seen:
            faults.add(f"token: {str(document)[:200]}")
        seen.add(token)
    return []


def require_releases(calls: Sequence[Prepared], volley: Volley, faults: Faults) -> list[Release]:
    """Give the released answers; whatever is no release of the very request that was sent is a fault."""
    good: list[Release] = []
    seen: set[str] = set()
    for call, raw in zip(calls, volley.answers, strict=True):
        release = _kept(lambda call=call, raw=raw: _released(call, raw, seen), "exchange", faults)
        if release is not None:
            good.append(release)
    return good


def _kept(look, what: str, faults: Faults):
    try:
        return look()
    except (WrongAnswerError, ValueError, KeyError) as error:
        faults.add(f"{what}: {type(error).__name__}: {error}")
        return None


def _released(call: Prepared, raw: bytes, seen: set[str]) -> Release:
    body = _body(raw)
    document = json.loads(body)
    receipt = json.loads(b64url_bytes(document["receipt"].split(".")[1]))
    own_hash = b64url(hashlib.sha256(call.body.encode("ascii")).digest())
    claims = {
        "the outcome is released": document["outcome"] == "released",
        "it carries the request that was sent": document["request"] == call.body,
        "its receipt is of that request": receipt["req_hash"] == own_hash,
        "its receipt is of this exchange": receipt["jti"] == document["id"],
        "its exchange is nobody else's": document["id"] not in seen,
    }
    seen.add(document["id"])
    broken = [claim for claim, holds in claims.items() if not holds]
    if broken:
        raise WrongAnswerError(f"{document['id']}: it does not hold that {', '.join(broken)}")
    return Release(body, _server_timing(raw.partition(b"\r\n\r\n")[0]))


def _server_timing(head: bytes) -> dict[str, float]:
    """Read `auth;dur=1.5, policy;dur=2.1`."""
    header = _SERVER_TIMING.search(head)
    if header is None:
        raise WrongAnswerError("the answer does not say how long its stages took")
    entries = (entry.strip().partition(";dur=") for entry in header[1].decode("ascii").split(","))
    return {stage: float(spent) for stage, _, spent in entries}


def _body(raw: bytes) -> bytes:
    head, _, body = raw.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1]
    if status != b"200":
        raise WrongAnswerError(f"HTTP {status.decode()}: {body[:300].decode('utf-8', 'replace')}")
    return body
