"""ASiC-E containers (ETSI EN 319 162-1): the files of a bundle, signed as a whole by a seal certificate (CAdES).

| file | holds |
|---|---|
| `mimetype` | `application/vnd.etsi.asic-e+zip`; the first one, stored |
| `META-INF/ASiCManifest001.xml` | SHA-256 of each file of the bundle |
| `META-INF/signature001.p7s` | the CAdES signature over that manifest, detached |

Here the files are judged as those of a bundle are. The container's own signature is not: it rests on certificates of
public authorities, and tools of theirs check it (`openssl cms -verify -cades`; docs/auditors.md).
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from ipx import container, storedzip
from ipx.encoding import b64
from ipx.errors import FormatError

MEDIA_TYPE: Final = "application/vnd.etsi.asic-e+zip"
MIMETYPE: Final = storedzip.FIRST
MANIFEST: Final = "META-INF/ASiCManifest001.xml"
SIGNATURE: Final = "META-INF/signature001.p7s"

_PREFIX: Final = b"PK\x03\x04"
_NAME_AT: Final = 30
_MEDIA_TYPES: Final = {"json": "application/json", "jws": "application/jose", "zip": "application/zip"}


def is_container(data: bytes) -> bool:
    """Tell a container from a bundle by its first file, as ASiC means it."""
    return data.startswith(_PREFIX) and data[_NAME_AT:].startswith(
        MIMETYPE.encode("ascii") + MEDIA_TYPE.encode("ascii")
    )


def manifest(members: Mapping[str, bytes]) -> bytes:
    """Write the manifest that the signature is over; the same files give the same bytes.

    Args:
        members: the files of a bundle, its own manifest among them.
    """
    references = "".join(
        f'  <asic:DataObjectReference URI="{name}" MimeType="{_media_type(name)}">\n'
        '    <ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>\n'
        f"    <ds:DigestValue>{b64(hashlib.sha256(data).digest())}</ds:DigestValue>\n"
        "  </asic:DataObjectReference>\n"
        for name, data in sorted(members.items())
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" '
        'xmlns:ds="http://www.w3.org/2000/09/xmldsig#">\n'
        f'  <asic:SigReference URI="{SIGNATURE}" MimeType="application/pkcs7-signature"/>\n'
        f"{references}</asic:ASiCManifest>\n"
    ).encode("ascii")


def pack(members: Mapping[str, bytes], signature: bytes) -> bytes:
    """Pack a container.

    Args:
        members: the files of a bundle, its own manifest among them.
        signature: CAdES (DER), detached, over `manifest(members)`.

    Raises:
        FormatError: a file is too large.
    """
    own = {MIMETYPE: MEDIA_TYPE.encode("ascii"), MANIFEST: manifest(members), SIGNATURE: signature}
    return storedzip.write({**members, **own})


def unpack(data: bytes) -> dict[str, bytes]:
    """Unpack the bundle's files; both manifests are checked, the signature is not.

    Raises:
        FormatError: not a container byte for byte as `pack` gives it, around a bundle's files.
    """
    members = storedzip.read(data)
    media_type, stated, signature = (members.pop(name, b"") for name in (MIMETYPE, MANIFEST, SIGNATURE))
    if media_type != MEDIA_TYPE.encode("ascii") or not signature:
        raise FormatError("This is not an ASiC-E container, or it is not signed.")
    if stated != manifest(members):
        raise FormatError("The container's signed manifest does not fit its files.")
    return container.checked(members)


def _media_type(name: str) -> str:
    return _MEDIA_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
