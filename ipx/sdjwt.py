"""Records whose fields can be withheld one by one while the holder's signature still verifies (SD-JWT, RFC 9901).

```
<issuer JWT>~<disclosure>~<disclosure>~        a disclosure = base64url of ["salt", "name", value] or ["salt", element]
```
The JWT names each hidden member by the SHA-256 of its disclosure, in `_sd` of an object or as `{"...": digest}` in an
array. Redacting leaves disclosures out; it needs no key. Key binding is not used and a presentation with it is refused.

Stricter than the RFC in one point: whatever says whose record this is and until when must stand in clear. Behind a
disclosure, whoever carries the record could withhold an `exp`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ipx import jws
from ipx.disclosures import CLEAR_CLAIMS, Path, digest, disclose, fresh_salt, hide
from ipx.errors import BindingError, FormatError
from ipx.jws import CLOCK_SKEW_SECONDS, Json, instant
from ipx.keys import KeyFinder, Role, Signer, TrustedKey

__all__ = [
    "CLEAR_CLAIMS",
    "Issued",
    "Path",
    "Presentation",
    "digest",
    "fresh_salt",
    "issue",
    "presentation",
    "redact",
    "verify",
]

MAX_BYTES: Final = 15 << 20
"""An answer of 16 MiB has room for it and its evidence."""
MAX_DISCLOSURES: Final = 1000


@dataclass(frozen=True, slots=True)
class Issued:
    """A record as its issuer made it: the signed JWT and every disclosure."""

    jwt: str
    disclosures: Mapping[Path, str]

    @property
    def token(self) -> str:
        """The presentation that withholds nothing."""
        return presentation(self.jwt, self.disclosures.values())


@dataclass(frozen=True, slots=True)
class Presentation:
    """A record as received: its signature holds, and every disclosure belongs to it."""

    jwt: str
    disclosures: Mapping[Path, str]
    claims: dict[str, Json]
    """What is disclosed, in its place; no trace of what is withheld."""
    withheld: frozenset[str]
    """Digests whose disclosure is not here. Decoys are among them, and nobody can tell which."""
    digests: tuple[str, ...]
    """Digests of the disclosures that are here, sorted."""
    key: TrustedKey


def presentation(jwt: str, disclosures: Iterable[str]) -> str:
    return "~".join((jwt, *disclosures, ""))


def issue(
    claims: Mapping[str, Json],
    hidden: Collection[Path],
    signer: Signer,
    *,
    typ: str,
    decoys: int = 0,
    salt: Callable[[], str] = fresh_salt,
) -> Issued:
    """Sign a record with some members hidden behind disclosures.

    Args:
        claims: the whole record; `iss` must own the signer's key, or nobody will verify it.
        hidden: members and array elements to hide, each by its path; hidden ones may stand inside hidden ones.
        signer: of the holder, or its seal.
        typ: of the issuer JWT.
        decoys: how many digests of nothing are added, so that absence and withholding look alike.
        salt: gives another unguessable text each time.

    Raises:
        FormatError: a path that leads nowhere, a reserved name, a clear claim hidden, a salt given twice.
    """
    payload, disclosures = hide(claims, hidden, decoys=decoys, salt=salt)
    return Issued(jws.sign(payload, signer, typ=typ), disclosures)


def verify(token: str, keys: KeyFinder, *, roles: frozenset[Role], typ: str, at: datetime | None) -> Presentation:
    """Check a presentation: its issuer's signature, then that every disclosure is one the issuer signed, in its place.

    Args:
        token: `<JWT>~<disclosure>~…~`.
        keys: who vouches for which key.
        roles: the roles whose keys may sign.
        typ: of the issuer JWT.
        at: the moment at which the record must be valid; None where that is not the question.

    Raises:
        FormatError: breaks a rule of RFC 9901, section 7.1, or of this module's own.
        SignatureError: as `jws.verify`.
        BindingError: not valid at that moment.
    """
    if len(token) > MAX_BYTES:
        raise FormatError("A record is larger than 15 MiB.")
    jwt, *disclosures = token.split("~")
    if not disclosures or disclosures.pop():
        raise FormatError("A record does not end in ~: it is cut off, or something is bound to it that has no place.")
    if len(disclosures) > MAX_DISCLOSURES:
        raise FormatError(f"A record has more than {MAX_DISCLOSURES} disclosures.")
    verified = jws.verify(jwt, keys, roles=roles, typ=typ)
    found = disclose(verified.payload, disclosures)
    _require_validity(found.claims, at)
    return Presentation(jwt, found.disclosures, found.claims, found.withheld, found.digests, verified.key)


def redact(record: Issued | Presentation, allowed: Collection[Path]) -> str:
    """Keep the allowed disclosures whose hidden ancestors are kept too; the signature is untouched and needs no key.

    Args:
        record: the record with at least the disclosures wanted.
        allowed: paths that may go; those the record does not hide are ignored.
    """
    may_go = frozenset(allowed)
    there = record.disclosures
    return presentation(
        record.jwt,
        [
            text
            for path, text in there.items()
            if path in may_go
            and (len(path) == 1 or all(path[:n] in may_go for n in range(1, len(path)) if path[:n] in there))
        ],
    )


def _require_validity(claims: Mapping[str, Json], at: datetime | None) -> None:
    begins = [instant(claims, name) for name in ("iat", "nbf") if name in claims]
    ends = instant(claims, "exp") if "exp" in claims else None
    if at is None:
        return
    if any(begin > at.timestamp() + CLOCK_SKEW_SECONDS for begin in begins):
        raise BindingError("The record was not yet valid at the moment in question.")
    if ends is not None and ends <= at.timestamp():
        raise BindingError("The record was no longer valid at the moment in question.")
