"""One comparison of two books for one tier and owner: formulas asked of z3, witnesses confirmed by Cedar."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import z3  # type: ignore[import-untyped]

from policies.analysis import Analysis
from policies.book import PolicyBook, Slice
from policies.cedar import CedarRefusedError, policy_set
from policies.compiled import CompiledPolicy
from policies.diff import CHECK_MS, Comparison, Found, Pair, Severity, duties, names_of, slices_of
from policies.documents import OutsideCatalogueError
from policies.formulas import FALSE, TRUE
from policies.hearing import Hearing
from policies.matrix import plain_record
from policies.question import Agency, Question, Record
from policies.reference import Tier
from policies.schema import PERSONAL, RELEASE, RecordType
from policies.universes import NotAnalysedError

_OPEN: Final = "everything"
"""Stands in for the holders' permits where guardrails alone are compared."""
_OPEN_TREE: Final = {
    "effect": "permit",
    "principal": {"op": "All"},
    "action": {"op": "All"},
    "resource": {"op": "All"},
    "conditions": [],
}


class Comparing:
    def __init__(
        self, old: PolicyBook, new: PolicyBook, tier: Tier, owner: str, registry: Mapping[str, Agency]
    ) -> None:
        self._old = old
        self._new = new
        self._tier = tier
        self._owner = owner
        self._registry = registry
        holder = owner if tier == "holder" else None
        used = {id(policy): policy for book in (old, new) for policy in self._used(book)}
        self._analysis = Analysis(new.catalogue, list(used.values()), registry, holder)
        self._joined: dict[tuple[int, ...], Any] = {}
        self._models: dict[int, tuple[Any, Any]] = {}
        self._possible: dict[int, tuple[Any, Any]] = {}
        self._conditions: dict[tuple[int, str, str], Any] = {}

    def compare(self) -> Comparison:
        """Compare group by group, and look at each policy of the new set."""
        pairs: list[Pair] = []
        untouched: list[str] = []
        for known in self._new.catalogue.record_types:
            old, new = self._slice(self._old, known), self._slice(self._new, known)
            if _same(old, new):
                untouched.append(known.name)
            else:
                pairs += (self._pair(known, name, old, new) for name in names_of(known))
        return Comparison(
            tuple(pairs),
            tuple(duties(self._old, self._new, self._tier, self._owner)),
            tuple(self.findings()),
            tuple(untouched),
        )

    def findings(self) -> Iterator[Found]:
        """Give what is odd about single policies of the new set, and groups that it lists and nobody can get."""
        dead: set[str] = set()
        for policy in self._new.texts.of(self._tier, self._owner).values():
            if policy.is_template:
                continue
            for found in self._about(policy):
                if found.code in {"never_applies", "always_overridden"}:
                    dead.add(found.policy)
                yield found
        if self._tier == "holder":
            yield from self._unreachable(dead)

    def _used(self, book: PolicyBook) -> Iterator[CompiledPolicy]:
        for known in book.catalogue.record_types:
            slice_ = self._slice(book, known)
            if slice_ is not None:
                yield from slice_.policies.values()

    def _slice(self, book: PolicyBook, known: RecordType) -> Slice | None:
        return slices_of(book, self._tier, self._owner, known.name)

    # --- pairs ------------------------------------------------------------------------------------------------------

    def _pair(self, known: RecordType, name: str, old: Slice | None, new: Slice | None) -> Pair:
        if _covered_alike(old, new, _needed(known, name)):
            return Pair(known.name, name, "equivalent")
        try:
            before, after = (self._formula(slice_, known, name) for slice_ in (old, new))
            gained = self._witness(z3.And(after, z3.Not(before)), known, name, (old, new), is_gain=True)
            lost = self._witness(z3.And(before, z3.Not(after)), known, name, (old, new), is_gain=False)
        except NotAnalysedError as error:
            return Pair(known.name, name, "not_analysed", reason=str(error))
        if gained is None and lost is None:
            return Pair(known.name, name, "equivalent")
        if gained is not None and lost is not None:
            return Pair(known.name, name, "incomparable", gained, lost)
        if gained is not None:
            return Pair(known.name, name, "more_permissive", gained)
        return Pair(known.name, name, "less_permissive", lost=lost)

    def _formula(self, slice_: Slice | None, known: RecordType, name: str) -> Any:
        """Give when a common action is allowed, or a group handed over: released, granted, and personal if it is."""
        return z3.And(*(self._allowed(slice_, known, action) for action in _needed(known, name)))

    def _allowed(self, slice_: Slice | None, known: RecordType, action: str) -> Any:
        if slice_ is None:
            return FALSE
        permits = [self._condition(one, known, action) for one in _covering(slice_, action, "permit")]
        forbids = [self._condition(one, known, action) for one in _covering(slice_, action, "forbid")]
        granted = TRUE if self._tier == "guardrail" else self._any_of(permits)
        return z3.And(granted, z3.Not(self._any_of(forbids)))

    def _condition(self, policy: CompiledPolicy, known: RecordType, action: str) -> Any:
        key = (id(policy), known.name, action)
        found = self._conditions.get(key)
        if found is None:
            found = self._analysis.condition(policy, self._analysis.scope(known.name, action))
            self._conditions[key] = found
        return found

    def _any_of(self, conditions: Iterable[Any]) -> Any:
        """Give the disjunction: each condition in it once, for of copied policies there may be many, and made once."""
        distinct = {one.get_id(): one for one in conditions}
        if not distinct:
            return FALSE
        key = tuple(sorted(distinct))
        if key not in self._joined:
            self._joined[key] = z3.Or(*distinct.values())
        return self._joined[key]

    def _model(self, formula: Any) -> Any:
        """Solve a formula once: types and groups that the same policies cover have the same one."""
        return self._once(formula, self._models, self._analysis.model)

    def _is_possible(self, formula: Any) -> bool:
        return bool(self._once(formula, self._possible, self._analysis.is_possible))

    def _once(self, formula: Any, known: dict[int, tuple[Any, Any]], ask: Callable[[Any, int], Any]) -> Any:
        if z3.is_false(formula):
            return None
        simple = z3.simplify(formula)
        key = simple.get_id()  # equal formulas are one in z3, as long as somebody holds it
        if key not in known:
            known[key] = simple, ask(simple, CHECK_MS)
        return known[key][1]

    def _witness(
        self,
        formula: Any,
        known: RecordType,
        name: str,
        slices: tuple[Slice | None, Slice | None],
        *,
        is_gain: bool,
    ) -> Mapping[str, Any] | None:
        """Give a question that only one of the two allows, as Cedar says too; None where there is none.

        Raises:
            NotAnalysedError: z3 takes too long, or Cedar does not confirm what it found.
        """
        model = self._model(formula)
        if model is None:
            return None
        question = self._analysis.question(model, known.name)
        allowed = [self._asked(slice_, known, name, question) for slice_ in slices]
        if allowed != [not is_gain, is_gain]:
            raise NotAnalysedError("Cedar does not confirm what the analysis found")
        return _document(question, plain_record(self._new.catalogue, question.holder))

    def _asked(self, slice_: Slice | None, known: RecordType, name: str, question: Question) -> bool:
        """Ask Cedar itself."""
        if slice_ is None:
            return False
        actions = _needed(known, name)
        rules = slice_.rules
        if self._tier == "guardrail":
            rules = policy_set({**{key: one.tree for key, one in slice_.policies.items()}, _OPEN: _OPEN_TREE})
        try:
            asked = Hearing(self._new, [question]).ask(replace(slice_, rules=rules), [actions])[0]
        except (OutsideCatalogueError, CedarRefusedError):
            raise NotAnalysedError("a witness that is no question") from None
        if any(answer.has_failed for answer in asked.values()):
            return False
        return all(asked[action].is_allowed for action in actions)

    # --- findings ---------------------------------------------------------------------------------------------------

    def _about(self, policy: CompiledPolicy) -> Iterator[Found]:
        name = policy.ref.policy_id
        places = [
            (known, slice_, action)
            for known in self._new.catalogue.record_types
            if policy.is_about(known.name) and (slice_ := self._slice(self._new, known)) is not None
            for action in names_of(known)
            if action in policy.actions
        ]
        try:
            if not self._any((self._condition(policy, known, action) for known, _, action in places)):
                is_forbid = policy.effect == "forbid"
                what = "lets through what it was written against" if is_forbid else "grants nothing"
                severity: Severity = "error" if is_forbid else "warning"
                yield Found(name, "never_applies", f"can never apply: it {what}", severity)
                return
            if policy.effect != "permit":
                return
            if not self._any(self._beyond(policy, known, slice_, action, "forbid") for known, slice_, action in places):
                yield Found(name, "always_overridden", "a forbid applies wherever this permit does", "warning")
            elif not self._any(
                self._beyond(policy, known, slice_, action, "permit") for known, slice_, action in places
            ):
                yield Found(name, "shadowed", "other permits grant all that it grants", "warning")
        except NotAnalysedError as error:
            yield Found(name, "not_analysed", f"could not be analysed: {error}", "warning")

    def _beyond(self, policy: CompiledPolicy, known: RecordType, slice_: Slice, action: str, effect: str) -> Any:
        """Give when a policy applies and no other one of that effect does."""
        others = [self._condition(one, known, action) for one in _covering(slice_, action, effect) if one is not policy]
        own = self._condition(policy, known, action)
        if any(own.eq(other) for other in others):
            return FALSE
        return z3.And(own, z3.Not(self._any_of(others)))

    def _any(self, formulas: Iterable[Any]) -> bool:
        return any(map(self._is_possible, formulas))

    def _unreachable(self, dead: Collection[str]) -> Iterator[Found]:
        """Name groups that a live permit lists and that never go: the release or a personal grant is missing."""
        for known in self._new.catalogue.record_types:
            slice_ = self._slice(self._new, known)
            if slice_ is None:
                continue
            for group in known.groups:
                listing = sorted(
                    one.ref.policy_id
                    for one in _covering(slice_, group.name, "permit")
                    if (one.ref.tier, one.ref.owner) == (self._tier, self._owner) and one.ref.policy_id not in dead
                )
                try:
                    if listing and not self._is_possible(self._formula(slice_, known, group.name)):
                        yield Found(
                            listing[0],
                            "nobody_can_release",
                            f"{group.name} is listed, and yet nobody can ever receive it",
                            "warning",
                        )
                except NotAnalysedError:
                    continue  # said of the pair


