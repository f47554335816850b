"""Mutual logs: what a client kept compared with what the gateway lists, and both with the log.

An agency that keeps its receipts needs no trust in the gateway's memory. A receipt that was given and is listed no
more, one that was listed and never given, two receipts for one exchange, a receipt that is not in the log, a log that
is no continuation of the one seen before: each is a difference, told in a sentence.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from ipx import jws
from ipx.client import Client
from ipx.documents import RECEIPT_TYP, Receipt
from ipx.encoding import b64url, b64url_bytes
from ipx.errors import EvidenceError, FormatError, NoteError, ProofError
from ipx.journal import Journal, JournalError, Kept, kept_of_line
from ipx.jws import Json, parse_object
from ipx.listing import Listed, Place
from ipx.logtree import LogTree
from ipx.note import Checkpoint, open_checkpoint
from ipx.problems import NotFoundError
from ipx.trust import Trust

Step = tuple[str, bool]
"""An exchange, and whether it is the step by which it became pending: each has a receipt of its own."""

LAG_SECONDS: Final = 300
"""How far the checkpoint shown to everybody may be behind the newest entries."""


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
    fresh: int = 0
    """Receipts too new for the checkpoint that is shown, which may wait for witnesses; next time they count."""
    elsewhere: int = 0
    """Kept receipts of a log that the trust list does not name, which this comparison does not reach."""
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
        # Of each shard that has ended the trust list says how; the one that grows comes with the fresh checkpoint.
        ended = (policy.final for policy in trust.ended)
        self._trees = {final.origin: LogTree(final, self._fetch) for final in ended if final is not None}

    def run(self, *, adopt: bool) -> Findings:
        found = self._found
        kept = self._kept_once(self._journal.read())
        listed = {line.exchange: line for line in self._listed()}
        found.kept, found.listed = len(kept), len(listed)
        # The checkpoint last: whatever was listed or answered before is published by now.
        note = self._client.log_file(self._trust.log.origin, "checkpoint").decode("utf-8", "replace")
        head = self._head(note)
        if head is not None:
            found.log_size = head.size
            self._trees[head.origin] = LogTree(head, self._fetch)
            if self._is_newer(head, note):
                self._journal.keep_checkpoint(note)
        own = {self._client.client_id, *(item.client for item in kept.values() if item.was_given)}
        for item in kept.values():
            self._compare(item, listed.get(item.exchange))
            self._prove(item.exchange, item.receipt, item.place)
        self._journal.add([*self._new(listed, kept, own, adopt=adopt)])
        return found

    def _kept_once(self, items: list[Kept]) -> dict[Step, Kept]:
        kept: dict[Step, Kept] = {}
        for item in items:
            step = (item.exchange, _is_pending(item.receipt))
            if kept.setdefault(step, item).receipt != item.receipt:
                self._found.differ(
                    "differing",
                    item.exchange,
                    f"Exchange {item.exchange}: you were given two different receipts, on "
                    f"{kept[step].seen_at} and on {item.seen_at}.",
                )
        return kept

    def _listed(self) -> Iterator[Listed]:
        yield from self._client.exchanges("holder")
        yield from self._client.exchanges("requester")

    def _fetch(self, origin: str, path: str) -> bytes:
        try:
            return self._client.log_file(origin, path)
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

    def _is_newer(self, head: Checkpoint, note: str) -> bool:
        """Check that the log begins with the one that was seen last, or follows a shard that does.

        Returns:
            whether the fresh checkpoint is the one to remember.
        """
        before = self._journal.checkpoint()
        if before is None:
            return True
        try:
            last = Checkpoint.parse(before.partition("\n\n")[0] + "\n")
        except NoteError as error:
            raise JournalError(f"the checkpoint that was kept here was changed: {error}") from error
        try:
            if last.origin not in self._trees:
                raise ProofError(f"The log {last.origin} that you saw is not among those of the trust list.")
            self._found.seen_before = last.size
            if last.origin == head.origin and last.size > head.size:
                # What is shown to everybody may be a little behind what was shown before: then the later one counts,
                # as long as the gateway still has its tiles.
                later = LogTree(last, self._fetch)
                later.require_extension(head)
                self._trees[last.origin] = later
                return False
            self._trees[last.origin].require_extension(last)
        except EvidenceError as error:
            path = self._journal.keep_checkpoint(note, name=f"checkpoint.conflict-{head.size}")
            self._found.differ(
                "log_inconsistent",
                None,
                f"The log {head.origin} of {head.size} entries that the gateway shows now is no continuation of the "
                f"one you saw last: entries were changed or taken out. {error} The two signed checkpoints prove it: "
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
        elif _is_pending(item.receipt) and not _is_pending(line.receipt):
            if _prior_of(line.receipt) != _hash_of(item.receipt):
                self._found.differ(
                    "differing",
                    item.exchange,
                    f"Exchange {item.exchange}: the gateway now shows an end of it that does not follow the pending "
                    f"receipt you were given on {item.seen_at}.",
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
        kept: Mapping[Step, Kept],
        own: set[str],
        *,
        adopt: bool,
    ) -> Iterator[Kept]:
        for line in listed.values():
            if line.place is None:
                self._found.erased += 1
            if (line.exchange, _is_pending(line.receipt)) in kept:
                continue
            # Who has the pending receipt may not have asked yet how it ended: that is taken, and is no difference.
            is_ours = line.client in own and (line.exchange, True) not in kept
            if is_ours:
                self._found.differ(
                    "missing_here",
                    line.exchange,
                    f"Exchange {line.exchange}: the gateway lists it as asked by your client {line.client} at "
                    f"{line.received_at}, and your journal lacks it: the answer never arrived, it was asked without "
                    "--store, or somebody else has the client's key.",
                )
            if line.place is None:
                continue
            if self._prove(line.exchange, line.receipt, line.place) and (adopt or not is_ours):
                self._found.taken += 1
                yield kept_of_line(line, line.place, self._now())

    def _prove(self, exchange: str, token: str, place: Place) -> bool:
        """Check a receipt's signature, what the log's entry commits to, and that the entry is in the log."""
        try:
            verified = jws.verify(token, self._trust, roles=frozenset({"gateway"}), typ=RECEIPT_TYP)
            receipt = Receipt.read(token, verified.payload)
            if receipt.exchange != exchange:
                raise FormatError("It is of another exchange.")
        except EvidenceError as error:
            self._found.differ("unsigned", exchange, f"Exchange {exchange}: its receipt does not hold. {error}")
            return False
        tree = self._trees.get(receipt.log)
        if tree is None:
            self._found.elsewhere += receipt.log != self._trust.log.origin
            return False
        age_seconds = self._now().timestamp() - receipt.issued_at
        if place.index >= tree.head.size and receipt.log == self._trust.log.origin and age_seconds <= LAG_SECONDS:
            self._found.fresh += 1
            return False
        try:
            tree.require_entry(receipt, place)
        except EvidenceError as error:
            self._found.differ(
                "not_logged",
                exchange,
                f"Exchange {exchange}: its receipt is not at place {place.index} of the log {receipt.log}. {error}",
            )
            return False
        self._found.proved += 1
        return True


def _is_pending(token: str) -> bool:
    """Tell what a receipt says of itself; whether it is signed is judged elsewhere."""
    return _said(token).get("outcome") == "pending"


def _prior_of(token: str) -> Json:
    return _said(token).get("prior")


def _said(token: str) -> Mapping[str, Json]:
    try:
        return parse_object(b64url_bytes(token.split(".")[1]))
    except (FormatError, IndexError):
        return {}


def _hash_of(token: str) -> str:
    return b64url(sha256(token.encode("ascii", "replace")).digest())
