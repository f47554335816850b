"""The gate before Cedar's parser: looks at policy text as characters only.

Deep nesting and long chains make the parser overrun its stack and kill the process, so what passes here stays far below
what a 2 MiB stack takes; characters that make a text look like another one do not pass at all.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

TEXT_BYTES = 16 * 1024
DEPTH = 24
OPERATORS = 64
CHAIN = 16

_TOKEN = re.compile(
    r"""(?P<skip>"(?:\\.|[^"\\\n])*"|//[^\n]*|::|\s+)
      | (?P<operator>&&|\|\||[=!<>]=|[!<>+*-]|\b(?:has|like|is|if)\b|\bin\b)
      | (?P<open>[(\[{]) | (?P<close>[)\]}]) | (?P<access>\.) | (?P<end>[,;]|\b(?:when|unless|then|else)\b)
      | (?P<word>\w+) | (?P<other>.)""",
    re.VERBOSE,
)
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a policy's text its author should know; an `error` keeps the policy from being activated."""

    code: str
    message: str
    severity: Literal["error", "warning"] = "error"


def gate(cedar: str) -> tuple[Finding, ...]:
    """Say why a text must not reach the parser; nothing means it may."""
    size = len(cedar.encode("utf-8", "surrogatepass"))
    if size > TEXT_BYTES:
        return (Finding("too_large", f"{size} bytes, at most {TEXT_BYTES}"),)
    return (*_characters(cedar), *_structure(cedar))


def _characters(cedar: str) -> Iterator[Finding]:
    hidden = sorted({ord(char) for char in cedar if char not in "\n\t" and unicodedata.category(char) in _INVISIBLE})
    if hidden:
        named = ", ".join(f"U+{point:04X}" for point in hidden[:5])
        yield Finding("hidden_character", f"control, direction or other invisible characters: {named}")
    elif not unicodedata.is_normalized("NFC", cedar):
        yield Finding("not_nfc", "the text is not in Unicode normalisation form C")


def _structure(cedar: str) -> Iterator[Finding]:  # noqa: C901 -- one loop over all tokens, branch by branch
    """Count nesting, operators and chains of accesses outside texts and comments."""
    expected: list[str] = []
    chains = [0]
    deepest = operators = longest = 0
    for match in _TOKEN.finditer(cedar):
        kind, written = match.lastgroup, match.group()
        if kind in {"operator", "end"}:
            operators += kind == "operator"
            chains[-1] = 0
        elif kind in {"access", "open"}:
            chains[-1] += 1
            longest = max(longest, chains[-1])
        if kind == "open":
            expected.append(_PAIRS[written])
            chains.append(0)
            deepest = max(deepest, len(expected))
        elif kind == "close":
            if not expected or expected.pop() != written:
                yield Finding("brackets", f"a bracket {written} closes nothing")
                return
            chains.pop()
        elif written == '"':
            yield Finding("text_open", "a text in quotes does not end on its line")
            return
    if expected:
        yield Finding("brackets", f"{len(expected)} brackets stay open")
    if deepest > DEPTH:
        yield Finding("too_deep", f"brackets nest {deepest} deep, at most {DEPTH}")
    if operators > OPERATORS:
        yield Finding("too_many_operators", f"{operators} operators, at most {OPERATORS}")
    if longest > CHAIN:
        yield Finding("chain_too_long", f"a chain of {longest} accesses, at most {CHAIN}")
