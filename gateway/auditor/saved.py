"""Searches under a name: the address is the filter, so a saved one is a name for an address."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import IntegrityError

from gateway.auditor.filters import AnyFilter, act_filter, exchange_filter, recall_filter, sign_in_filter
from gateway.auditor.models import SavedSearch
from gateway.auditor.scope import Scope
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError, UnknownError
from ipx.ids import uuid7

_FILTERS: Final[Mapping[str, Callable[[Mapping[str, str]], AnyFilter]]] = {
    "exchanges": exchange_filter,
    "decisions": exchange_filter,
    "acts": act_filter,
    "sign_ins": sign_in_filter,
    "recalls": recall_filter,
}
KINDS: Final = tuple(_FILTERS)
NAME_CHARACTERS: Final = 120
MOST_OF_ONE_OWNER: Final = 200


@dataclass(frozen=True, slots=True)
class Saved:
    id: str
    name: str
    kind: str
    query: Mapping[str, str]
    is_shared: bool
    is_own: bool

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "query": dict(self.query),
            "shared": self.is_shared,
            "own": self.is_own,
        }


class SavedSearches:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def list(self, scope: Scope, kind: str | None = None) -> Sequence[Saved]:
        """Give one's own, and those that others of the same agency share, by name; None: of every kind."""
        query = select(SavedSearch).where(_visible(scope)).order_by(SavedSearch.name)
        if kind is not None:
            query = query.where(SavedSearch.kind == kind)
        with self._database.read() as session:
            rows = session.scalars(query).all()
        return [_saved(row, scope) for row in rows]

    def show(self, scope: Scope, saved_id: str) -> Saved:
        """Give one.

        Raises:
            UnknownError: there is none, or it is somebody else's.
        """
        with self._database.read() as session:
            row = session.scalar(select(SavedSearch).where(SavedSearch.id == saved_id, _visible(scope)))
        if row is None:
            raise UnknownError(f"no saved search {saved_id}")
        return _saved(row, scope)

    def save(self, scope: Scope, name: str, kind: str, query: Mapping[str, str], *, is_shared: bool = False) -> Saved:
        """Save a search that can be run.

        Raises:
            InvalidInputError: its name, kind or filter cannot be used, or there are too many.
            AlreadyExistsError: one of the owner's has this name.
        """
        name = name.strip()
        if not 0 < len(name) <= NAME_CHARACTERS:
            raise InvalidInputError([Fault("/name", "length", f"1 to {NAME_CHARACTERS} characters")])
        if kind not in KINDS:
            raise InvalidInputError([Fault("/kind", "kind", f"one of {', '.join(KINDS)}")])
        read = _FILTERS[kind](query)
        row = SavedSearch(
            id=uuid7(),
            owner=scope.actor,
            agency=scope.agency,
            is_shared=is_shared,
            name=name,
            kind=kind,
            query=read.parameters(),
            created_at=self._clock(),
        )
        try:
            with self._database.write() as session:
                own = session.scalars(select(SavedSearch.id).where(SavedSearch.owner == scope.actor)).all()
                if len(own) >= MOST_OF_ONE_OWNER:
                    fault = Fault("/name", "too_many", f"delete one first: {MOST_OF_ONE_OWNER} at most")
                    raise InvalidInputError([fault])
                session.add(row)
                session.flush()
        except IntegrityError as error:
            raise AlreadyExistsError(f"a saved search of yours is named {name} already") from error
        return _saved(row, scope)

    def delete(self, scope: Scope, saved_id: str) -> None:
        """Delete one of one's own.

        Raises:
            UnknownError: there is none, or it is another's.
        """
        with self._database.write() as session:
            row = session.scalar(
                select(SavedSearch).where(SavedSearch.id == saved_id, SavedSearch.owner == scope.actor)
            )
            if row is None:
                raise UnknownError(f"no saved search {saved_id} of yours")
            session.delete(row)


def _visible(scope: Scope) -> Any:
    same = SavedSearch.agency.is_(None) if scope.agency is None else SavedSearch.agency == scope.agency
    return or_(SavedSearch.owner == scope.actor, and_(SavedSearch.is_shared, same))


def _saved(row: SavedSearch, scope: Scope) -> Saved:
    return Saved(row.id, row.name, row.kind, row.query, row.is_shared, row.owner == scope.actor)
