"""Signs that a text was damaged before it reached us. Such texts are refused: repairing them would be guessing."""

import re

from connectors.quarantine import Reason

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
    for encoding in ("latin-1", "cp1252"):
        try:
            text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        return Reason.WRONG_ENCODING
    return None
