"""From the `map` of a source file to entries that can read: the compiler of the mapping language."""

from collections.abc import Mapping
from typing import Any

from connectors.entries import AnyEntry, ConstEntry, Entry, ListEntry, ObjectEntry, ValueEntry
from connectors.errors import ConnectorError
from connectors.formats.document import Format, Path
from connectors.tools import MappingTools
from connectors.transforms import Pipeline, pipeline


class EntryCompiler:
    """Turns the `map` of a source file into entries of one format."""

    def __init__(self, format_: Format, tools: MappingTools, separator: str) -> None:
        self._format = format_
        self._tools = tools
        self._separator = separator

    def members(self, documents: Mapping[str, Any], within: Path | None = None, above: str = "") -> dict[str, Entry]:
        """Compile the entries of a `map`.

        Raises:
            EntryError: with the pointer of the first entry that cannot be compiled.
        """
        made = {}
        for name, document in documents.items():
            try:
                made[name] = self.entry(document, within, above)
            except EntryError as error:
                raise EntryError(f"/{name}{error.pointer}", error.detail) from error
        return made

    def entry(self, document: Any, within: Path | None = None, above: str = "") -> Entry:
        """Compile one entry.

        Raises:
            EntryError: the pointer is relative to the entry.
        """
        match document:
            case str():
                return self._value({"path": document}, within, above)
            case {"path": _}:
                return self._value(document, within, above)
            case {"const": value}:
                return ConstEntry(value)
            case {"any": choices}:
                return self._any(document, choices, within, above)
            case {"all": text}:
                path = self._path("all", text, within)
                required = document.get("required", False)
                value = self._path("value", document["value"], path) if "value" in document else None
                return ListEntry(path, self._join(above, text), self._use(document), required, value)
            case {"each": text, "map": below} | {"one": text, "map": below}:
                word = "each" if "each" in document else "one"
                required = document.get("required", False)
                path = self._path(word, text, within)
                where = self._join(above, text)
                try:
                    members = self.members(below, path, where)
                except EntryError as error:
                    raise EntryError(f"/map{error.pointer}", error.detail) from error
                return ObjectEntry(path, where, members, required, is_list=word == "each", split=document.get("split"))
            case _:
                raise EntryError("", "is no entry")

    def _value(self, document: Mapping[str, Any], within: Path | None, above: str) -> ValueEntry:
        path = self._path("path", document["path"], within)
        where = self._join(above, document["path"])
        return ValueEntry(path, where, self._use(document), document.get("required", False), document.get("raw", False))

    def _any(self, document: Mapping[str, Any], choices: list[Any], within: Path | None, above: str) -> AnyEntry:
        values = []
        for index, choice in enumerate(choices):
            try:
                values.append(self._value({"path": choice} if isinstance(choice, str) else choice, within, above))
            except EntryError as error:
                raise EntryError(f"/any/{index}{error.pointer}", error.detail) from error
        where = " or ".join(value.where for value in values)
        return AnyEntry(values, where, document.get("required", False), document.get("raw", False))

    def _path(self, word: str, text: str, within: Path | None) -> Path:
        try:
            return self._format.compile(text, within)
        except ValueError as error:
            raise EntryError(f"/{word}", str(error)) from error

    def _use(self, document: Mapping[str, Any]) -> Pipeline:
        steps = document.get("use", [])
        try:
            return pipeline(steps, self._tools)
        except ValueError as error:
            raise EntryError("/use", str(error)) from error

    def _join(self, above: str, text: str) -> str:
        if text in ("@", "."):
            return above or text
        if not above or text.startswith("/"):
            return text
        return f"{above}{self._separator}{text}"


class EntryError(ConnectorError):
    """An entry that cannot be compiled, and where in the `map` it stands."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer = pointer
        self.detail = detail
