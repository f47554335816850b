"""JSON Web Signatures as evidence uses them (RFC 7515, compact): strict to parse, one header, keys found by role.

The header is exactly `{alg, kid, typ}`. `typ` is checked first, so that no document stands in for another; the payload
is parsed only after the signature holds; `iss` must be the owner of the key.
"""

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn, TypeAlias

import orjson

from ipx.encoding import b64url, b64url_bytes
from ipx.errors import FormatError, SignatureError
from ipx.keys import EVIDENCE_ALGORITHMS, KeyFinder, PublicKey, Role, Signer, TrustedKey
from ipx.values import value

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

MAX_BYTES: Final = 1 << 20
MAX_JSON_BYTES: Final = 16 << 20
"""Of a document that stands for itself: an answer with the record in it."""
MAX_DEPTH: Final = 16
CLOCK_SKEW_SECONDS: Final = 5
"""How far ahead another machine's clock may run before its time counts as the future."""
_MAX_HEADER_TEXT: Final = 1024
LAST_INSTANT: Final = 253_402_300_799
"""31 December 9999: the last second that every reader of these documents can show."""

_HEADER: Final = frozenset({"alg", "kid", "typ"})


@value
class Verified:
    """What a signature that holds was over, and the key that made it."""

    payload: dict[str, Json]
    key: TrustedKey


def sign(payload: Mapping[str, Json], signer: Signer, *, typ: str) -> str:
    """Sign a JSON object; what leaves is what is hashed and kept, it is never written again.

    Raises:
        FormatError: a payload that no strict reader would take back.
    """
    signing_input = f"{_header_text(signer.alg, signer.kid, typ)}.{b64url(dump_json(dict(payload)))}"
    return f"{signing_input}.{b64url(signer.sign(signing_input.encode('ascii')))}"


def verify(token: str, keys: KeyFinder, *, roles: frozenset[Role], typ: str) -> Verified:
    """Check a token's form, type, key, signature and issuer, in this order.

    Args:
        token: compact serialisation; nothing may stand around it.
        keys: who vouches for which key.
        roles: the roles whose keys may sign this kind of document.
        typ: the one type that is taken.

    Raises:
        FormatError: not a token of this type in its one spelling.
        SignatureError: no such key, another algorithm than the key's, a signature that does not fit, or an issuer
            who does not own the key.
    """
    segments = _segments(token)
    alg, kid = _header(segments[0], typ)
    key = keys.key(roles, kid)
    payload = _open(segments, alg, key.public)
    if payload.get("iss") != key.owner:
        raise SignatureError(f"The document names an issuer who does not own the key it is signed with ({key.owner}).")
    return Verified(payload, key)


def verify_pinned(token: str, pinned: PublicKey, *, typ: str) -> dict[str, Json]:
    """Check a token against one key known beforehand, named in the header by its thumbprint.

    Raises:
        FormatError: as `verify`.
        SignatureError: signed with another key, or the signature does not fit.
    """
    segments = _segments(token)
    alg, kid = _header(segments[0], typ)
    if kid != pinned.kid:
        raise SignatureError("The document is signed with another key than the pinned one.")
    return _open(segments, alg, pinned)


def parse_json(data: bytes) -> Json:
    """Parse UTF-8 JSON (RFC 8259) that has one meaning for every reader.

    Raises:
        FormatError: not UTF-8, no JSON, a name twice in one object, NaN, an infinity, a float beyond range, a lone
            surrogate, deeper than 16 levels, more than 16 MiB.
    """
    if len(data) > MAX_JSON_BYTES:
        raise FormatError("A JSON document is larger than 16 MiB.")
    try:
        value: Json = _DECODER.decode(data.decode("utf-8"))
        # Neither check costs anything for what we write: surrogates come only from escapes, depth from brackets.
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise FormatError("A document is not JSON with exactly one meaning.") from error
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        _refuse_depth(value, 0)
    return value


def parse_object(data: bytes) -> dict[str, Json]:
    """Parse as `parse_json`, and take nothing but an object.

    Raises:
        FormatError: as `parse_json`, or another kind of value.
    """
    value = parse_json(data)
    if not isinstance(value, dict):
        raise FormatError("A JSON document is not an object.")
    return value


