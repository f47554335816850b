"""What the log holds of an exchange: a blind commitment, the outcome and the time. No names, no hashes of content.

Until the salt and the documents are shown, the commitment tells nothing; once the salt is destroyed it never will.
"""

import hashlib
import hmac
from typing import Final, Literal

from ipx.encoding import b64url
from ipx.errors import FormatError
from ipx.jws import dump_json

Outcome = Literal["released", "denied", "pending", "failed", "withdrawn"]
LoggedOutcome = Outcome | Literal["act", "erased", "shard"]

SALT_BYTES: Final = 32

_HASH_BYTES: Final = 32

_EXCHANGE: Final = b"ipx-exchange/v1\x00"
_ACT: Final = b"ipx-act/v1\x00"
_SHARD: Final = b"ipx-shard/v1\x00"


def commitment(salt: bytes, request: str, issuer_jwt: str, receipt: str) -> bytes:
    """Commit to one exchange's three documents, as carried.

    Args:
        salt: exactly 32 random bytes, kept with the exchange and destroyed with it.
        request: the request JWS.
        issuer_jwt: the record before its first `~`; empty where nothing was released.
        receipt: the receipt JWS.

    Returns:
        32 bytes.

    Raises:
        FormatError: another length of salt (HMAC pads: a shorter one would open the same leaf), or a document that is
            not ASCII.
    """
    return _commit(salt, _EXCHANGE, *(_sha256(_ascii(document)) for document in (request, issuer_jwt, receipt)))


def receipt_commitment(salt: bytes, req_hash: bytes, rec_hash: bytes, receipt: str) -> bytes:
    """Commit to the same by the two hashes that a receipt states: who has only the receipt can check its log entry.

    Args:
        salt: as for `commitment`.
        req_hash: SHA-256 of the request.
        rec_hash: SHA-256 of the record before its first `~`, or of nothing.
        receipt: the receipt JWS.

    Raises:
        FormatError: as `commitment`, or a hash that is not of 32 bytes.
    """
    if len(req_hash) != _HASH_BYTES or len(rec_hash) != _HASH_BYTES:
        raise FormatError("A hash in the receipt is not of 32 bytes.")
    return _commit(salt, _EXCHANGE, req_hash, rec_hash, _sha256(_ascii(receipt)))


def act_commitment(salt: bytes, audit_entry: bytes) -> bytes:
    """Commit to an administrative act by its audit entry's bytes.

    Raises:
        FormatError: as `commitment`.
    """
    return _commit(salt, _ACT, _sha256(audit_entry))


def shard_commitment(checkpoint_text: str) -> bytes:
    """Commit to how the shard before ended, in the first entry of a new one. Nothing is hidden, so there is no salt.

    Args:
        checkpoint_text: of its last checkpoint: origin, size, root, a line each.
    """
    return _sha256(_SHARD + checkpoint_text.encode())


def entry(commitment: bytes, outcome: LoggedOutcome, at: int) -> bytes:
    """Write a log entry: `{"c":"…","o":"released","t":1790000000,"v":1}`, members in this order, no spaces.

    Args:
        commitment: 32 bytes.
        outcome: as the receipt has it.
        at: the receipt's `iat`.
    """
    return dump_json({"c": b64url(commitment), "o": outcome, "t": at, "v": 1})


def _commit(salt: bytes, label: bytes, *hashes: bytes) -> bytes:
    if len(salt) != SALT_BYTES:
        raise FormatError(f"The salt of a commitment is not of {SALT_BYTES} bytes.")
    return hmac.digest(salt, label + b"".join(hashes), "sha256")


def _sha256(document: bytes) -> bytes:
    return hashlib.sha256(document).digest()


def _ascii(document: str) -> bytes:
    try:
        return document.encode("ascii")
    except UnicodeEncodeError as error:
        raise FormatError("A signed document is not ASCII.") from error
