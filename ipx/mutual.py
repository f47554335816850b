"""Mutual logs: what a client kept compared with what the gateway lists, and both with the log.

An agency that keeps its receipts needs no trust in the gateway's memory. A receipt that was given and is listed no
more, one that was listed and never given, two receipts for one exchange, a receipt that is not in the log, a log that
is no continuation of the one seen before: each is a difference, told in a sentence.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ipx import jws
from ipx.client import Client
from ipx.commitment import entry, receipt_commitment
from ipx.documents import RECEIPT_TYP, Receipt
from ipx.encoding import b64url_bytes
from ipx.errors import EvidenceError, FormatError, NoteError, ProofError
from ipx.journal import Journal, JournalError, Kept, kept_of_line
from ipx.listing import Listed, Place
from ipx.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from ipx.note import Checkpoint, open_checkpoint
from ipx.problems import NotFoundError
from ipx.tiles import TileReader
from ipx.trust import Trust


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which the two sides do not agree."""

    kind: str
    """`missing_there` `missing_here` `differing` `unsigned` `not_logged` `log_inconsistent`."""
    exchange: str | None
    sentence: str


@dataclass(slots=True)
class Findings:
    """What a comparison found."""

    kept: int = 0
    """Receipts in the journal, as it was."""
    listed: int = 0
    proved: int = 0
    """Receipts found in the log, at their places."""
    taken: int = 0
    """Receipts taken over from the gateway's list into the journal."""
    erased: int = 0
    """Exchanges of the list whose tie to the log was destroyed, with notice in the log."""
    elsewhere: int = 0
    """Kept receipts of another log than the trust list's, which this comparison does not reach."""
    log_size: int = 0
    seen_before: int | None = None
    """Size of the log when it was last compared."""
    differences: list[Difference] = field(default_factory=list)

    def differ(self, kind: str, exchange: str | None, sentence: str) -> None:
        self.differences.append(Difference(kind, exchange, sentence))


def compare(
    client: Client, journal: Journal, trust: Trust, *, now: Callable[[], datetime], adopt: bool = False
) -> Findings:
    """Compare a client's journal with the gateway's lists of both sides, and each receipt with the log.

    What the gateway lists of other clients, and of the side on which the agency was asked, is taken into the journal,
    so that the next comparison misses it if it is gone.

    Args:
        client: signed in at the gateway.
        journal: what was kept. The checkpoint in it moves forward where the log is consistent.
        trust: whose signatures count.
        now: tells the present.
        adopt: take what is missing here into the journal as well, after saying so.

    Raises:
        ClientError: the gateway cannot be asked, or the journal cannot be read.
    """
    return _Comparison(client, journal, trust, now).run(adopt=adopt)


