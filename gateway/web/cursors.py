"""Cursors of lists: where a reader goes on, opaque and signed, so that nobody can make one or use another list's."""

import hmac
import json
from collections.abc import Mapping
from typing import Final

from gateway.errors import Fault, InvalidInputError
from ipx.encoding import b64url, b64url_bytes
from ipx.errors import FormatError

_TAG_BYTES: Final = 16


class Cursors:
    """Writes and reads cursors: base64url of `position || tag`, the tag over position, list and filters (HMAC)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, position: int, listed: Mapping[str, str | None]) -> str:
        """Make the cursor of a place in a list.

        Args:
            position: after which the next page begins.
            listed: what the list is of: its name, whose it is, its filters.
        """
        data = str(position).encode("ascii")
        return b64url(data + self._tag(data, listed))

    def read(self, cursor: str, listed: Mapping[str, str | None]) -> int:
        """Give the place of a cursor that was made here for this very list.

        Raises:
            InvalidInputError: it was not.
        """
        try:
            data = b64url_bytes(cursor)
        except FormatError as error:
            raise _refused() from error
        position, tag = data[:-_TAG_BYTES], data[-_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(position, listed)):
            raise _refused()
        return int(position)

    def _tag(self, position: bytes, listed: Mapping[str, str | None]) -> bytes:
        message = json.dumps([position.decode("latin-1"), sorted(listed.items())]).encode()
        return hmac.digest(self._key, message, "sha256")[:_TAG_BYTES]


def _refused() -> InvalidInputError:
    fault = Fault("/cursor", "cursor", "take it from `next` of the page before, with the same filters; or begin anew")
    return InvalidInputError([fault], slug="invalid-request")
