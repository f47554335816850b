"""The bundle: everything that one exchange needs to be verified offline, in a zip.

| file | holds |
|---|---|
| `manifest.json` | SHA-256 (hexadecimal) of every other file |
| `request.jws` `receipt.jws` | the signed request, the signed receipt |
| `record.sd-jwt` | what was handed over, of a query one record on each line; exactly where the outcome is `released` |
| `opening.json` `entry.json` | `{"salt": …}` opens the commitment in the log entry |
| `proof.tlog-proof` | inclusion proof and checkpoint |
| `checkpoint.tsr` | RFC 3161 time-stamp over the checkpoint; exactly where the trust list names an authority |
| `pending.zip` | the bundle of the pending receipt; exactly where the receipt names one |
| `erased.json` | digests of the fields erased since |

Trust material comes from the reader, never from the bundle.
"""

from collections.abc import Mapping
from datetime import datetime

from ipx import container
from ipx.commitment import LoggedOutcome, Outcome, act_commitment, commitment, entry
from ipx.examination import examine
from ipx.report import Report
from ipx.timestamp import verify_timestamp
from ipx.trust import Trust

__all__ = [
    "LoggedOutcome",
    "Outcome",
    "Report",
    "act_commitment",
    "commitment",
    "entry",
    "verify",
    "verify_members",
    "verify_timestamp",
    "write",
]


def write(members: Mapping[str, bytes]) -> bytes:
    """Pack the files of a bundle, the manifest among them; the same files give the same bytes.

    Raises:
        FormatError: a file is missing, larger than 15 MiB, or has no place in a bundle.
    """
    return container.pack(members)


def verify(data: bytes, trust: Trust, *, now: datetime) -> Report:
    """Verify a bundle.

    Args:
        data: the zip, as it was carried.
        trust: what the reader trusts.
        now: the present; nothing in a bundle may be later.

    Raises:
        EvidenceError: the first thing that does not hold, by its kind.
    """
    return examine(container.unpack(data), trust, now=now)


def verify_members(members: Mapping[str, bytes], trust: Trust, *, now: datetime) -> Report:
    """Verify the files of a bundle wherever they come from; `evidence.members_of_answer` gives them too.

    Raises:
        EvidenceError: as `verify`.
    """
    return examine(members, trust, now=now)
