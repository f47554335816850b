"""Questions put to Cedar: entities read once for a batch, contexts written once, each distinct action asked once."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from policies import cedar
from policies.book import PolicyBook, Slice
from policies.cedar import Answer, PolicyTree, Preview, Residual
from policies.documents import (
    Document,
    OutsideCatalogueError,
    Uid,
    client_uid,
    context,
    entities,
    present,
    record_uid,
    required,
)
from policies.question import Question
from policies.reference import PolicyRef
from policies.schema import RELEASE, RecordType

_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}")


class Hearing:
    """A batch of questions about one record type of one holder, asked of as many slices as needed.

    Raises:
        OutsideCatalogueError: a question does not fit the catalogue, or two questions say different things of one
            entity.
        CedarRefusedError: entities or contexts are not as the schema says.
    """

    def __init__(self, book: PolicyBook, questions: Sequence[Question]) -> None:
        self._book = book
        self._questions = questions
        found: dict[Uid, Document] = {}
        for question in questions:
            for document in entities(book.catalogue, question):
                uid = (document["uid"]["type"], document["uid"]["id"])
                if found.setdefault(uid, document) != document:
                    raise OutsideCatalogueError("two entities under one name")
        documents = list(found.values())
        there = present(documents)
        if any(not required(question) <= there for question in questions):
            raise OutsideCatalogueError("an entity is missing")
        self._contexts = [json.dumps(context(book.catalogue, question)) for question in questions]
        self._known = cedar.known_entities(json.dumps(documents), book.schema)

    def ask(self, slice_: Slice, wanted: Sequence[Iterable[str]]) -> list[dict[str, Answer]]:
        """Ask for each question its wanted actions; actions the slice cannot tell apart are asked once."""
        return self._ask(slice_.rules, slice_.asks_as, wanted)

    def overridden(self, slice_: Slice, wanted: Sequence[Iterable[str]]) -> list[tuple[PolicyRef, ...]]:
        """Name for each question the permits that apply to some of its actions, were it not for the forbids."""
        return [
            slice_.refs(name for answer in answers.values() for name in answer.by)
            for answers in self._ask(slice_.permits.rules, slice_.asks_as, wanted)
        ]

    def holding(self, permits: Mapping[str, PolicyTree], actions: Iterable[str]) -> frozenset[str]:
        """Name the permits that hold for the first question and at least one action; one that fails does not hold."""
        rules = cedar.policy_set(permits)
        wanted = [tuple(actions) if number == 0 else () for number in range(len(self._questions))]
        answers = self._ask(rules, {action: action for action in wanted[0]}, wanted)[0]
        return frozenset(name for answer in answers.values() for name in answer.by)

    def outlook(self, slice_: Slice) -> Preview:
        """Evaluate the policies for the first question as far as they go without record and action.

        The record stays unknown, whatever the question names, and so do scopes over actions.
        """
        return self._preview(slice_.rules)

    def left_open(self, policies: Mapping[str, PolicyTree]) -> Mapping[str, Residual]:
        """Evaluate policies of one's own as `outlook` does, and give what is left of those that may hold."""
        return self._preview(cedar.policy_set(policies)).residuals

    def _preview(self, rules: Any) -> Preview:
        client = self._questions[0].client.id
        if _PLAIN_ID.fullmatch(client) is None:
            raise OutsideCatalogueError("client.id")
        return cedar.preview(client, self._contexts[0], rules, self._known, self._book.schema)

    def _ask(self, rules: Any, asks_as: Mapping[str, str], wanted: Sequence[Iterable[str]]) -> list[dict[str, Answer]]:
        asked: dict[tuple[int, str], Mapping[str, Any]] = {}
        for number, actions in enumerate(wanted):
            question = self._questions[number]
            for action in actions:
                place = (number, asks_as[action])
                if place not in asked:
                    asked[place] = cedar.request(
                        client_uid(question), asks_as[action], record_uid(question), self._contexts[number]
                    )
        answers = cedar.ask(list(asked.values()), rules, self._known, self._book.schema) if asked else []
        by_place = dict(zip(asked, answers, strict=True))
        return [
            {action: by_place[number, asks_as[action]] for action in actions} for number, actions in enumerate(wanted)
        ]


def named_plainly(question: Question) -> Question:
    """The same question under a client name that may stand in Cedar text: the name itself, or else its digest."""
    if _PLAIN_ID.fullmatch(question.client.id):
        return question
    digest = hashlib.sha256(question.client.id.encode("utf-8", "surrogatepass")).hexdigest()
    return replace(question, client=replace(question.client, id=digest))


def record_type(book: PolicyBook, question: Question) -> RecordType:
    """The catalogue's entry for the record type a question is about.

    Raises:
        OutsideCatalogueError: there is none.
    """
    known = book.catalogue.record_type(question.record_type)
    if known is None:
        raise OutsideCatalogueError("record_type")
    return known


def candidates(known: RecordType, slice_: Slice, question: Question) -> tuple[tuple[str, ...], frozenset[str]]:
    """The groups a question is about, in the catalogue's order, and those some permit of the slice lists.

    Raises:
        OutsideCatalogueError: a group is not one of the record type.
    """
    names = [group.name for group in known.groups]
    if not question.groups <= set(names):
        raise OutsideCatalogueError("groups")
    wanted = tuple(name for name in names if not question.groups or name in question.groups)
    return wanted, slice_.granted.intersection(wanted) if RELEASE in slice_.granted else frozenset()
