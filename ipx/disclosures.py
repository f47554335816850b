"""Hiding members of a JSON object behind disclosures, and putting disclosures back in their places (RFC 9901).

This is the part of SD-JWT that knows no signature: `ipx.sdjwt` signs what `hide` gives, and hands what it has verified
to `disclose`.
"""

import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from ipx.encoding import b64url, b64url_bytes
from ipx.errors import FormatError
from ipx.jws import MAX_DEPTH, Json, dump_json, parse_json

Path: TypeAlias = tuple[str | int, ...]
"""Where a member stands. An index counts the places of the signed array, withheld ones among them."""

CLEAR_CLAIMS: Final = frozenset(
    {
        *("iss", "sub", "aud", "iat", "nbf", "exp", "cnf"),
        *("record_id", "holder", "record_type", "schema_version", "source", "revision", "as_of", "recorded_at"),
        *("status", "sealed_by", "language"),
    }
)
"""Validity claims and the record's envelope: never behind a disclosure, not even in part."""

_RESERVED: Final = frozenset({"_sd", "_sd_alg", "..."})
_HASH: Final = "sha-256"
_DIGEST_CHARACTERS: Final = 43
_SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What `disclose` finds in a payload."""

    claims: dict[str, Json]
    disclosures: Mapping[Path, str]
    withheld: frozenset[str]
    digests: tuple[str, ...]


def fresh_salt() -> str:
    """128 bits that nobody can guess: without them a digest would tell a guessed value."""
    return b64url(secrets.token_bytes(_SALT_BYTES))


def digest(disclosure: str) -> str:
    """Name a disclosure as `_sd` and the receipt name it: base64url SHA-256 of its characters.

    Raises:
        FormatError: it is not ASCII, so it is no disclosure.
    """
    try:
        return b64url(hashlib.sha256(disclosure.encode("ascii")).digest())
    except UnicodeEncodeError as error:
        raise FormatError("A disclosure is not base64url.") from error


def hide(
    claims: Mapping[str, Json], hidden: Collection[Path], *, decoys: int, salt: Callable[[], str]
) -> tuple[dict[str, Json], Mapping[Path, str]]:
    """Replace hidden members by their digests.

    Args:
        claims: the whole object.
        hidden: members and array elements, each by its path; hidden ones may stand inside hidden ones.
        decoys: how many digests of nothing are added at the top.
        salt: gives another unguessable text each time.

    Returns:
        the payload to sign, and the disclosures by path.

    Raises:
        FormatError: a path that leads nowhere, a reserved name, a clear claim hidden, a salt given twice.
    """
    hider = _Hider(frozenset(hidden), salt)
    payload = hider.object(claims, ())
    if hider.missing:
        raise FormatError(f"A member that should be hidden is not in the record: {min(map(str, hider.missing))}.")
    real = payload.pop("_sd", [])
    digests = [*(real if isinstance(real, list) else ()), *(digest(secrets.token_hex(32)) for _ in range(decoys))]
    if digests:
        payload["_sd"] = sorted(digests, key=str)  # the order tells nothing: neither of the fields nor of the decoys
    payload["_sd_alg"] = _HASH
    return payload, hider.disclosures


def disclose(payload: dict[str, Json], disclosures: Collection[str]) -> Disclosed:
    """Put disclosures in their places in a payload whose signature was checked (RFC 9901, section 7.1, step 3).

    Raises:
        FormatError: a disclosure that is malformed, repeated, in no place, in the wrong kind of place, or that would
            hide or replace what stands in clear; a digest that stands twice.
    """
    if payload.get("_sd_alg", _HASH) != _HASH:
        raise FormatError("A record hashes its disclosures with something else than SHA-256.")
    loose: dict[str, tuple[str, list[Json]]] = {}
    for text in disclosures:
        name = digest(text)
        if name in loose:
            raise FormatError("A record carries one disclosure twice.")
        loose[name] = text, _parsed(text)
    digests = tuple(sorted(loose))
    placer = _Placer(loose)
    claims = placer.object(payload, ())
    if loose:
        raise FormatError(
            "A record carries a disclosure that its issuer did not sign, or one without the part it is in."
        )
    return Disclosed(claims, placer.disclosures, frozenset(placer.seen.difference(digests)), digests)


class _Hider:
    """Replaces hidden members by their digests and collects the disclosures, inner ones first."""

    def __init__(self, hidden: frozenset[Path], salt: Callable[[], str]) -> None:
        self.missing = set(hidden)
        self.disclosures: dict[Path, str] = {}
        self._salt = salt
        self._digests: set[str] = set()

    def object(self, members: Mapping[str, Json], path: Path) -> dict[str, Json]:
        clear: dict[str, Json] = {}
        digests: list[str] = []
        for name, member in members.items():
            if name in _RESERVED:
                raise FormatError(f"A record has a member of the reserved name {name!r}.")
            here = (*path, name)
            value = self._value(member, here)
            if here in self.missing:
                digests.append(self._hide([name, value], here))
            else:
                clear[name] = value
        if digests:
            clear["_sd"] = list[Json](sorted(digests))
        return clear

    def _value(self, value: Json, path: Path) -> Json:
        if isinstance(value, dict):
            return self.object(value, path)
        if isinstance(value, list):
            return [self._element(element, (*path, index)) for index, element in enumerate(value)]
        return value

    def _element(self, element: Json, path: Path) -> Json:
        value = self._value(element, path)
        return {"...": self._hide([value], path)} if path in self.missing else value

    def _hide(self, content: list[Json], path: Path) -> str:
        if path[0] in CLEAR_CLAIMS:
            raise FormatError(f"The claim {path[0]!r} must stand in clear.")
        disclosure = b64url(dump_json([self._salt(), *content]))
        name = digest(disclosure)
        if name in self._digests:
            raise FormatError("A salt was given twice: two members would be told apart by nobody.")
        self._digests.add(name)
        self.missing.discard(path)
        self.disclosures[path] = disclosure
        return name


class _Placer:
    """Walks a payload, puts each loose disclosure where its digest stands, and drops every other digest."""

    def __init__(self, loose: dict[str, tuple[str, list[Json]]]) -> None:
        self._loose = loose
        self.seen: set[str] = set()
        self.disclosures: dict[Path, str] = {}

    def object(self, members: dict[str, Json], path: Path) -> dict[str, Json]:
        claims: dict[str, Json] = {}
        for name, member in members.items():
            if name in _RESERVED:
                if name == "..." or (name == "_sd_alg" and path):
                    raise FormatError(f"A record has a member of the reserved name {name!r} where it has no place.")
            else:
                claims[name] = self._value(member, path, name)
        if "_sd" in members:
            self._disclose_members(members["_sd"], path, claims)
        return claims

    def _disclose_members(self, digests: Json, path: Path, claims: dict[str, Json]) -> None:
        if not isinstance(digests, list):
            raise FormatError("The digests of an object are not a list.")
        for signed in digests:
            found = self._take(signed, path)
            if found is None:
                continue
            match found:
                case text, [_, str() as name, value] if name not in _RESERVED:
                    pass
                case _:
                    raise FormatError("A disclosure in an object has no name of its own, or a reserved one.")
            if name in claims:
                raise FormatError(f"A disclosure would replace the member {name[:64]!r}.")
            if not path and name in CLEAR_CLAIMS:
                raise FormatError(f"The claim {name!r} is hidden behind a disclosure; it must stand in clear.")
            self.disclosures[*path, name] = text
            claims[name] = self._value(value, path, name)

    def _array(self, elements: list[Json], path: Path) -> list[Json]:
        values: list[Json] = []
        for index, element in enumerate(elements):
            if not (isinstance(element, dict) and "..." in element):
                values.append(self._value(element, path, index))
                continue
            if len(element) != 1:
                raise FormatError("A hidden element of a list has members beside its digest.")
            found = self._take(element["..."], path)
            if found is None:
                continue
            match found:
                case text, [_, value]:
                    self.disclosures[*path, index] = text
                    values.append(self._value(value, path, index))
                case _:
                    raise FormatError("A disclosure with a name stands for an element of a list.")
        return values

    def _value(self, value: Json, path: Path, step: str | int) -> Json:
        if not isinstance(value, dict | list):
            return value
        if len(path) + 1 == MAX_DEPTH:
            raise FormatError(f"A record is nested deeper than {MAX_DEPTH} levels.")
        here = (*path, step)
        return self.object(value, here) if isinstance(value, dict) else self._array(value, here)

    def _take(self, signed: Json, path: Path) -> tuple[str, list[Json]] | None:
        if not isinstance(signed, str) or len(signed) != _DIGEST_CHARACTERS:
            raise FormatError("A digest in a record is not the text of a SHA-256 digest.")
        if signed in self.seen:
            raise FormatError("A digest stands in a record twice.")
        if path and path[0] in CLEAR_CLAIMS:
            raise FormatError(f"A part of the claim {path[0]!r} is hidden behind a disclosure; it must stand in clear.")
        self.seen.add(signed)
        return self._loose.pop(signed, None)


def _parsed(disclosure: str) -> list[Json]:
    match parse_json(b64url_bytes(disclosure)):
        case [str(), _] | [str(), str(), _] as content:
            return content
        case _:
            raise FormatError("A disclosure is not a salt, perhaps a name, and a value.")
