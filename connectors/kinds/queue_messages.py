"""What messages of a queue bring, and where it is kept: a message is gone from its queue once it was acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from connectors.formats.document import Document
from connectors.mapping import RecordMapping
from connectors.quarantine import Reason, UnreadableError


@dataclass(frozen=True, slots=True)
class Delivered:
    """One record, or notice of deletion, that a message brought.

    `key` is None where it cannot be filed under one: it is kept apart until it was quarantined. Message brokers deliver
    more than once and not in order, so `revised` decides which of two is the present state.
    """

    key: str | None
    revised: datetime | None
    is_deleted: bool
    raw: bytes = field(repr=False)
    position: int = 0
    findings: tuple[Reason, ...] = ()

    @property
    def content(self) -> bytes:
        """Digest of what was delivered: the same again is no change."""
        return sha256(f"{self.position}:{self.is_deleted}:".encode() + self.raw).digest()


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery as it is kept. `number` counts what a source was given, each version anew."""

    number: int
    delivered: Delivered


class Deliveries(Protocol):
    """Where deliveries are kept; the gateway hands it in."""

    def file(self, source: str, delivered: Sequence[Delivered]) -> None:
        """Keep them all, or none. They outlive a crash once this has returned: then the queue forgets them."""
        ...

    def find(self, source: str, key: str) -> Kept | None: ...

    def after(self, source: str, number: int, limit: int) -> Sequence[Kept]:
        """What came after a number, in order: the newest version of each record, and what has no key."""
        ...

    def settled(self, source: str, number: int) -> None:
        """Let go what has no key, up to a number: it was quarantined."""
        ...

    def newest(self, source: str) -> datetime | None: ...


def filed(known: Delivered | None, new: Delivered) -> Delivered | None:
    """Decide what a delivery does to what is known of its record; None: nothing, it came before.

    What comes back without key is kept apart, beside the record; with key it takes the record's place.
    """
    if new.key is None or known is None:
        return new
    if known.content == new.content:
        return None
    if new.revised is not None and known.revised is not None and new.revised > known.revised:
        return new
    if new.revised == known.revised:
        # Two states of the same instant: neither is served until a later one says which was true.
        return replace(new, findings=(Reason.DUPLICATE_IN_BATCH,))
    return replace(new, key=None, findings=(Reason.OLDER_REVISION,))


def read_message(mapping: RecordMapping, raw: bytes) -> list[Delivered]:
    """Read the keys of what one message brings, without mapping the rest of it. Nothing in it is lost."""
    try:
        document: Document = mapping.format.parse(raw)
    except UnreadableError:
        return [Delivered(None, None, is_deleted=False, raw=raw)]
    brought = [
        _delivered(mapping, raw, node, position, is_deleted=is_deleted)
        for is_deleted, nodes in ((False, document.records()), (True, document.deleted()))
        for position, node in enumerate(nodes)
    ]
    if not brought and not document.says_absent:
        brought = [Delivered(None, None, is_deleted=False, raw=raw)]
    return brought


def _delivered(mapping: RecordMapping, raw: bytes, node: object, position: int, *, is_deleted: bool) -> Delivered:
    identity = mapping.identify(node)
    if identity.revised is None or (is_deleted and identity.key is None):  # it could be older than what is known
        return Delivered(None, None, is_deleted, raw, position, (Reason.MISSING_REQUIRED,))
    return Delivered(identity.key, identity.revised, is_deleted, raw, position)
