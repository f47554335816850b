"""What a checkpoint must carry before evidence may rest on it, and the first one that carries it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ipx.errors import NoteError
from ipx.note import InclusionProof, NoteKey, open_note

STAMP_SECONDS: Final = 60
"""Between two time-stamps, where the log grows."""
COSIGN_SECONDS: Final = 1
"""Between two rounds of the witnesses, where the log grows."""


@dataclass(frozen=True, slots=True)
class Demands:
    """As the trust list in force says: cosignatures of `quorum` of the `witnesses`, an authority's time-stamp."""

    witnesses: frozenset[NoteKey] = frozenset()
    quorum: int = 0
    is_stamped: bool = False

    def cosignatures(self, note: str) -> int:
        """Count the witnesses that cosigned a checkpoint; a note with a bad cosignature counts for nothing."""
        try:
            return len(open_note(note, self.witnesses).valid) if self.witnesses else 0
        except NoteError:
            return 0


@dataclass(frozen=True, slots=True)
class Provable:
    """A leaf under the first checkpoint that has all that is demanded."""

    origin: str
    proof: InclusionProof
    """With the checkpoint as cosigned; `proof.text()` is a bundle's `proof.tlog-proof`."""
    size: int
    """Of the checkpoint's tree."""
    timestamp: bytes | None
    """The authority's reply over the checkpoint's bytes: a bundle's `checkpoint.tsr`. None where none is demanded."""


@dataclass(frozen=True, slots=True)
class NotYetProvable:
    """Cosignatures or a time-stamp are still missing; evidence waits for them and is not made weaker."""

    ready_at: datetime
    """About when; later where witnesses or the authority are down."""
