"""What a filter of acts, or of sign-ins, asks of an entry of the audit trail."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, or_

from gateway.audit.models import AuditEntry
from gateway.auditor.filters import SIGN_INS, ActFilter, SignInFilter
from gateway.auditor.scope import acts_of, people_of


def act_conditions(wanted: ActFilter | SignInFilter) -> Iterator[ColumnElement[bool]]:
    """Say of an entry of the audit trail what the filter wants."""
    yield from _of_sign_in(wanted) if isinstance(wanted, SignInFilter) else _of_act(wanted)
    if wanted.since is not None:
        yield AuditEntry.at >= wanted.since
    if wanted.until is not None:
        yield AuditEntry.at < wanted.until


def _of_act(wanted: ActFilter) -> Iterator[ColumnElement[bool]]:
    for column, value in ((AuditEntry.actor, wanted.actor), (AuditEntry.subject, wanted.subject)):
        if value is not None:
            yield column == value
    if wanted.agency is not None:
        yield acts_of(wanted.agency)
    if wanted.act is not None:  # `client` means all acts on clients, `client.suspended` only that
        yield or_(AuditEntry.act == wanted.act, AuditEntry.act.startswith(f"{wanted.act}.", autoescape=True))


def _of_sign_in(wanted: SignInFilter) -> Iterator[ColumnElement[bool]]:
    yield AuditEntry.act.in_([SIGN_INS[outcome] for outcome in wanted.outcome or SIGN_INS])
    if wanted.person is not None:
        yield AuditEntry.subject == f"person:{wanted.person.removeprefix('person:')}"
    if wanted.agency is not None:
        yield AuditEntry.subject.in_(people_of(wanted.agency))
