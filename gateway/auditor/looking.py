"""Auditors change nothing, and what they look at is itself an entry of the audit trail."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.audit.service import AuditTrail
from gateway.auditor.scope import Scope
from gateway.db.engine import Database


class Looks:
    def __init__(self, database: Database, audit: AuditTrail) -> None:
        self._database = database
        self._audit = audit

    def searched(self, scope: Scope, kind: str, wanted: Mapping[str, str], total: int) -> None:
        """Note a search, once a filter: turning its pages is the same look."""
        detail = {"kind": kind, "filter": dict(wanted), "found": total}
        self._record(scope, "audit.searched", scope.agency or "national", detail, leaf=False)

    def opened(self, scope: Scope, subject: str) -> None:
        """Note that one was opened: an exchange by its id, a recall or a flag as `recall:…`, `flag:…`."""
        self._record(scope, "audit.opened", subject, {}, leaf=False)

    def took_bundle(self, scope: Scope, exchange_id: str, form: str) -> None:
        """Note that everything which an exchange handed over was taken out: a leaf of the log."""
        self._record(scope, "audit.bundle", exchange_id, {"form": form}, leaf=True)

    def exported(self, scope: Scope, kind: str, wanted: Mapping[str, str], form: str) -> tuple[datetime, int | None]:
        """Note an export before its first line leaves. Gives the time of the entry, and its leaf of the log."""
        detail = {"kind": kind, "filter": dict(wanted), "form": form}
        return self._record(scope, "audit.exported", scope.agency or "national", detail, leaf=True)

    def _record(
        self, scope: Scope, act: str, subject: str, detail: Mapping[str, Any], *, leaf: bool
    ) -> tuple[datetime, int | None]:
        with self._database.write() as session:
            entry = self._audit.record(session, scope.actor, act, subject, detail, leaf=leaf)
            return entry.at, entry.log_index
