"""References in a source file, `${secret:NAME}` and `${VAR}`: found, resolved at the last moment, never shown."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.errors import SourceFault, SourceFileError

_REFERENCE = re.compile(r"\$\{(?:(?P<secret>secret):)?(?P<name>[A-Za-z_][A-Za-z0-9_]{0,126})\}")
_ANY_DOLLAR = re.compile(r"\$\{[^}]*\}?")

HIDDEN = "•••"


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference: its name, and whether it names a secret or a variable of the environment."""

    name: str
    is_secret: bool

    def __str__(self) -> str:
        return f"${{secret:{self.name}}}" if self.is_secret else f"${{{self.name}}}"


class Resolved(str):
    """A text into which references were put. Use it as a text; printing it in a log shows nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


def references_in(value: Any, pointer: str = "") -> Iterator[tuple[str, Reference]]:
    """Give each reference in a tree of dicts, lists and texts with the JSON Pointer of the text it stands in.

    Raises:
        SourceFileError: a `${` that is no reference.
    """
    match value:
        case str():
            for match in _ANY_DOLLAR.finditer(value):
                whole = _REFERENCE.fullmatch(match.group())
                if whole is None:
                    raise SourceFileError([SourceFault(pointer, "is no reference: write ${NAME} or ${secret:NAME}")])
                yield pointer, Reference(whole["name"], is_secret=whole["secret"] is not None)
        case dict():
            for key, member in value.items():
                yield from references_in(member, f"{pointer}/{key}")
        case list():
            for index, item in enumerate(value):
                yield from references_in(item, f"{pointer}/{index}")
        case _:
            pass


class Resolver:
    """Puts values in the place of references. Keeps the secrets it gave out, to blot them out of driver messages."""

    def __init__(self, secrets: Mapping[str, str], variables: Mapping[str, str]) -> None:
        self._secrets = secrets
        self._variables = variables
        self._given: set[str] = set()

    def missing(self, value: Any) -> tuple[tuple[str, Reference], ...]:
        """The references in a tree that have no value, with their places."""
        return tuple((place, found) for place, found in references_in(value) if found.name not in self._pool(found))

    def resolve(self, text: str, pointer: str = "") -> str:
        """Put values in the place of all references of one text.

        Raises:
            SourceFileError: a reference has no value; the message names it.
        """
        found = [reference for _, reference in references_in(text, pointer)]
        absent = [reference for reference in found if reference.name not in self._pool(reference)]
        if absent:
            raise SourceFileError([SourceFault(pointer, f"{reference} is not set") for reference in absent])
        if not found:
            return text

        def value_of(match: re.Match[str]) -> str:
            value = self._pool(Reference(match["name"], is_secret=match["secret"] is not None))[match["name"]]
            if match["secret"]:
                self._given.add(value)
            return value

        resolved = _REFERENCE.sub(value_of, text)
        if any(reference.is_secret for reference in found):
            self._given.add(resolved)
            return Resolved(resolved)
        return resolved

    def keep_secret(self, text: str) -> None:
        """Count a text made of secrets, or given out for one, among those to be blotted out."""
        self._given.add(text)

    def blot_out(self, message: str) -> str:
        """Give a message without any of the secrets that were resolved here."""
        for secret in sorted(self._given, key=len, reverse=True):
            if secret:
                message = message.replace(secret, HIDDEN)
        return message

    def _pool(self, reference: Reference) -> Mapping[str, str]:
        return self._secrets if reference.is_secret else self._variables
