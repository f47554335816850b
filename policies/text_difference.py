"""What changed between two texts of a policy, line by line, and within a changed line word by word."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line; `is_changed` where the other text has something else or nothing there."""

    text: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the difference, with its number in the old and in the new text where it stands there."""

    kind: Literal["same", "removed", "added"]
    old_number: int | None
    new_number: int | None
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


def text_difference(old: str, new: str) -> tuple[Line, ...]:
    """Compare two texts; removed lines stand before those that took their place, all other lines in both."""
    before, after = old.splitlines(), new.splitlines()
    found: list[Line] = []
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found += (
                Line("same", old_from + step + 1, new_from + step + 1, (Piece(text, is_changed=False),))
                for step, text in enumerate(before[old_from:old_to])
            )
        else:
            found += _changed(before[old_from:old_to], after[new_from:new_to], old_from, new_from)
    return tuple(found)


def _changed(removed: Sequence[str], added: Sequence[str], old_from: int, new_from: int) -> Iterator[Line]:
    """Pair removed and added lines in order: where both are there, mark the words in which they differ."""
    pairs = [_words(old, new) for old, new in zip(removed, added, strict=False)]
    for number, text in enumerate(removed):
        pieces = pairs[number][0] if number < len(pairs) else (Piece(text, is_changed=True),)
        yield Line("removed", old_from + number + 1, None, pieces)
    for number, text in enumerate(added):
        pieces = pairs[number][1] if number < len(pairs) else (Piece(text, is_changed=True),)
        yield Line("added", None, new_from + number + 1, pieces)


def _words(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    before, after = _WORD.findall(old), _WORD.findall(new)
    left: list[Piece] = []
    right: list[Piece] = []
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        is_changed = tag != "equal"
        if old_to > old_from:
            left.append(Piece("".join(before[old_from:old_to]), is_changed))
        if new_to > new_from:
            right.append(Piece("".join(after[new_from:new_to]), is_changed))
    return tuple(left), tuple(right)
