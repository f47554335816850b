"""Sources that agencies hold: their source files, registered, replaced, suspended, resumed."""

from collections.abc import Mapping

from sqlalchemy import select

from connectors.errors import SourceFileError
from connectors.source_file import SourceFile, read_source
from gateway.agencies.models import Agency, Source
from gateway.agencies.service import Check, accept
from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError, UnknownError
from gateway.records.catalogue import CATALOGUE


class Sources:
    def __init__(self, database: Database, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def add(self, text: str, *, actor: str, replace: bool = False, check: Check = accept) -> Source:
        """Register a source file for the holder it names; its secrets stay references.

        The text is kept as written. With `replace` it takes the place of the source of this name.

        Raises:
            InvalidInputError: the file breaks its schema, or names a record type that the catalogue lacks.
            UnknownError: its holder is not registered.
            AlreadyExistsError: the holder has a source for this record type, or the name is taken.
        """
        file = parsed(text)
        with self._database.write() as session:
            if session.get(Agency, file.holder) is None:
                raise UnknownError(f"there is no agency {file.holder}; `ipx-gateway agency add {file.holder}` makes it")
            same_type = select(Source).where(Source.holder == file.holder, Source.record_type == file.record_type)
            known = session.scalar(same_type) or session.get(Source, file.name)
            if known is not None and not (replace and known.name == file.name and known.holder == file.holder):
                raise AlreadyExistsError(
                    f"{known.holder} has source {known.name} for {known.record_type}; "
                    "`--replace` takes a new file of that name"
                )
            if known is None:
                known = Source(name=file.name, holder=file.holder, created_at=self._clock())
                session.add(known)
            else:
                check(known)
            known.record_type = file.record_type
            known.text = text
            known.sha256 = file.sha256
            session.flush()
            self._audit.record(session, actor, "source.set", file.name, {"sha256": file.sha256, "holder": file.holder})
        return known

    def note_tried(self, name: str, *, actor: str) -> None:
        """Write down that somebody is about to read records of a source to see whether its file is right."""
        with self._database.write() as session:
            self._audit.record(session, actor, "source.tried", name, {})

    def note_redriven(self, name: str, outcomes: Mapping[str, int], *, actor: str) -> None:
        """Write down that somebody drove quarantined records of a source through it again, and how many became what."""
        with self._database.write() as session:
            self._audit.record(session, actor, "source.redriven", name, dict(outcomes))

    def sources(self, holder: str | None = None) -> list[Source]:
        query = select(Source).order_by(Source.holder, Source.name)
        if holder is not None:
            query = query.where(Source.holder == holder)
        with self._database.read() as session:
            return list(session.scalars(query))

    def source(self, name: str) -> Source:
        with self._database.read() as session:
            row = session.get(Source, name)
        if row is None:
            raise UnknownError(f"there is no source {name}; `ipx-gateway source list` shows those that exist")
        return row

    def suspend(self, name: str, *, reason: str, actor: str, check: Check = accept) -> None:
        """Stop asking a source, from the next exchange on."""
        self._set(name, "source.suspended", reason, actor, check)

    def resume(self, name: str, *, actor: str, check: Check = accept) -> None:
        self._set(name, "source.resumed", None, actor, check)

    def _set(self, name: str, act: str, reason: str | None, actor: str, check: Check) -> None:
        with self._database.write() as session:
            row = session.get(Source, name, with_for_update=True)
            if row is None:
                raise UnknownError(f"there is no source {name}; `ipx-gateway source list` shows those that exist")
            check(row)
            if (row.suspended_at is None) == (reason is None):
                return
            row.suspended_at = self._clock() if reason is not None else None
            row.suspended_reason = reason
            session.flush()
            self._audit.record(session, actor, act, name, {"reason": reason} if reason else {})


def parsed(text: str) -> SourceFile:
    """Read a source file, its faults turned into those of an input.

    Raises:
        InvalidInputError: every fault at once, each with its place in the file.
    """
    try:
        file = read_source(text)
    except SourceFileError as error:
        raise InvalidInputError(
            [Fault(fault.pointer, "source_file", fault.detail) for fault in error.faults]
        ) from error
    if file.record_type not in CATALOGUE.types:
        known = ", ".join(sorted(CATALOGUE.types))
        raise InvalidInputError([Fault("/source/record_type", "unknown_record_type", f"the catalogue has: {known}")])
    return file
