"""A decision taken again with the policies of its time: which of them decided, which were overridden, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import select

from gateway.auditor.scope import Scope
from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.exchange.models import OPEN, Exchange
from gateway.exchange.past import PastQuestions
from gateway.governance.models import Activation, PolicyRevision
from gateway.governance.service import text_of
from ipx.jws import Json
from policies.engine import BookError, Explanation, PolicyBook, PolicyText, Question, compile_book, explain
from policies.explain_early import explain_early
from policies.schema import Catalogue
from policies.snapshots import SnapshotError, read_snapshots

SHOWN: Final = 3
"""Records of a query whose decisions are explained."""


@dataclass(frozen=True, slots=True)
class DecidedAgain:
    """What the policies of that time say of what was asked; of a query, of its first records."""

    explanations: Sequence[Explanation]
    is_same: bool
    """They come to the outcome that the receipt states."""
    is_early: bool
    """Decided without a record: the holder was not called, or had none."""

    def document(self) -> dict[str, Any]:
        return {
            "same": self.is_same,
            "early": self.is_early,
            "questions": [_document(one) for one in self.explanations],
        }


class Decisions:
    def __init__(self, database: Database, past: PastQuestions, catalogue: Catalogue) -> None:
        self._database = database
        self._past = past
        self._catalogue = catalogue

    def again(
        self, scope: Scope, row: Exchange, request: Mapping[str, Json], receipt: Mapping[str, Json]
    ) -> DecidedAgain | None:
        """Decide an exchange again, from what was kept of its question.

        Lines of policies may repeat facts of the record, and a silent refusal would tell that there is one: only the
        holder's auditors and those of the whole nation are told.

        Returns:
            None where nothing may be told, or the question or its policies are not kept, or never were.
        """
        if scope.agency not in (None, row.holder) or row.state in OPEN:
            return None
        book = self._book(receipt.get("policies"))
        if book is None:
            return None
        try:
            kept = self._past.of(row.id)
            if kept.data is None:
                return None
            asked = read_snapshots(kept.exchange, kept.data, self._catalogue, kept.record_type, kept.holder)
        except (UnknownError, SnapshotError):
            return None
        questions = [one.question for one in asked]
        if len(questions) > 1:
            questions = questions[1 : 1 + SHOWN]  # the first one is of the choice of rows, before any was read
        wanted = request.get("groups")  # a snapshot is of all groups
        groups = frozenset(map(str, wanted)) if isinstance(wanted, list) else frozenset[str]()
        explanations = [_explained(book, replace(question, groups=groups)) for question in questions]
        released = any(one.outcome == "released" for one in explanations)
        is_early = all(question.record is None for question in questions)
        return DecidedAgain(explanations, is_same=released == (row.state == "released"), is_early=is_early)

    def _book(self, named: Json) -> PolicyBook | None:
        """Compile the policies that a receipt names; None where one of them is not kept."""
        if not isinstance(named, dict):
            return None
        texts: list[PolicyText] = []
        for tier, version in named.items():
            found = self._texts(tier, str(version))
            if found is None:
                return None
            texts += found
        try:
            return compile_book(self._catalogue, texts, (), validated=frozenset(texts))
        except BookError:
            return None

    def _texts(self, tier: str, version: str) -> list[PolicyText] | None:
        owner, _, digest = version.rpartition("@")
        wanted = (
            select(Activation)
            .where(Activation.tier == tier, Activation.owner == owner, Activation.manifest_sha256.startswith(digest))
            .order_by(Activation.id.desc())
            .limit(1)
        )
        with self._database.read() as session:
            activation = session.scalar(wanted)
            if activation is None:
                return None
            revisions = session.scalars(select(PolicyRevision).where(PolicyRevision.id.in_(activation.revisions))).all()
            return [text_of(revision) for revision in revisions]


def _explained(book: PolicyBook, question: Question) -> Explanation:
    return explain_early(book, question) if question.record is None else explain(book, question, "auditor")


def _document(one: Explanation) -> dict[str, Any]:
    return {
        "outcome": one.outcome,
        "refused_by": one.refused_by,
        "reason": one.reason,
        "groups": [
            {"group": group.group, "disclosed": group.is_disclosed, "reason": group.reason, "law": [*group.legal_basis]}
            for group in one.groups
        ],
        "policies": [
            {
                "policy": str(policy.ref),
                "title": policy.title,
                "effect": policy.effect,
                "applies": policy.applies,
                "decides": policy.decides,
                "failing": [line.cedar for line in policy.failing],
            }
            for policy in one.policies
        ],
        "overridden": [str(ref) for ref in one.basis.overridden] if one.basis else [],
    }
