"""Which policies are in force: written as immutable revisions, activated as a set for one tier and owner."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError
from gateway.governance.models import Activation, PolicyRevision
from policies.engine import BookError, PolicyRef, PolicyText, compile_book
from policies.lint import lint
from policies.reference import Tier
from policies.schema import Catalogue
from policies.untrusted import examine


class Policies:
    def __init__(self, database: Database, audit: AuditTrail, clock: Clock, catalogue: Catalogue) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._catalogue = catalogue

    def activate(self, texts: Iterable[PolicyText], *, actor: str) -> list[Activation]:
        """Put sets of policies in force, each replacing what its tier and owner had before; all or none.

        The texts may be of any tiers and owners; they are grouped by both.

        Raises:
            InvalidInputError: a policy does not pass the text gate or the lint; every finding is named.
        """
        groups = self._checked(list(texts))
        with self._database.write() as session:
            return [self._activate(session, *place, members, actor) for place, members in sorted(groups.items())]

    def activate_within(self, session: Session, texts: Iterable[PolicyText], *, actor: str) -> list[Activation]:
        """Do the same in the transaction of another act. Raises as `activate` does."""
        groups = self._checked(list(texts))
        return [self._activate(session, *place, members, actor) for place, members in sorted(groups.items())]

    def put(self, text: PolicyText, *, actor: str) -> Activation:
        """Put one policy in force beside the others of its tier and owner; one of the same id is replaced.

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
        return self.activate([*others, text], actor=actor)[0]

    def active(self) -> tuple[int, list[PolicyText]]:
        """Give the policies in force and the number of the activation that made them so (0: none yet)."""
        newest = select(func.max(Activation.id)).group_by(Activation.tier, Activation.owner)
        with self._database.read() as session:
            activations = session.scalars(select(Activation).where(Activation.id.in_(newest))).all()
            wanted = [revision for activation in activations for revision in activation.revisions]
            revisions = session.scalars(select(PolicyRevision).where(PolicyRevision.id.in_(wanted))).all()
        return (
            max((activation.id for activation in activations), default=0),
            [_text(revision) for revision in sorted(revisions, key=lambda row: (row.tier, row.owner, row.policy_id))],
        )

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

    def _checked(self, texts: Sequence[PolicyText]) -> dict[tuple[str, str], list[PolicyText]]:
        """Group texts by tier and owner, once nothing is wrong with any of them."""
        faults = []
        # Cedar's parser can die of a text: it meets a new one in a child process first.
        for text, findings in zip(texts, examine([text.cedar for text in texts]), strict=True):
            found = findings or lint(text.cedar, text.ref.tier, text.ref.owner, self._catalogue)
            pointer = f"/{text.ref.tier}/{text.ref.owner}/{text.ref.policy_id}"
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
        for text in texts:
            groups[text.ref.tier, text.ref.owner].append(text)
        return groups

    def _activate(self, session: Session, tier: str, owner: str, texts: Sequence[PolicyText], actor: str) -> Activation:
        revisions = [
            self._revision(session, text, actor) for text in sorted(texts, key=lambda text: text.ref.policy_id)
        ]
        manifest = "\n".join(f"{row.policy_id} {row.sha256}" for row in revisions)
        activation = Activation(
            tier=tier,
            owner=owner,
            revisions=[row.id for row in revisions],
            manifest_sha256=hashlib.sha256(manifest.encode()).hexdigest(),
            actor=actor,
            at=self._clock(),
        )
        session.add(activation)
        session.flush()
        self._audit.record(
            session,
            actor,
            "policy.activated",
            f"{tier}/{owner}",
            {"manifest_sha256": activation.manifest_sha256, "policies": [row.policy_id for row in revisions]},
        )
        return activation

    def _revision(self, session: Session, text: PolicyText, actor: str) -> PolicyRevision:
        digest = hashlib.sha256(text.cedar.encode()).hexdigest()
        known = session.scalar(
            select(PolicyRevision).where(
                PolicyRevision.tier == text.ref.tier,
                PolicyRevision.owner == text.ref.owner,
                PolicyRevision.policy_id == text.ref.policy_id,
                PolicyRevision.sha256 == digest,
            )
        )
        if known is not None:
            return known
        row = PolicyRevision(
            tier=text.ref.tier,
            owner=text.ref.owner,
            policy_id=text.ref.policy_id,
            cedar_text=text.cedar,
            sha256=digest,
            author=actor,
            created_at=self._clock(),
        )
        session.add(row)
        session.flush()
        return row


def _text(row: PolicyRevision) -> PolicyText:
    return PolicyText(PolicyRef(cast("Tier", row.tier), row.owner, row.policy_id, row.sha256[:8]), row.cedar_text)
