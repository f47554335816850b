"""A record's fields while they are written as XML: what was not taken is known afterwards."""

from collections.abc import Container, Iterator, Mapping

from ipx.jws import Json


class Fields:
    """Members of an object; each is asked for once, and `left_out` names those that nobody asked for."""

    def __init__(self, members: Mapping[str, Json], path: str = "") -> None:
        self._members = members
        self._path = path
        self._taken: set[str] = set()
        self._below: list[Fields] = []

    def has(self, name: str) -> bool:
        return name in self._members

    def text(self, name: str) -> str | None:
        """A text, number or truth value as XML Schema writes it; None where it is not there."""
        value = self._members.get(name)
        self._taken.add(name)
        match value:
            case bool():
                return "true" if value else "false"
            case str() | int():
                return str(value)
            case _:
                return None

    def one_of(self, name: str, words: Container[Json]) -> str | None:
        """A text if it is one of the standard's words; else it is left out."""
        value = self._members.get(name)
        return self.text(name) if value in words else None

    def word(self, name: str, words: Mapping[str, str]) -> str | None:
        """The standard's word for one of ours; a word that it lacks is left out."""
        value = self._members.get(name)
        if not isinstance(value, str) or value not in words:
            return None
        self._taken.add(name)
        return words[value]

    def take(self, name: str) -> None:
        """Count a member as taken, since the place where the document stands says it."""
        self._taken.add(name)

    def texts(self, name: str) -> list[str]:
        self._taken.add(name)
        value = self._members.get(name)
        return [str(entry) for entry in value] if isinstance(value, list) else []

    def entries(self, name: str) -> list["Fields"]:
        """The objects of a list, each to be asked in turn."""
        value = self._members.get(name)
        self._taken.add(name)
        found = [Fields(entry, f"{self._path}{name}[].") for entry in _objects(value)]
        self._below += found
        return found

    def give_back(self) -> None:
        """Count nothing of this object as taken: it cannot be written."""
        self._taken.clear()
        self._below.clear()

    def left_out(self) -> list[str]:
        """Paths of what was not taken, each once, `images[].sha256`."""
        mine = [self._path + name for name in self._members if name not in self._taken]
        return sorted({*mine, *(path for below in self._below for path in below.left_out())})


def _objects(value: Json) -> Iterator[Mapping[str, Json]]:
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict):
            yield entry
