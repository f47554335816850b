"""Records under a signature: sealed here for a holder that cannot sign, or checked where the holder signs itself."""

import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from gateway.clock import Clock
from gateway.evidence.errors import ForeignSealError
from gateway.evidence.keys import HolderKeys
from ipx.documents import RECORD_TYP
from ipx.errors import EvidenceError
from ipx.jws import Json
from ipx.sdjwt import Issued, Presentation, issue, verify

CACHED_RECORDS: Final = 2048
CACHED_BYTES: Final = 16 << 20
"""Of their texts together; what is derived from them takes about three times as much beside it."""
LARGEST_SHARE: Final = 4
"""A record of more than one part in so many is sealed anew each time: kept, it would push out many others."""
CACHED_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    record: Issued | Presentation
    bytes: int
    beside: dict[Hashable, Any] = field(default_factory=dict)


class Seals:
    """Signs an unchanged record once and checks an unchanged signed record once, as long as it stays in memory."""

    def __init__(
        self,
        keys: HolderKeys,
        clock: Clock,
        *,
        cached_records: int = CACHED_RECORDS,
        cached_bytes: int = CACHED_BYTES,
        cached_seconds: float = CACHED_SECONDS,
    ) -> None:
        """Take the holders' keys.

        Args:
            keys: seals and holders' own public keys.
            clock: dates what is sealed.
            cached_records: how many records are kept; the one not used for longest goes.
            cached_bytes: how many bytes of them together; a record of more than a quarter of that is not kept.
            cached_seconds: for how long; a seal never says an older time than this.
        """
        self._keys = keys
        self._clock = clock
        self._cached_records = cached_records
        self._cached_bytes = cached_bytes
        self._cached_seconds = cached_seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, bytes], _Kept] = OrderedDict()
        self._bytes = 0

    def seal(
        self, holder: str, digest: bytes, claims: Mapping[str, Json], hidden: Collection[str], *, decoys: int = 0
    ) -> Issued:
        """Seal a record for a holder that cannot sign.

        It says "this is what the gateway fetched then", never "the office vouches for it": `sealed_by` is `gateway`.

        Args:
            holder: its agency code; becomes `iss`.
            digest: of everything the claims are made from (the holder's bytes, mapping, schema version). The same
                digest gives the same sealed record, with the times of its first sealing.
            claims: the record with its clear envelope and `sub`; `iss`, `iat` and `sealed_by` are set here.
            hidden: the top-level members that become disclosures.
            decoys: digests of nothing, so that an absent field looks like a withheld one.

        Raises:
            ipx.errors.FormatError: the record breaks RFC 9901 (a reserved name, a hidden envelope claim).
        """
        signer = self._keys.seal(holder)
        place = (signer.kid, digest)
        kept = self._find(place)
        if isinstance(kept, Issued):
            return kept
        now = int(self._clock().timestamp())
        whole = {**claims, "iss": holder, "iat": now, "sealed_by": "gateway"}
        record = issue(whole, [(name,) for name in hidden], signer, typ=RECORD_TYP, decoys=decoys)
        self._keep(place, record)
        return record

    def beside(self, holder: str, digest: bytes) -> dict[Hashable, Any] | None:
        """Give a place for what is derived from a record sealed here: it is forgotten with the record.

        None where no seal of this digest that still counts is in memory.
        """
        kept = self._kept_at((self._keys.seal(holder).kid, digest))
        return kept.beside if kept is not None else None

    def verify(self, holder: str, record_id: str, token: str) -> Presentation:
        """Check a record that its holder signed itself.

        Raises:
            ForeignSealError: not signed by a live key of this holder, not the record asked for, not valid now, or it
                breaks RFC 9901.
        """
        now = self._clock()
        place = ("", sha256(token.encode("utf-8", "surrogatepass")).digest())
        try:
            kept = self._find(place)
            if not isinstance(kept, Presentation) or not self._still_holds(kept):
                kept = verify(token, self._keys.ring(), roles=frozenset({"holder"}), typ=RECORD_TYP, at=now)
                self._keep(place, kept)
        except EvidenceError as error:
            raise ForeignSealError(str(error)) from error
        key = kept.key
        if key.revoked_at is not None or (key.valid_until is not None and key.valid_until <= now):
            raise ForeignSealError(f"the holder's key {key.kid} has ended")
        claims = kept.claims
        if (claims.get("iss"), claims.get("sub"), claims.get("sealed_by")) != (holder, record_id, "holder"):
            raise ForeignSealError("the holder signed another record, or does not say that it is its own signature")
        return kept

    def forget(self) -> None:
        """Drop all records kept in memory: after an erasure."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _still_holds(self, record: Presentation) -> bool:
        ends = record.claims.get("exp")
        is_valid = not isinstance(ends, int) or ends > self._clock().timestamp()
        return is_valid and self._keys.ring().key(frozenset({"holder"}), record.key.kid) == record.key

    def _find(self, place: tuple[str, bytes]) -> Issued | Presentation | None:
        kept = self._kept_at(place)
        return kept.record if kept is not None else None

    def _kept_at(self, place: tuple[str, bytes]) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(place)
            if kept is None:
                return None
            if kept.until < time.monotonic():
                self._drop(place)
                return None
            self._kept.move_to_end(place)
            return kept

    def _keep(self, place: tuple[str, bytes], record: Issued | Presentation) -> None:
        size = len(record.jwt) + sum(map(len, record.disclosures.values()))
        if size * LARGEST_SHARE > self._cached_bytes:
            return
        with self._lock:
            self._drop(place)
            self._kept[place] = _Kept(time.monotonic() + self._cached_seconds, record, size)
            self._bytes += size
            while len(self._kept) > self._cached_records or self._bytes > self._cached_bytes:
                self._drop(next(iter(self._kept)))

    def _drop(self, place: tuple[str, bytes]) -> None:
        dropped = self._kept.pop(place, None)
        if dropped is not None:
            self._bytes -= dropped.bytes
