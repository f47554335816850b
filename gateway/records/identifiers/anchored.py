"""What every rule is made of: a pattern that must fit the whole text, and the refusal when it does not."""

import re

from gateway.records.reasons import IdentifierError


def fit(pattern: re.Pattern[str], text: str, rule: str) -> re.Match[str]:
    """Match the whole text.

    Raises:
        IdentifierError: `bad_identifier` with the rule in words.
    """
    match = pattern.fullmatch(text)
    if match is None:
        raise IdentifierError("bad_identifier", rule)
    return match


def require(condition: bool, rule: str) -> None:  # noqa: FBT001  (reads as a sentence at every call)
    """Refuse a well-formed text that is no identifier of its kind all the same."""
    if not condition:
        raise IdentifierError("bad_identifier", rule)


def require_check_digit(given: str, computed: str, rule: str) -> None:
    if given != computed:
        raise IdentifierError("bad_check_digit", f"check digit is not {computed} as {rule} wants")
