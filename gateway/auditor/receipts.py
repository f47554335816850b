"""What stands in signed requests and receipts that were verified when they were taken or made."""

from ipx.encoding import b64url_bytes
from ipx.errors import FormatError
from ipx.jws import Json, parse_object


def payload_of(token: str) -> dict[str, Json]:
    """Read the members of a token; none where it is no token."""
    try:
        return parse_object(b64url_bytes(token.split(".")[1]))
    except (FormatError, IndexError):
        return {}
