"""What an author writes of a change request: its place, its words, its tests."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.errors import Fault, InvalidInputError
from policies.policy_tests import PolicyTest, PolicyTestError, read_test
from policies.reference import CODE, GATEWAY_AUTHORITY, TIERS, Tier

TITLE_CHARACTERS: Final = 200
REASON_CHARACTERS: Final = 4000


def require_place(tier: str, owner: str) -> None:
    """Pass a tier and owner that there may be policies of.

    Raises:
        InvalidInputError: there is no such tier, or no such owner of it.
    """
    if tier not in TIERS:
        raise InvalidInputError([Fault("/tier", "unknown_tier", f"one of {', '.join(TIERS)}")])
    if CODE.fullmatch(owner) is None or (tier == "guardrail") != (owner == GATEWAY_AUTHORITY):
        raise InvalidInputError(
            [Fault("/owner", "owner", f"an agency's code, and {GATEWAY_AUTHORITY} for guardrails alone")]
        )


def require_words(title: str | None, reason: str | None) -> None:
    """Pass a title and a reason, as far as they are given, of the lengths that are taken.

    Raises:
        InvalidInputError: one of them is too long, or the title is empty.
    """
    faults = []
    if title is not None and not 0 < len(title.strip()) <= TITLE_CHARACTERS:
        faults.append(Fault("/title", "length", f"1 to {TITLE_CHARACTERS} characters"))
    if reason is not None and len(reason) > REASON_CHARACTERS:
        faults.append(Fault("/reason", "length", f"at most {REASON_CHARACTERS} characters"))
    if faults:
        raise InvalidInputError(faults)


def read_tests(documents: Mapping[str, Mapping[str, Any] | None], tier: Tier, owner: str) -> list[PolicyTest]:
    """Read the tests that an author wrote, by name; those that are to be taken out (None) are passed over.

    Raises:
        InvalidInputError: a test cannot be read, or has another name than it is saved under; each is named.
    """
    found, faults = [], []
    for name, document in documents.items():
        if document is None:
            continue
        try:
            test = read_test(document, tier, owner)
        except PolicyTestError as error:
            faults.append(Fault(f"/tests/{name}{error.pointer}", "test", error.problem))
            continue
        found.append(test)
        if test.name != name:
            faults.append(Fault(f"/tests/{name}/name", "test", f"is not {name}, the name it is saved under"))
    if faults:
        raise InvalidInputError(faults)
    return found
