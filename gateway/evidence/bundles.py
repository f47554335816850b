"""Bundles: all that proves one exchange, for whoever checks it offline years later (the format is `ipx.bundle`'s)."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from gateway.clock import Clock
from gateway.evidence.demands import NotYetProvable
from gateway.evidence.errors import NotYetProvableError
from gateway.evidence.published import PublishedShards
from ipx import bundle, container
from ipx.encoding import b64url, b64url_bytes
from ipx.jws import dump_json, parse_object
from ipx.sdjwt import digest


@dataclass(frozen=True, slots=True)
class Documents:
    """What is kept of one exchange, or of the step by which it became pending."""

    request: str
    receipt: str
    presentation: str | None
    """The record with the fields that are still kept; None where nothing was released."""
    salt: bytes
    entry: bytes
    step_id: str
    """Of its leaf."""
    prior: "Documents | None" = None
    """Of the pending step, where the receipt ends one."""


class Bundles:
    def __init__(self, published: PublishedShards, documents: Callable[[str], Documents], clock: Clock) -> None:
        """Take where exchanges and checkpoints are kept.

        Args:
            published: proves leaves under published checkpoints.
            documents: gives what is kept of an exchange; raises `ErasedError` where that was erased.
            clock: says how long there is to wait.
        """
        self._published = published
        self._documents = documents
        self._clock = clock

    def build(self, exchange_id: str) -> bytes:
        """Pack the bundle of a finished exchange. Later ones may rest on another checkpoint or lack erased fields.

        Raises:
            NotYetProvableError: the trust list demands cosignatures or a time-stamp that no checkpoint has yet.
            ErasedError: the exchange was erased.
        """
        return bundle.write(self.members(exchange_id))

    def members(self, exchange_id: str) -> dict[str, bytes]:
        """Give the files of the bundle. Raises as `build` does."""
        return self._members(self._documents(exchange_id))

    def _members(self, documents: Documents) -> dict[str, bytes]:
        found = self._published.provable(documents.step_id)
        if isinstance(found, NotYetProvable):
            wait = max(1, ceil((found.ready_at - self._clock()).total_seconds()))
            raise NotYetProvableError(f"{documents.step_id} is not provable yet", found.ready_at, wait_seconds=wait)
        members = {
            container.REQUEST: documents.request.encode("ascii"),
            container.RECEIPT: documents.receipt.encode("ascii"),
            container.OPENING: dump_json({"salt": b64url(documents.salt)}),
            container.ENTRY: documents.entry,
            container.PROOF: found.proof.text().encode(),
        }
        if found.timestamp is not None:
            members[container.TIMESTAMP] = found.timestamp
        if documents.prior is not None:
            members[container.PENDING] = bundle.write(self._members(documents.prior))
        if documents.presentation is not None:
            members[container.RECORD] = documents.presentation.encode("ascii")
            erased = _handed_over(documents.receipt) - _still_kept(documents.presentation)
            if erased:
                members[container.ERASED] = dump_json([*sorted(erased)])
        return members


def _handed_over(receipt: str) -> frozenset[str]:
    """Read the digests of all disclosed fields from a receipt of our own."""
    disclosed = parse_object(b64url_bytes(receipt.split(".")[1]))["disclosed"]
    return frozenset(map(str, disclosed)) if isinstance(disclosed, list) else frozenset()


def _still_kept(presentation: str) -> frozenset[str]:
    lines = (line.split("~")[1:-1] for line in presentation.split("\n"))
    return frozenset(digest(disclosure) for line in lines for disclosure in line)
