"""Change requests: drafted, saved, checked by evidence, put to review, withdrawn, taken over to a newer base.

    draft → checked → reviewed → scheduled → shadow → active → superseded      also: rejected, withdrawn

Nothing here puts anything in force. Every act is written with its audit entry and leaf; two people who save the same
version at once do not overwrite each other: the second is told.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import InvalidInputError
from gateway.governance.change_evidence import keep_evidence
from gateway.governance.change_input import read_tests, require_place, require_words
from gateway.governance.change_rows import back_to_draft, require_base, require_seen, visible, written
from gateway.governance.editors import POLICY_APPROVER, POLICY_EDITOR, Editor
from gateway.governance.evidence import EvidenceRuns, Tell, unheard
from gateway.governance.merging import Keep, merged
from gateway.governance.models import Activation, ChangeRequest
from gateway.governance.proposals import OPEN, Change, proposal_of, read_change
from gateway.governance.service import Policies
from policies.engine import PolicyRef, PolicyText, revision_of
from policies.reference import Tier


class Changes:
    """Change requests up to their review; `Reviews` and `Activations` take them from there."""

    def __init__(
        self, database: Database, policies: Policies, runs: EvidenceRuns, audit: AuditTrail, clock: Clock
    ) -> None:
        self._database = database
        self._policies = policies
        self._runs = runs
        self._audit = audit
        self._clock = clock

    def open(
        self, editor: Editor, tier: str, owner: str, *, title: str, reason: str = "", ticket: str | None = None
    ) -> Change:
        """Begin a draft over what is in force for a tier and owner; it proposes no change yet.

        Raises:
            NotEntitledError: this is not the editor's tier and owner.
            InvalidInputError: tier, owner, title or reason cannot be taken.
        """
        require_place(tier, owner)
        editor.require(tier, owner, POLICY_EDITOR)
        require_words(title, reason)
        with self._database.write() as session:
            base = self._policies.newest_of(session, tier, owner)
            now = self._clock()
            row = ChangeRequest(
                tier=tier,
                owner=owner,
                title=title,
                reason=reason,
                ticket=ticket or None,
                author=editor.actor,
                contributors=[editor.actor],
                state="draft",
                version=1,
                base=base.id if base else 0,
                manifest=self._manifest(session, base),
                tests=self._tests(session, base),
                evidence_sha256=None,
                evidence_run=None,
                widened=[],
                note="",
                created_at=now,
                changed_at=now,
            )
            session.add(row)
            session.flush()
            change = read_change(session, self._policies, row)
            self._audit.record(
                session, editor.actor, "policy.change_opened", f"change:{row.id}", {"tier": tier, "owner": owner}
            )
        return change

    def list(
        self,
        editor: Editor,
        *,
        state: str | None = None,
        tier: str | None = None,
        owner: str | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> Sequence[Change]:
        """List the change requests that are this editor's business, the newest first.

        Args:
            editor: who looks.
            state: one of `STATES`, `open` for all that can still become active, or None for all.
            tier: of this tier only.
            owner: of this owner only.
            after: older than this one only, for the next page.
            limit: at most so many.
        """
        query = select(ChangeRequest).order_by(ChangeRequest.id.desc()).limit(limit)
        if state == "open":
            query = query.where(ChangeRequest.state.in_(OPEN))
        elif state is not None:
            query = query.where(ChangeRequest.state == state)
        for column, wanted in ((ChangeRequest.tier, tier), (ChangeRequest.owner, owner)):
            if wanted is not None:
                query = query.where(column == wanted)
        if editor.agency is not None:
            query = query.where(ChangeRequest.owner == editor.agency, ChangeRequest.tier != "guardrail")
        if after is not None:
            query = query.where(ChangeRequest.id < after)
        with self._database.read() as session:
            return [read_change(session, self._policies, row) for row in session.scalars(query).all()]

    def show(self, editor: Editor, change_id: int) -> Change:
        """Give one change request.

        Raises:
            UnknownError: there is none of this number, or it is none of this editor's business.
        """
        with self._database.read() as session:
            return read_change(session, self._policies, visible(session, editor, change_id))

    def save(
        self,
        editor: Editor,
        change_id: int,
        *,
        version: int,
        policies: Mapping[str, str | None] | None = None,
        tests: Mapping[str, Mapping[str, Any] | None] | None = None,
        title: str | None = None,
        reason: str | None = None,
    ) -> Change:
        """Write some policies and tests of a draft anew; evidence and reviews there were count no longer.

        Args:
            editor: becomes one of its authors, and so cannot review it.
            change_id: which.
            version: the one the editor saw.
            policies: policy id → its new text, or None to take it out. Others stay as they are.
            tests: the same for policy tests, as documents.
            title: in the place of the one it has.
            reason: in the place of the one it has.

        Raises:
            UnknownError: there is no such change request for this editor.
            NotEntitledError: not an editor of this tier and owner.
            ChangedMeanwhileError: somebody saved another version meanwhile, and what; nothing of either is lost.
            NotInStateError: it is scheduled, active or over.
            InvalidInputError: a text does not pass gate, lint or validation, or a test cannot be read; says which.
        """
        require_words(title, reason)
        with self._database.read() as session:
            row = visible(session, editor, change_id)
            tier, owner = cast("Tier", row.tier), row.owner
        editor.require(tier, owner, POLICY_EDITOR)
        texts = [
            PolicyText(PolicyRef(tier, owner, policy_id, revision_of(cedar)), cedar)
            for policy_id, cedar in (policies or {}).items()
            if cedar is not None
        ]
        read = read_tests(tests or {}, tier, owner)
        self._policies.checked(texts)  # takes a child process, so before the transaction
        with self._database.write() as session:
            row = self._held(session, editor, change_id, version, ("draft", "checked", "reviewed"))
            manifest, named = dict(row.manifest), dict(row.tests)
            for gone in (name for name, cedar in (policies or {}).items() if cedar is None):
                manifest.pop(gone, None)
            for gone in (name for name, document in (tests or {}).items() if document is None):
                named.pop(gone, None)
            manifest.update(
                {text.ref.policy_id: self._policies.write_revision(session, text, editor.actor).id for text in texts}
            )
            named.update(
                {test.name: self._policies.write_test(session, tier, owner, test, editor.actor).id for test in read}
            )
            row.manifest, row.tests = manifest, named
            row.title = title if title is not None else row.title
            row.reason = reason if reason is not None else row.reason
            row.contributors = list(dict.fromkeys([*row.contributors, editor.actor]))
            back_to_draft(row, "")
            return self._written(session, row, editor, "policy.change_saved", {"policies": sorted(policies or {})})

    def withdraw(self, editor: Editor, change_id: int, *, version: int) -> Change:
        """Take a change request back; it stays readable and can never become active.

        Raises:
            UnknownError, NotEntitledError, ChangedMeanwhileError, NotInStateError: as `save` does.
        """
        with self._database.write() as session:
            row = self._held(session, editor, change_id, version, OPEN)
            row.state, row.note = "withdrawn", f"withdrawn by {editor.actor}"
            return self._written(session, row, editor, "policy.change_withdrawn", {})

    def rebase(self, editor: Editor, change_id: int, *, version: int, keep: Keep | None = None) -> Change:
        """Take a draft over to what is in force now: what it changed stays changed, all else is as in force.

        Args:
            editor: who takes it over.
            change_id: which.
            version: the one the editor saw.
            keep: whose version counts of what was changed on both sides; None: nobody's, the editor is asked.

        Raises:
            InvalidInputError: policies or tests were changed on both sides, and `keep` is None; each is named.
            UnknownError, NotEntitledError, ChangedMeanwhileError, NotInStateError: as `save` does.
        """
        with self._database.write() as session:
            row = self._held(session, editor, change_id, version, OPEN)
            newest = self._policies.newest_of(session, row.tier, row.owner)
            if (newest.id if newest else 0) == row.base:
                return read_change(session, self._policies, row)
            base = session.get(Activation, row.base) if row.base else None
            manifest, faults = merged(
                self._manifest(session, base), self._manifest(session, newest), row.manifest, "policies", keep
            )
            tests, more = merged(self._tests(session, base), self._tests(session, newest), row.tests, "tests", keep)
            if faults or more:
                raise InvalidInputError([*faults, *more])
            row.manifest, row.tests, row.base = manifest, tests, newest.id if newest else 0
            back_to_draft(row, "taken over to what is in force now")
            return self._written(session, row, editor, "policy.change_rebased", {"base": row.base, "keep": keep})

    def require_visible(self, editor: Editor, change_id: int) -> None:
        """Pass an editor whose business a change request is.

        Raises:
            UnknownError: there is none of this number, or it is none of this editor's business.
        """
        with self._database.read() as session:
            visible(session, editor, change_id)

    def require_collectable(self, editor: Editor, change_id: int, *, version: int) -> None:
        """Pass an editor for whom evidence about a change request can be collected now; raises as `run_evidence`."""
        with self._database.read() as session:
            self._collectable(session, editor, change_id, version)

    def run_evidence(self, editor: Editor, change_id: int, *, version: int, tell: Tell = unheard) -> Change:
        """Collect all evidence about what a draft proposes. It takes seconds, and no transaction is open meanwhile.

        The change is then `checked` if lint, validation and tests pass, and stays a draft if not; what widens or could
        not be analysed is no failure but needs two reviewers.

        Raises:
            BaseMovedError: other policies are in force by now: rebase it first.
            UnknownError, NotEntitledError, ChangedMeanwhileError, NotInStateError: as `save` does.
        """
        with self._database.read() as session:
            proposal = proposal_of(session, self._policies, self._collectable(session, editor, change_id, version))
        collected = self._runs.collect(proposal, tell)
        with self._database.write() as session:
            row = self._held(
                session, editor, change_id, version, ("draft", "checked", "reviewed"), POLICY_EDITOR, POLICY_APPROVER
            )
            self._require_base(session, row)
            digest, is_passed = keep_evidence(self._policies, session, row, collected, self._clock())
            return self._written(
                session, row, editor, "policy.change_checked", {"evidence_sha256": digest, "passed": is_passed}
            )

    def ask_review(self, editor: Editor, change_id: int, *, version: int) -> Change:
        """Ask other people to review what was checked; from now on they can.

        Raises:
            BaseMovedError, NotInStateError: it has no passing evidence about what is in force now.
            UnknownError, NotEntitledError, ChangedMeanwhileError: as `save` does.
        """
        with self._database.write() as session:
            row = self._held(session, editor, change_id, version, ("checked",))
            self._require_base(session, row)
            row.asked_at = self._clock()
            detail = {"evidence_sha256": row.evidence_sha256}
            return self._written(session, row, editor, "policy.review_asked", detail)

    def _collectable(self, session: Session, editor: Editor, change_id: int, version: int) -> ChangeRequest:
        row = visible(session, editor, change_id)
        editor.require(row.tier, row.owner, POLICY_EDITOR, POLICY_APPROVER)
        require_seen(session, row, version, ("draft", "checked", "reviewed"))
        self._require_base(session, row)
        return row

    def _held(
        self,
        session: Session,
        editor: Editor,
        change_id: int,
        version: int,
        states: Sequence[str],
        *roles: str,
    ) -> ChangeRequest:
        row = visible(session, editor, change_id, is_held=True)
        editor.require(row.tier, row.owner, *(roles or (POLICY_EDITOR,)))
        require_seen(session, row, version, states)
        return row

    def _require_base(self, session: Session, row: ChangeRequest) -> None:
        require_base(self._policies, session, row)

    def _written(
        self, session: Session, row: ChangeRequest, editor: Editor, act: str, detail: Mapping[str, Any]
    ) -> Change:
        return written(self._policies, self._audit, self._clock, session, row, editor.actor, act, detail)

    def _manifest(self, session: Session, base: Activation | None) -> dict[str, int]:
        rows = self._policies.revisions_of(session, base.revisions) if base else {}
        return {name: row.id for name, row in rows.items()}

    def _tests(self, session: Session, base: Activation | None) -> dict[str, int]:
        rows = self._policies.tests_of(session, base.tests) if base else {}
        return {name: row.id for name, row in rows.items()}
