"""The gateway's signed list of recalls, kept as a file: what became of a record after an exchange released it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ipx import jws
from ipx.client import Client
from ipx.documents import RECALLS_TYP, Receipt
from ipx.encoding import b64url_bytes, hashed
from ipx.errors import FormatError, SignatureError
from ipx.jws import Json, instant, parse_json, text
from ipx.keys import TrustedKey
from ipx.trust import Trust

READING: Final = "exchange:request"
_DONE: Final = {
    "corrected": "corrected by its holder",
    "sealed": "sealed by its holder",
    "unsealed": "unsealed by its holder",
    "recalled": "recalled by the holder",
    "erased": "erased by its holder",
}


@dataclass(frozen=True, slots=True)
class Recalled:
    """One line about a receipt."""

    kind: str
    day: str
    """As `2026-12-02`."""


@dataclass(frozen=True, slots=True)
class RecallList:
    """A list whose every part is signed by the gateway."""

    issuer: str
    as_of: datetime
    """When its last part was signed: what was recalled later is not in it."""
    by_receipt: dict[str, tuple[Recalled, ...]]

    def of(self, receipt: Receipt) -> tuple[Recalled, ...]:
        """Give what was said of the record that a receipt released, the oldest first.

        Raises:
            SignatureError: the list is of another gateway than the receipt.
        """
        if receipt.issuer != self.issuer:
            raise SignatureError("The list of recalls is of another gateway than the receipt.")
        return self.by_receipt.get(hashed(receipt.token), ())

    def sentence(self, receipt: Receipt) -> str:
        """Say it in words. Raises as `of` does."""
        found = self.of(receipt)
        if not found:
            return f"By the gateway's list of {self.as_of:%Y-%m-%d %H:%M} UTC, the record was not called back."
        said = ", ".join(f"{_DONE[one.kind]} on {one.day}" for one in found)
        as_of = f"{self.as_of:%Y-%m-%d %H:%M} UTC"
        return f"The record was {said}, by the gateway's list of {as_of}: ask before you rely on it."


def fetch(client: Client) -> bytes:
    """Fetch all parts and give the file to keep; they are verified when it is read.

    Raises:
        FormatError: the gateway gives no such list.
    """
    parts = [_part(client, 0)]
    while len(parts) < _number(_peeked(parts[0]), "parts"):
        parts.append(_part(client, len(parts)))
    return json.dumps({"recalls": parts}, indent=1).encode()


def read(data: bytes, trust: Trust) -> RecallList:
    """Read a kept list and verify each of its parts.

    Raises:
        FormatError: it is no such list, or a part is missing.
        SignatureError: a part is signed by no key of the gateway that was in force.
    """
    document = parse_json(data)
    tokens = document.get("recalls") if isinstance(document, dict) else None
    if not isinstance(tokens, list) or not tokens:
        raise FormatError("This is no kept list of recalls.")
    found: dict[str, tuple[Recalled, ...]] = {}
    issuers, signed_at = set(), 0
    for place, token in enumerate(tokens):
        if not isinstance(token, str):
            raise FormatError("A part of the list of recalls is no text.")
        verified = jws.verify(token, trust, roles=frozenset({"gateway"}), typ=RECALLS_TYP)
        payload = verified.payload
        signed_at = instant(payload, "iat")
        _require_in_force(verified.key, signed_at)
        if _number(payload, "part") != place or _number(payload, "parts") > len(tokens):
            raise FormatError("The list of recalls lacks a part: fetch it anew.")
        issuers.add(text(payload, "iss"))
        for receipt, one in _items(payload):
            found[receipt] = (*found.get(receipt, ()), one)
    if len(issuers) != 1:
        raise FormatError("The list of recalls is put together from those of several gateways.")
    return RecallList(issuers.pop(), datetime.fromtimestamp(signed_at, UTC), found)


def _items(payload: dict[str, Json]) -> Iterator[tuple[str, Recalled]]:
    items = payload.get("items")
    for item in items if isinstance(items, list) else [None]:
        match item:
            case [str(receipt), str(kind), str(day)] if kind in _DONE:
                yield receipt, Recalled(kind, day)
            case _:
                raise FormatError("The list of recalls holds a line that says nothing of a receipt.")


def _require_in_force(key: TrustedKey, at: int) -> None:
    begins, ends = (moment.timestamp() if moment else None for moment in (key.valid_from, key.valid_until))
    if (begins is not None and at < begins) or (ends is not None and at >= ends) or key.revoked_at is not None:
        raise SignatureError("The list of recalls is signed with a key that was not in force, or is revoked.")


def _part(client: Client, number: int) -> str:
    reply = client.get(f"/recalls/signed?part={number}", scope=READING, accept="application/jose")
    return reply.body.decode("ascii", "replace").strip()


def _peeked(token: str) -> dict[str, Json]:
    """Read how many parts there are; that it is signed is judged when the file is read."""
    try:
        return jws.parse_object(b64url_bytes(token.split(".")[1]))
    except IndexError as error:
        raise FormatError("The gateway gave no list of recalls.") from error


def _number(payload: dict[str, Json], name: str) -> int:
    value = payload.get(name)
    if type(value) is not int or value < 0:
        raise FormatError(f"The list of recalls does not say which {name}.")
    return value
