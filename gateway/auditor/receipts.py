"""What stands in signed requests and receipts that were verified when they were taken or made."""

from base64 import urlsafe_b64decode

import orjson

from ipx.jws import Json


def payload_of(token: str) -> dict[str, Json]:
    """Read the members of a token; none where it is no token. That it has one meaning only was checked before."""
    try:
        members = orjson.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    except (ValueError, IndexError):
        return {}
    return members if isinstance(members, dict) else {}
