"""The transform `match`: a part of a text, or its parts written in another way."""

import re
from collections.abc import Callable
from typing import Any

from connectors.quarantine import Reason, UnfitValueError

MATCH_CHARACTERS = 1_000
"""Longest text that an expression is asked of: a bound on what a clumsy one can cost."""

_REFERENCE = re.compile(r"\\([0-9])")


def matcher(argument: Any) -> Callable[[str], str | None]:
    r"""Make the function of a `match` transform.

    Args:
        argument: a regular expression with one group, which is what is left of a text; or `{find, write}`, an
            expression and how its groups are written (`\1/\2`).

    Returns:
        A function that raises `UnfitValueError` for a text that the expression does not find.

    Raises:
        ValueError: neither of these, or groups that are not there.
    """
    match argument:
        case str(find):
            write = r"\1"
        case {"find": str(find), "write": str(write), **rest} if not rest:
            pass
        case _:
            raise ValueError("needs a regular expression, or {find: regular expression, write: text}")
    try:
        pattern = re.compile(find)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    if isinstance(argument, str) and pattern.groups != 1:
        raise ValueError("needs a regular expression with exactly one group")
    named = [int(number) for number in _REFERENCE.findall(write)]
    if not named or min(named) < 1 or max(named) > pattern.groups:
        raise ValueError("write must name groups of the regular expression")

    def rewrite(text: str) -> str | None:
        if len(text) > MATCH_CHARACTERS:
            raise UnfitValueError(Reason.TOO_LARGE, f"longer than {MATCH_CHARACTERS} characters")
        found = pattern.search(text)
        if found is None:
            raise UnfitValueError(Reason.WRONG_TYPE, "the expression does not match")
        return _REFERENCE.sub(lambda number: found.group(int(number[1])) or "", write) or None

    return rewrite