def _needed(known: RecordType, name: str) -> tuple[str, ...]:
    group = next((one for one in known.groups if one.name == name), None)
    if group is None:
        return (name,)
    return (RELEASE, name, PERSONAL) if group.is_personal else (RELEASE, name)


def _covering(slice_: Slice, action: str, effect: str) -> list[CompiledPolicy]:
    return [one for one in slice_.policies.values() if one.effect == effect and action in one.actions]


def _covered_alike(old: Slice | None, new: Slice | None, actions: Iterable[str]) -> bool:
    """Tell whether the same policies cover some actions in both slices: then nobody needs to be asked."""
    covering = [
        None
        if slice_ is None
        else {
            (one.effect, action, one.tree_text)
            for action in actions
            for one in slice_.policies.values()
            if action in one.actions
        }
        for slice_ in (old, new)
    ]
    return covering[0] == covering[1] and covering[0] is not None


def _same(old: Slice | None, new: Slice | None) -> bool:
    """Whether two slices hold the same policies, but for what binds nobody."""
    sides = [
        None if slice_ is None else {name.partition("@")[0]: one.tree_text for name, one in slice_.policies.items()}
        for slice_ in (old, new)
    ]
    return sides[0] == sides[1]


def _document(question: Question, plain: Record) -> dict[str, Any]:
    """Write a witness for people: what is plain is left out."""
    facts = question.record.facts if question.record else {}
    written: dict[str, Any] = {
        "asking": {
            "code": question.asking.code,
            "kind": question.asking.kind,
            "jurisdictions": sorted(question.asking.jurisdictions),
        },
        "holder": question.holder.code,
        "record_type": question.record_type,
        "purpose": question.purpose,
        "legal_basis": question.legal_basis,
        "mode": question.mode,
        "now": _written(question.now),
        "facts": {
            name: _written(value)
            for name, value in sorted(facts.items())
            if name != "holder" and value != plain.facts.get(name)
        },
    }
    if question.approvals:
        written["approvals"] = sorted(question.approvals)
    if question.client.units:
        written["units"] = sorted(question.client.units)
    if question.asking.suspended or question.client.suspended:
        written["suspended"] = True
    if question.overdue_acknowledgements:
        written["overdue_acknowledgements"] = question.overdue_acknowledgements
    for name in ("case_reference", "representing", "delegation"):
        part = getattr(question, name)
        if part is not None:
            written[name] = {member: _written(getattr(part, member)) for member in part.__slots__}
    return written


def _written(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if hasattr(value, "strftime") else value
