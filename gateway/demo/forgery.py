"""Changed answers, to show that the verifier catches them: each stays well-formed and differs in one place."""

import json
from collections.abc import Iterator, Mapping

from ipx.encoding import b64url, b64url_bytes
from ipx.jws import Json, parse_object, text


def forgeries(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Change a released answer in five places, one at a time; give what was changed and the changed bytes."""
    document = parse_object(raw)
    jwt, *disclosures, _ = text(document, "record").split("~")
    changed = [_flip(disclosures[0]), *disclosures[1:]]
    yield "one bit of a value", _with(document, record="~".join([jwt, *changed, ""]))
    yield "a value left out", _with(document, record="~".join([jwt, *disclosures[1:], ""]))
    header, payload, signature = text(document, "receipt").split(".")
    yield "one bit of the receipt", _with(document, receipt=f"{header}.{_flip(payload)}.{signature}")
    yield "the list of what was withheld", _with(document, withheld=[])
    log = document["log"]
    if isinstance(log, dict):
        yield "the opening of the log entry", _with(document, log={**log, "salt": _flip(text(log, "salt"))})


def _flip(part: str) -> str:
    """Flip the lowest bit of the byte in the middle of a base64url text."""
    data = bytearray(b64url_bytes(part))
    data[len(data) // 2] ^= 1
    return b64url(bytes(data))


def _with(document: Mapping[str, Json], **members: Json) -> bytes:
    return json.dumps({**document, **members}).encode()
