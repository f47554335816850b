"""What goes into the log and what comes back."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from ipx.values import value


@value
class Leaf:
    """One entry to be logged. `step_id` says of what, and makes sure that it is logged once."""

    step_id: str
    """`exchange:<id>:pending`, `exchange:<id>:final`, `act:<id>`, `event:<id>`."""
    entry: bytes
    then: Callable[[Connection], None] | None = None
    """Writes what belongs to this entry, in the transaction that logs it.

    It runs in the log's own thread, after other callers' and before the commit: statements only, no waiting. It may run
    twice (the first time rolled back) where a neighbour of its batch fails. Where it is a `Joint`, all of its kind in
    a batch run together.
    """


@value
class Logged:
    """Where a leaf stands, committed and published: what a receipt's reader needs to check that it is logged."""

    index: int
    """In the tree of its shard."""
    size: int
    """Of the tree that `checkpoint_note` signs: the first one published with this leaf in it."""
    checkpoint_note: str
    proof: tuple[bytes, ...]
    """Inclusion proof of `index` in `size` (RFC 9162), hashes of 32 bytes from the leaf upwards."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A leaf that stands once the caller's transaction commits."""

    index: int
    """Its position among the entries of all shards."""
