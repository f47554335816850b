"""Code lists and translations between them: versioned TOML files beside this module (see README.md)."""

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from gateway.records.own_types import own_folder
from gateway.records.reasons import IdentifierError

_SEPARATORS = re.compile(r"[\s_-]+")


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A list of words, or a translation of an office's codes `into` the words of another list."""

    name: str
    version: str
    source: str
    into: str | None
    is_lossless: bool
    """A code of a standard is stored as it came: a field of this list needs no sibling for the source's text."""
    words: Mapping[str, Mapping[str, Any]]
    """Word → what is known of it: `label`, and what the list itself declares (`stage`, `rec20` …)."""
    texts: Mapping[str, str]
    """Folded text → word."""

    def word(self, text: str) -> str | None:
        return self.texts.get(_fold(text))

    def words_with(self, mark: str) -> frozenset[str]:
        """The words that carry a mark, such as `open` in `appeal-status`."""
        return frozenset(word for word, about in self.words.items() if about.get(mark))


def code(table: str, text: str) -> str:
    """Give the word of a table for a text of a source.

    Raises:
        IdentifierError: `unknown_code`, the table does not know the text.
        LookupError: there is no such table.
    """
    word = code_table(table).word(text)
    if word is None:
        raise IdentifierError("unknown_code", f"not in the code table {table}")
    return word


def table_names() -> list[str]:
    return sorted(_files())


def _files() -> dict[str, Traversable]:
    """The tables of this project, and those that stand in `codes/` beside own declarations.

    Raises:
        ValueError: an own table with the name of a shipped one.
    """
    files = {entry.name.removesuffix(".toml"): entry for entry in _tables(resources.files(__name__))}
    own = own_folder()
    if own is not None and (own / "codes").is_dir():
        for entry in _tables(own / "codes"):
            name = entry.name.removesuffix(".toml")
            if name in files:
                raise ValueError(f"code table {name} is one of this project")
            files[name] = entry
    return files


def _tables(folder: Traversable) -> Iterator[Traversable]:
    return (entry for entry in folder.iterdir() if entry.name.endswith(".toml"))


@functools.cache
def code_table(name: str) -> CodeTable:
    """Read a table once.

    Raises:
        LookupError: there is no such table.
        ValueError: the file contradicts itself or the list it translates into.
    """
    file = _files().get(name)
    if file is None:
        raise LookupError(f"no code table {name}")
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    into = document.get("into")
    words = {
        word: {"label": about} if isinstance(about, str) else _translated(into, word) if into else about
        for word, about in document["words"].items()
    }
    texts: dict[str, str] = {}
    for text, word in _texts(document["words"], is_list=into is None):
        if texts.setdefault(_fold(text), word) != word:
            raise ValueError(f"code table {name}: {text!r} stands for two words")
    return CodeTable(
        name=name,
        version=document["version"],
        source=document["source"],
        into=into,
        is_lossless=document.get("is_lossless", False),
        words=words,
        texts=texts,
    )


def _translated(into: str, word: str) -> Mapping[str, Any]:
    try:
        return code_table(into).words[word]
    except KeyError:
        raise ValueError(f"code table {into} has no word {word}") from None


def _texts(words: Mapping[str, Any], *, is_list: bool) -> Iterator[tuple[str, str]]:
    for word, about in words.items():
        if is_list:
            yield word, word
        others = about if isinstance(about, list) else about.get("also", ()) if isinstance(about, dict) else ()
        for text in others:
            yield text, word


def _fold(text: str) -> str:
    return _SEPARATORS.sub(" ", text).strip().casefold()
