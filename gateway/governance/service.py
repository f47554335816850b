"""Which policies are in force: written as immutable revisions, activated as a set for one tier and owner.

What is activated here was not reviewed: a first set, or what an operator answers for. Changes go `Changes`' way.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError
from gateway.governance.models import Activation, PolicyRevision, PolicyTestRow
from policies.engine import BookError, PolicyRef, PolicyText, compile_book, validity
from policies.lint import lint
from policies.policy_tests import PolicyTest
from policies.reference import Tier
from policies.schema import Catalogue
from policies.untrusted import examine

IDS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class SetInForce:
    """What is in force for one tier and owner, and which of its texts need not be validated again."""

    activation: int
    version: str
    texts: tuple[PolicyText, ...]
    validated: frozenset[PolicyText]


class Policies:
    def __init__(self, database: Database, audit: AuditTrail, clock: Clock, catalogue: Catalogue) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._catalogue = catalogue

    def activate(
        self, texts: Iterable[PolicyText], *, actor: str, tests: Iterable[PolicyTest] = (), reason: str = ""
    ) -> list[Activation]:
        """Put sets of policies in force without a review, each replacing what its tier and owner had; all or none.

        The texts may be of any tiers and owners; they are grouped by both. Tests of a group without any are kept.

        Raises:
            InvalidInputError: a policy does not pass the text gate or the lint; every finding is named.
        """
        groups = self.checked(list(texts))
        with self._database.write() as session:
            return self._activate_all(session, groups, list(tests), actor, reason)

    def activate_within(
        self, session: Session, texts: Iterable[PolicyText], *, actor: str, tests: Iterable[PolicyTest] = ()
    ) -> list[Activation]:
        """Do the same in the transaction of another act. Raises as `activate` does."""
        return self._activate_all(session, self.checked(list(texts)), list(tests), actor, "")

    def put(self, text: PolicyText, *, actor: str, reason: str = "") -> Activation:
        """Put one policy in force without a review, beside the others of its tier and owner; one of its id is replaced.

        Raises:
            InvalidInputError: as `activate`.
        """
        _, texts = self.active()
        place = (text.ref.tier, text.ref.owner)
        others = [
            other
            for other in texts
            if (other.ref.tier, other.ref.owner) == place and other.ref.policy_id != text.ref.policy_id
        ]
        return self.activate([*others, text], actor=actor, reason=reason)[0]

    def active(self) -> tuple[int, list[PolicyText]]:
        """Give the policies in force and the number of the activation that made them so (0: none yet)."""
        sets = self.sets()
        texts = [text_ for one in sets.values() for text_ in one.texts]
        return max((one.activation for one in sets.values()), default=0), sorted(texts, key=lambda one: one.ref)

    def sets(self, known: Collection[int] = ()) -> dict[tuple[str, str], "SetInForce"]:
        """Give what is in force by tier and owner; of activations whose number is known, without the texts."""
        newest = select(func.max(Activation.id)).group_by(Activation.tier, Activation.owner)
        with self._database.read() as session:
            activations = session.scalars(select(Activation).where(Activation.id.in_(newest))).all()
            wanted = [rev for row in activations if row.id not in known for rev in row.revisions]
            rows: dict[int, PolicyRevision] = {}
            for start in range(0, len(wanted), IDS_AT_ONCE):
                some = wanted[start : start + IDS_AT_ONCE]
                found = session.scalars(select(PolicyRevision).where(PolicyRevision.id.in_(some)))
                rows.update((row.id, row) for row in found)
        under = validity(self._catalogue)
        sets = {}
        for activation in activations:
            own = [] if activation.id in known else [rows[revision] for revision in activation.revisions]
            sets[activation.tier, activation.owner] = SetInForce(
                activation.id,
                f"{activation.owner}@{activation.manifest_sha256[:8]}",
                tuple(text_of(row) for row in own),
                frozenset(text_of(row) for row in own if row.valid_under == under),
            )
        return sets

    def versions(self) -> dict[tuple[str, str], str]:
        """Name the version in force of each tier and owner: `<owner>@<first 8 hex digits of the manifest's hash>`."""
        newest = select(func.max(Activation.id)).group_by(Activation.tier, Activation.owner)
        with self._database.read() as session:
            rows = session.scalars(select(Activation).where(Activation.id.in_(newest))).all()
        return {(row.tier, row.owner): f"{row.owner}@{row.manifest_sha256[:8]}" for row in rows}

    def newest_activation(self) -> int:
        """Number of the newest activation: what workers poll, one indexed read."""
        with self._database.read_connection() as connection:
            return connection.execute(select(func.max(Activation.id))).scalar() or 0

    def newest_of(self, session: Session, tier: str, owner: str) -> Activation | None:
        """Give the activation in force for a tier and owner; None where nothing ever was."""
        return session.scalar(
            select(Activation)
            .where(Activation.tier == tier, Activation.owner == owner)
            .order_by(Activation.id.desc())
            .limit(1)
        )

    def revisions_of(self, session: Session, ids: Iterable[int]) -> dict[str, PolicyRevision]:
        """Give revisions by the policy's id."""
        rows = session.scalars(select(PolicyRevision).where(PolicyRevision.id.in_(list(ids)))).all()
        return {row.policy_id: row for row in sorted(rows, key=lambda row: row.policy_id)}

    def tests_of(self, session: Session, ids: Iterable[int]) -> dict[str, PolicyTestRow]:
        """Give tests by name."""
        rows = session.scalars(select(PolicyTestRow).where(PolicyTestRow.id.in_(list(ids)))).all()
        return {row.name: row for row in sorted(rows, key=lambda row: row.name)}

    def checked(self, texts: Sequence[PolicyText]) -> dict[tuple[str, str], list[PolicyText]]:
        """Group texts by tier and owner, once nothing is wrong with any of them.

        Raises:
            InvalidInputError: something is; every finding is named.
        """
        faults = []
        # Cedar's parser can die of a text: it meets a new one in a child process first.
        for text_, findings in zip(texts, examine([text_.cedar for text_ in texts]), strict=True):
            found = findings or lint(text_.cedar, text_.ref.tier, text_.ref.owner, self._catalogue)
            pointer = f"/{text_.ref.tier}/{text_.ref.owner}/{text_.ref.policy_id}"
            faults += [Fault(pointer, item.code, item.message) for item in found if item.severity == "error"]
        if faults:
            raise InvalidInputError(faults)
        try:
            compile_book(self._catalogue, texts, ())
        except BookError as error:
            ref = error.ref
            pointer = f"/{ref.tier}/{ref.owner}/{ref.policy_id}"
            raise InvalidInputError([Fault(pointer, "no_book", error.problem)]) from error
        groups: dict[tuple[str, str], list[PolicyText]] = defaultdict(list)
        for text_ in texts:
            groups[text_.ref.tier, text_.ref.owner].append(text_)
        return groups

    def write_revision(self, session: Session, text_: PolicyText, actor: str) -> PolicyRevision:
        """Store a text that passed `checked`; the same text of the same policy is stored once."""
        digest = hashlib.sha256(text_.cedar.encode()).hexdigest()
        known = session.scalar(
            select(PolicyRevision).where(
                PolicyRevision.tier == text_.ref.tier,
                PolicyRevision.owner == text_.ref.owner,
                PolicyRevision.policy_id == text_.ref.policy_id,
                PolicyRevision.sha256 == digest,
            )
        )
        if known is not None:
            known.valid_under = validity(self._catalogue)
            return known
        row = PolicyRevision(
            tier=text_.ref.tier,
            owner=text_.ref.owner,
            policy_id=text_.ref.policy_id,
            cedar_text=text_.cedar,
            sha256=digest,
            author=actor,
            created_at=self._clock(),
            valid_under=validity(self._catalogue),
        )
        session.add(row)
        session.flush()
        return row

    def write_test(self, session: Session, tier: str, owner: str, test: PolicyTest, actor: str) -> PolicyTestRow:
        """Store a policy test; the same one is stored once."""
        document = test.text()
        digest = hashlib.sha256(document.encode()).hexdigest()
        known = session.scalar(
            select(PolicyTestRow).where(
                PolicyTestRow.tier == tier,
                PolicyTestRow.owner == owner,
                PolicyTestRow.name == test.name,
                PolicyTestRow.sha256 == digest,
            )
        )
        if known is not None:
            return known
        row = PolicyTestRow(
            tier=tier,
            owner=owner,
            name=test.name,
            document=document,
            sha256=digest,
            author=actor,
            created_at=self._clock(),
        )
        session.add(row)
        session.flush()
        return row

    def lock(self, session: Session) -> None:
        """Let no other transaction activate anything before this one ends; SQLite has one writer anyhow."""
        if not self._database.is_sqlite:
            session.execute(text("LOCK TABLE policy_activation IN SHARE ROW EXCLUSIVE MODE"))

    def write_activation(
        self,
        session: Session,
        tier: str,
        owner: str,
        revisions: Sequence[PolicyRevision],
        tests: Iterable[int],
        *,
        kind: str,
        actor: str,
        change_id: int | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Activation:
        """Write that these revisions and tests are in force, with its audit entry: the last act of a transaction."""
        ordered = sorted(revisions, key=lambda row: row.policy_id)
        manifest = manifest_text(ordered)
        activation = Activation(
            tier=tier,
            owner=owner,
            revisions=[row.id for row in ordered],
            manifest_sha256=hashlib.sha256(manifest.encode()).hexdigest(),
            actor=actor,
            at=self._clock(),
            tests=sorted(tests),
            kind=kind,
            change_id=change_id,
        )
        session.add(activation)
        session.flush()
        told = {"manifest_sha256": activation.manifest_sha256, "policies": [row.policy_id for row in ordered]}
        more = {"kind": kind} | ({} if change_id is None else {"change": change_id})
        self._audit.record(session, actor, "policy.activated", f"{tier}/{owner}", {**told, **more, **(detail or {})})
        return activation

    def _activate_all(
        self,
        session: Session,
        groups: Mapping[tuple[str, str], Sequence[PolicyText]],
        tests: Sequence[PolicyTest],
        actor: str,
        reason: str,
    ) -> list[Activation]:
        self.lock(session)
        found = []
        for (tier, owner), texts in sorted(groups.items()):
            rows = [self.write_revision(session, one, actor) for one in texts]
            own = [test for test in tests if (test.tier, test.owner) == (tier, owner)]
            kept = self.newest_of(session, tier, owner)
            ids = [self.write_test(session, tier, owner, test, actor).id for test in own]
            if not ids and kept is not None:
                ids = list(kept.tests)
            detail = {"reason": reason} if reason else None
            found.append(
                self.write_activation(session, tier, owner, rows, ids, kind="import", actor=actor, detail=detail)
            )
        return found


def manifest_text(revisions: Iterable[PolicyRevision]) -> str:
    """Write which revisions stand in a set, one a line, in the order of the policies' ids."""
    return "\n".join(f"{row.policy_id} {row.sha256}" for row in sorted(revisions, key=lambda row: row.policy_id))


def text_of(row: PolicyRevision) -> PolicyText:
    """Give a stored revision as the policies' room knows it."""
    return PolicyText(PolicyRef(cast("Tier", row.tier), row.owner, row.policy_id, row.sha256[:8]), row.cedar_text)
