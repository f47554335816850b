"""Packing and unpacking the files of a bundle: which there may be, the manifest over them, the zip around them."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Final

from ipx import storedzip
from ipx.errors import FormatError
from ipx.jws import dump_json

REQUEST: Final = "request.jws"
RECEIPT: Final = "receipt.jws"
RECORD: Final = "record.sd-jwt"
OPENING: Final = "opening.json"
ENTRY: Final = "entry.json"
PROOF: Final = "proof.tlog-proof"
TIMESTAMP: Final = "checkpoint.tsr"
PENDING: Final = "pending.zip"
ERASED: Final = "erased.json"
MANIFEST: Final = "manifest.json"

REQUIRED: Final = frozenset({REQUEST, RECEIPT, OPENING, ENTRY, PROOF})
_OPTIONAL: Final = frozenset({RECORD, TIMESTAMP, PENDING, ERASED})


def pack(members: Mapping[str, bytes]) -> bytes:
    """Pack the files of a bundle; the same files give the same bytes.

    Raises:
        FormatError: a file is missing, larger than 15 MiB, or has no place in a bundle.
    """
    return storedzip.write(with_manifest(members))


def with_manifest(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Add the manifest to the files of a bundle.

    Raises:
        FormatError: a file is missing or has no place in a bundle.
    """
    require_names(members)
    return {**members, MANIFEST: _manifest(members)}


def unpack(data: bytes) -> dict[str, bytes]:
    """Unpack a bundle into its files without the manifest, which is checked.

    Raises:
        FormatError: not a bundle byte for byte as `pack` gives it.
    """
    return checked(storedzip.read(data))


def checked(whole: Mapping[str, bytes]) -> dict[str, bytes]:
    """Take the files of a bundle out of all that lies beside its manifest, which is checked.

    Raises:
        FormatError: the manifest is missing or does not fit, or the files are not those of a bundle.
    """
    members = {name: data for name, data in whole.items() if name != MANIFEST}
    if whole.get(MANIFEST) != _manifest(members):
        raise FormatError("The bundle's manifest does not fit its files: a file was changed, added or taken out.")
    require_names(members)
    return members


def require_names(names: Collection[str]) -> None:
    """Check that the files are those of a bundle, none missing and none beside them.

    Raises:
        FormatError: they are not.
    """
    missing, foreign = REQUIRED.difference(names), set(names) - REQUIRED - _OPTIONAL
    if missing or foreign:
        lacks, has = (", ".join(sorted(some)) or "nothing" for some in (missing, foreign))
        raise FormatError(f"The evidence is not whole: it lacks {lacks}; beside its own files it holds {has}.")


def _manifest(members: Mapping[str, bytes]) -> bytes:
    return dump_json({name: hashlib.sha256(data).hexdigest() for name, data in sorted(members.items())})
