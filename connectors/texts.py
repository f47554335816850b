"""Signs that a text was damaged before it reached us. Such texts are refused: repairing them would be guessing."""

import re
from collections.abc import Iterator
from contextlib import suppress

from connectors.quarantine import Reason

_CONTROLS = re.compile("[\x80-\x9f]")
_BYTES_AS_TEXT = re.compile(r"""b(['"]).*\1""", re.DOTALL)


def damage(text: str) -> Reason | None:
    """Tell what is wrong with a text, None if nothing is.

    - `b'<section…'`: a program wrote bytes as if they were text.
    - `DÃ¼sseldorf`: UTF-8 read as a one-byte encoding. A text counts only if all of it, taken back, is UTF-8 again;
      no sentence of a living language is that by chance.
    - U+FFFD: a decoder before us has already replaced what it could not read.
    """
    if text.startswith("b") and _BYTES_AS_TEXT.fullmatch(text):
        return Reason.WRONG_ENCODING
    if text.isascii():
        return Reason.NOT_PARSEABLE if "\x00" in text else None
    if "\ufffd" in text:
        return Reason.WRONG_ENCODING
    return Reason.WRONG_ENCODING if any(_is_utf8(taken) for taken in _taken_back(text)) else None


def _taken_back(text: str) -> Iterator[bytes]:
    """The bytes a text may have been made of, by each one-byte encoding that has all of its characters."""
    for encoding in ("latin-1", "cp1252"):
        with suppress(UnicodeEncodeError):
            yield text.encode(encoding)
    if _CONTROLS.search(text):
        with suppress(UnicodeEncodeError):
            # Windows-1252 as browsers read it: its unassigned bytes become the control characters of the same number.
            yield b"".join(one.encode("latin-1" if _CONTROLS.match(one) else "cp1252") for one in text)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