def dump_json(value: Json) -> bytes:
    """Write compact UTF-8 JSON, members in the order given.

    Raises:
        FormatError: NaN, an infinity, a lone surrogate, too deep, or no JSON at all.
    """
    quick = _quickly(value)
    if quick is not None:
        return quick
    try:
        data = _ENCODER.encode(value).encode("utf-8")
    except (ValueError, TypeError, RecursionError) as error:
        raise FormatError("A value cannot be written as JSON.") from error
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        _refuse_depth(value, 0)
    return data


def text(members: Mapping[str, Json], name: str) -> str:
    """Read a member that must be a string of at least one character.

    Raises:
        FormatError: it is missing or something else.
    """
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise FormatError(f"The member {name!r} is missing or not a text.")
    return value


def instant(members: Mapping[str, Json], name: str) -> int:
    """Read a member that must be a time: whole seconds since 1970, UTC. `true` is no time.

    Raises:
        FormatError: it is missing or something else.
    """
    value = members.get(name)
    if type(value) is not int or not 0 <= value <= LAST_INSTANT:
        raise FormatError(f"The member {name!r} is missing or not a time in whole seconds.")
    return value


def _segments(token: str) -> list[str]:
    if len(token) > MAX_BYTES:
        raise FormatError("A signed document is larger than 1 MiB.")
    segments = token.split(".")
    if len(segments) != 3:  # noqa: PLR2004 - header, payload, signature
        raise FormatError("A signed document does not have the three parts of a JWS.")
    return segments


def _header(segment: str, typ: str) -> tuple[str, str]:
    if len(segment) > _MAX_HEADER_TEXT:  # parsed headers are kept: a kept one must be small
        raise FormatError("A document's header is too long.")
    alg, kid, stated = _parse_header(segment)
    if stated != typ:
        raise FormatError(f"A document of type {stated[:64]!r} stands where one of type {typ!r} belongs.")
    if alg not in EVIDENCE_ALGORITHMS:
        raise FormatError(f"A document is signed with the algorithm {alg[:64]!r}; only Ed25519 and ES256 are taken.")
    return alg, kid


@lru_cache(maxsize=1024)
def _parse_header(segment: str) -> tuple[str, str, str]:
    header = parse_object(b64url_bytes(segment))
    if header.keys() != _HEADER:
        raise FormatError("A document's header does not have exactly the members alg, kid and typ.")
    alg, kid, typ = (text(header, name) for name in ("alg", "kid", "typ"))
    return alg, kid, typ


@lru_cache(maxsize=1024)
def _header_text(alg: str, kid: str, typ: str) -> str:
    return b64url(dump_json({"alg": alg, "kid": kid, "typ": typ}))


def _open(segments: list[str], alg: str, key: PublicKey) -> dict[str, Json]:
    header, payload, signature = segments
    if alg != key.alg:
        raise SignatureError(f"A document claims the algorithm {alg} for a key that is for {key.alg}.")
    payload_bytes = b64url_bytes(payload)
    key.verify(b64url_bytes(signature), f"{header}.{payload}".encode("ascii"))
    return parse_object(payload_bytes)


def _quickly(value: Json) -> bytes | None:
    """Write by `orjson` what it writes byte for byte as `json` does; None for anything else, and what it refuses."""
    try:
        return orjson.dumps(value) if _is_written_alike(value) else None
    except orjson.JSONEncodeError:  # a number of more than 64 bits, half of a surrogate pair
        return None


def _is_written_alike(value: Any) -> bool:
    """Tell whether there is nothing but JSON in it, in fewer than 17 levels, and no number written with an exponent."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for one in level:
            kind = type(one)
            if kind in _WRITTEN_ALIKE:
                continue
            if kind is dict:
                below += one.values()
            elif kind is list:
                below += one
            elif kind is not float or (one and not _LEAST_PLAIN <= abs(one) < _MOST_PLAIN):
                return False
        if not below:
            return True
        level = below
    return False


def _refuse_depth(value: Json, depth: int) -> None:
    if isinstance(value, dict | list):
        if depth == MAX_DEPTH:
            raise FormatError(f"A JSON document is nested deeper than {MAX_DEPTH} levels.")
        for member in value.values() if isinstance(value, dict) else value:
            _refuse_depth(member, depth + 1)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return members


def _finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError("a number beyond range")
    return value


def _no_constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant, strict=True
)
_WRITTEN_ALIKE: Final = frozenset({str, int, bool, type(None)})
_LEAST_PLAIN: Final = 1e-4
_MOST_PLAIN: Final = 1e16
"""From here on numbers are written with an exponent; NaN and the infinities are in no range."""
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
