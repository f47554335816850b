"""What a text may not be: padded, cut off in the wrong encoding, or bytes written out as text."""

import re
from collections.abc import Callable

from gateway.records.reasons import Reason

LONGEST = 500_000
"""Characters of one text; a judgment fits, a file smuggled into a field does not."""

_BYTES_AS_TEXT = re.compile(r"b(['\"]).*\1", re.DOTALL)
_UTF8_READ_AS_LATIN = re.compile(
    "[\u00c2\u00c3]["  # the lead bytes of U+0080 to U+00FF, followed by a continuation byte …
    "\u0080-\u00aa\u00ac-\u00ba\u00bc-\u00bf"  # … as ISO 8859-1 or Windows-1252 shows it; « and » may follow a letter
    "\u0178\u0161\u0153\u017e\u0192\u20ac\u2020\u2021\u2030\u02c6\u0160\u0152\u017d]"
    "|\u00e2\u20ac[\u0153\u009d\u2122\u02dc\u201c\u201d\u00a6\u00a2]"  # quotation marks, dashes, dots
)
_CONTROLS = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
"""Control characters but tab and line ends, NUL among them, and halves of surrogate pairs."""


def _has_controls(text: str) -> bool:
    """Look for them one by one only in a text that may have some: that takes ten times as long."""
    return (
        not text.replace("\t", " ").replace("\n", " ").replace("\r", " ").isprintable()
        and _CONTROLS.search(text) is not None
    )


def _is_utf8_read_as_latin(text: str) -> bool:
    return ("\u00c2" in text or "\u00c3" in text or "\u00e2\u20ac" in text) and (
        _UTF8_READ_AS_LATIN.search(text) is not None
    )


_FAULTS: tuple[tuple[Callable[[str], object], tuple[Reason, str]], ...] = (
    (lambda text: len(text) > LONGEST, ("too_large", f"longer than {LONGEST} characters")),
    (lambda text: not text.strip(), ("wrong_type", "empty; what is not there is left out")),
    (lambda text: text != text.strip(), ("wrong_type", "white space around it")),
    (_has_controls, ("wrong_encoding", "control characters")),
    (
        lambda text: "\ufffd" in text or "\ufeff" in text,
        ("wrong_encoding", "a replacement character or a byte order mark"),
    ),
    (_BYTES_AS_TEXT.fullmatch, ("wrong_encoding", "bytes written out as text")),
    (_is_utf8_read_as_latin, ("wrong_encoding", "UTF-8 read as Latin")),
)


def text_fault(text: str) -> tuple[Reason, str] | None:
    """Say what is wrong with a text, or None. Names, languages and scripts are nobody's business here."""
    return next((fault for is_at_fault, fault in _FAULTS if is_at_fault(text)), None)