class _Comparison:
    def __init__(self, client: Client, journal: Journal, trust: Trust, now: Callable[[], datetime]) -> None:
        self._client = client
        self._journal = journal
        self._trust = trust
        self._now = now
        self._found = Findings()

    def run(self, *, adopt: bool) -> Findings:
        found = self._found
        kept = self._kept_once(self._journal.read())
        listed = {line.exchange: line for line in self._listed()}
        found.kept, found.listed = len(kept), len(listed)
        # The checkpoint last: whatever was listed or answered before is published by now.
        note = self._client.log_file(self._trust.log.origin, "checkpoint").decode("utf-8", "replace")
        head = self._head(note)
        tree = None
        if head is not None:
            found.log_size = head.size
            tree = _Tree(head, self._fetch)
            if self._is_continued(tree, note):
                self._journal.keep_checkpoint(note)
        own = {self._client.client_id, *(item.client for item in kept.values() if item.was_given)}
        for item in kept.values():
            self._compare(item, listed.get(item.exchange))
            self._prove(item.exchange, item.receipt, item.place, tree)
        self._journal.add([*self._new(listed, kept, own, tree, adopt=adopt)])
        return found

    def _kept_once(self, items: list[Kept]) -> dict[str, Kept]:
        kept: dict[str, Kept] = {}
        for item in items:
            if kept.setdefault(item.exchange, item).receipt != item.receipt:
                self._found.differ(
                    "differing",
                    item.exchange,
                    f"Exchange {item.exchange}: you were given two different receipts, on "
                    f"{kept[item.exchange].seen_at} and on {item.seen_at}.",
                )
        return kept

    def _listed(self) -> Iterator[Listed]:
        yield from self._client.exchanges("holder")
        yield from self._client.exchanges("requester")

    def _fetch(self, path: str) -> bytes:
        try:
            return self._client.log_file(self._trust.log.origin, path)
        except NotFoundError as error:
            raise LookupError(path) from error

    def _head(self, note: str) -> Checkpoint | None:
        """Open the fresh checkpoint; witnesses may be still to come for it."""
        policy = replace(self._trust.log, quorum=0)
        try:
            return open_checkpoint(note, policy, now=self._now()).checkpoint
        except NoteError as error:
            self._found.differ("log_inconsistent", None, f"The gateway's checkpoint of its log does not hold. {error}")
            return None

    def _is_continued(self, tree: "_Tree", note: str) -> bool:
        """Check that the log begins with the one that was seen last."""
        before = self._journal.checkpoint()
        if before is None:
            return True
        try:
            last = Checkpoint.parse(before.partition("\n\n")[0] + "\n")
        except NoteError as error:
            raise JournalError(f"the checkpoint that was kept here was changed: {error}") from error
        try:
            if last.origin != tree.head.origin:
                return True  # another log has taken over; the old one was compared while it grew
            self._found.seen_before = last.size
            tree.require_extension(last)
        except EvidenceError as error:
            path = self._journal.keep_checkpoint(note, name=f"checkpoint.conflict-{tree.head.size}")
            self._found.differ(
                "log_inconsistent",
                None,
                f"The log of {tree.head.size} entries that the gateway shows now is no continuation of the one you saw "
                f"last: entries were changed or taken out. {error} The two signed checkpoints prove it: "
                f"{path} and the file checkpoint beside it.",
            )
            return False
        return True

    def _compare(self, item: Kept, line: Listed | None) -> None:
        if line is None:
            self._found.differ(
                "missing_there",
                item.exchange,
                f"Exchange {item.exchange}: the gateway does not list it; you have its receipt since {item.seen_at}.",
            )
        elif line.receipt != item.receipt:
            self._found.differ(
                "differing",
                item.exchange,
                f"Exchange {item.exchange}: the gateway now shows another receipt than the one you were given on "
                f"{item.seen_at}.",
            )
        elif line.place is not None and line.place != item.place:
            self._found.differ(
                "differing",
                item.exchange,
                f"Exchange {item.exchange}: the gateway now names another log entry than the one you were shown.",
            )

    def _new(
        self,
        listed: Mapping[str, Listed],
        kept: Mapping[str, Kept],
        own: set[str],
        tree: "_Tree | None",
        *,
        adopt: bool,
    ) -> Iterator[Kept]:
        for line in listed.values():
            if line.place is None:
                self._found.erased += 1
            if line.exchange in kept:
                continue
            is_ours = line.client in own
            if is_ours:
                self._found.differ(
                    "missing_here",
                    line.exchange,
                    f"Exchange {line.exchange}: the gateway lists it as asked by your client {line.client} at "
                    f"{line.received_at}, and your journal lacks it: the answer never arrived, it was asked without "
                    "--store, or somebody else has the client's key.",
                )
            if line.place is None or (tree is not None and line.place.index >= tree.head.size):
                continue  # erased, or so fresh that the checkpoint does not hold it yet
            if self._prove(line.exchange, line.receipt, line.place, tree) and (adopt or not is_ours):
                self._found.taken += 1
                yield kept_of_line(line, line.place, self._now())

    def _prove(self, exchange: str, token: str, place: Place, tree: "_Tree | None") -> bool:
        """Check a receipt's signature, what the log's entry commits to, and that the entry is in the log."""
        try:
            verified = jws.verify(token, self._trust, roles=frozenset({"gateway"}), typ=RECEIPT_TYP)
            receipt = Receipt.read(token, verified.payload)
            if receipt.exchange != exchange:
                raise FormatError("It is of another exchange.")
        except EvidenceError as error:
            self._found.differ("unsigned", exchange, f"Exchange {exchange}: its receipt does not hold. {error}")
            return False
        if receipt.log != self._trust.log.origin:
            self._found.elsewhere += 1
            return True
        if tree is None:
            return False
        try:
            tree.require_entry(receipt, place)
        except EvidenceError as error:
            self._found.differ(
                "not_logged",
                exchange,
                f"Exchange {exchange}: its receipt is not at place {place.index} of the gateway's log. {error}",
            )
            return False
        self._found.proved += 1
        return True


class _Tree:
    """The log under one checkpoint, read from its tiles."""

    def __init__(self, head: Checkpoint, fetch: Callable[[str], bytes]) -> None:
        self.head = head
        self._node = TileReader(fetch, head.size)

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
