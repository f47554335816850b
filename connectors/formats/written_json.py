"""Writing parsed JSON back: the same text for the same value, numbers with the digits they came with."""

import json
from decimal import Decimal
from typing import Any


def written(value: Any, *, ascii_only: bool = False) -> str:
    """Write a value of `parse_json`: members sorted, no white space; `Decimal` as the number it was.

    Args:
        value: dicts, lists, texts, integers, `Decimal`, booleans, None.
        ascii_only: write other characters as escapes, for encodings that lack some.
    """
    match value:
        case dict():
            members = (
                f"{_text(name, ascii_only)}:{written(value[name], ascii_only=ascii_only)}" for name in sorted(value)
            )
            return "{" + ",".join(members) + "}"
        case list():
            return "[" + ",".join(written(item, ascii_only=ascii_only) for item in value) + "]"
        case Decimal():
            return str(value)
        case str():
            return _text(value, ascii_only)
        case _:
            return json.dumps(value)


def _text(text: str, ascii_only: bool) -> str:  # noqa: FBT001  (handed through)
    return json.dumps(text, ensure_ascii=ascii_only)
