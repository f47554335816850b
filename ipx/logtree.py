"""One shard of a log under one signed checkpoint, read from its tiles and proved against the checkpoint's root."""

from collections.abc import Callable
from functools import partial

from ipx.commitment import entry, receipt_commitment
from ipx.documents import Receipt
from ipx.encoding import b64url_bytes
from ipx.errors import ProofError
from ipx.listing import Place
from ipx.merkle import EMPTY_ROOT, consistency_proof, inclusion_proof, leaf_hash, verify_consistency, verify_inclusion
from ipx.note import Checkpoint
from ipx.tiles import TileReader


class LogTree:
    def __init__(self, head: Checkpoint, fetch: Callable[[str, str], bytes]) -> None:
        """Read a tree.

        Args:
            head: the checkpoint, whose signature the caller has checked.
            fetch: gives the bytes of a log's file, by the log's origin and the path below it; raises `LookupError`
                where there is none.
        """
        self.head = head
        self._node = TileReader(partial(fetch, head.origin), head.size)

    def require_extension(self, last: Checkpoint) -> None:
        """Check that the tree begins with an earlier one.

        Raises:
            ProofError: it does not.
        """
        if last.size > self.head.size:
            raise ProofError(f"It has {self.head.size} entries, and had {last.size}.")
        if last.size == 0:
            if last.root != EMPTY_ROOT:
                raise ProofError("An empty log had entries.")
            return
        proof = consistency_proof(self._node, last.size, self.head.size)
        verify_consistency(last.size, self.head.size, proof, last.root, self.head.root)

    def require_entry(self, receipt: Receipt, place: Place) -> None:
        """Check that the entry at a place commits to a receipt.

        Raises:
            EvidenceError: it does not, or there is no such place.
        """
        req_hash, rec_hash = b64url_bytes(receipt.req_hash), b64url_bytes(receipt.rec_hash)
        committed = receipt_commitment(b64url_bytes(place.salt), req_hash, rec_hash, receipt.token)
        expected = entry(committed, receipt.outcome, receipt.issued_at)
        if expected != place.entry.encode():
            raise ProofError("The entry commits to something else.")
        proof = inclusion_proof(self._node, place.index, self.head.size)
        verify_inclusion(place.index, self.head.size, leaf_hash(expected), proof, self.head.root)
