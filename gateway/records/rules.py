"""Cross-field rules by name. A declaration says which rule holds for which fields; here is what each rule means.

A rule sees a record whose named fields have the right shape, and yields what it finds. Whether that refuses the record
or only flags it is the declaration's choice.
"""

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from gateway.records import dated_rules
from gateway.records.codes import code_table
from gateway.records.dated_rules import Circumstances
from gateway.records.identifiers import IdentifierError, canonical
from gateway.records.reasons import Finding, Reason

Fields = Mapping[str, Any]

FIELD_ARGUMENTS = frozenset(
    {"field", "earlier", "later", "other", "others", "of", "needs", "excludes", "code", "on", "office"}
)
"""Arguments of rules whose values are names of fields of the type."""

_SEVERAL_NUMBERS = re.compile(r"[;,、；，]|\s(?:and|et|und|y)\s")  # noqa: RUF001  (Chinese lists are separated so)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule applied to the fields of one type."""

    name: str
    arguments: Mapping[str, Any]

    @property
    def fields(self) -> frozenset[str]:
        """The fields it reads."""
        named: set[str] = set()
        for argument in FIELD_ARGUMENTS & self.arguments.keys():
            value = self.arguments[argument]
            named.update([value] if isinstance(value, str) else value)
        return frozenset(named)

    def findings(self, fields: Fields, circumstances: Circumstances) -> Iterator[Finding]:
        dated = dated_rules.DATED_RULES.get(self.name)
        if dated is not None:
            return dated(fields, circumstances, **self.arguments)
        return PLAIN_RULES[self.name](fields, **self.arguments)


def read_rule(said: Mapping[str, Any], known: Collection[str]) -> Rule:
    """Read a rule of a declaration.

    Raises:
        ValueError: no such rule, an argument it does not take, or a field that is not there.
    """
    arguments = dict(said)
    name = arguments.pop("rule")
    found = Rule(name, arguments)
    function = dated_rules.DATED_RULES.get(name) or PLAIN_RULES.get(name)
    if function is None:
        raise ValueError(f"no rule is called {name}")
    given: tuple[Any, ...] = ({}, None) if name in dated_rules.DATED_RULES else ({},)
    inspect.signature(function).bind(*given, **arguments)
    missing = sorted(found.fields - set(known))
    if missing:
        raise ValueError(f"rule {name} names fields that are not there: {', '.join(missing)}")
    return found


def not_before(fields: Fields, *, field: str, earlier: str) -> Iterator[Finding]:
    """A day does not come before another one; of instants their days are compared."""
    if field in fields and earlier in fields and fields[field][:10] < fields[earlier][:10]:
        yield Finding(field, "contradictory", f"before {earlier}")


def not_after(fields: Fields, *, field: str, later: str) -> Iterator[Finding]:
    if field in fields and later in fields and fields[field][:10] > fields[later][:10]:
        yield Finding(field, "contradictory", f"after {later}")


def present_needs(fields: Fields, *, field: str, needs: str) -> Iterator[Finding]:
    if field in fields and needs not in fields:
        yield Finding(needs, "missing_required", f"{field} is there")


def required_unless(fields: Fields, *, field: str, other: str) -> Iterator[Finding]:
    if field not in fields and other not in fields:
        yield Finding(field, "missing_required", f"and {other} is not there either")


def flag_needs(fields: Fields, *, field: str, needs: str) -> Iterator[Finding]:
    if fields.get(field) is True and needs not in fields:
        yield Finding(needs, "missing_required", f"{field} is true")


def word_needs(fields: Fields, *, field: str, words: Sequence[str], needs: str) -> Iterator[Finding]:
    if fields.get(field) in words and needs not in fields:
        yield Finding(needs, "missing_required", f"{field} is {fields[field]}")


def word_excludes(
    fields: Fields, *, field: str, words: Sequence[str], excludes: str, reason: Reason = "contradictory"
) -> Iterator[Finding]:
    if fields.get(field) in words and excludes in fields:
        yield Finding(excludes, reason, f"{field} is {fields[field]}")


def word_excludes_words(
    fields: Fields, *, field: str, words: Sequence[str], other: str, excludes_words: Sequence[str]
) -> Iterator[Finding]:
    if fields.get(field) in words and fields.get(other) in excludes_words:
        yield Finding(other, "contradictory", f"{field} is {fields[field]}")


def unique(
    fields: Fields, *, field: str, by: Sequence[str], forms: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Finding]:
    """No two entries of a list agree in all these members.

    `forms`: office → kinds of identifier in which one number may be printed; the last of `by` is then that number.
    """
    seen = set()
    for entry in fields.get(field, ()):
        key = tuple(entry.get(member) for member in by)
        if forms and entry.get("office") in forms and isinstance(key[-1], str):
            key = (*key[:-1], _one_form(key[-1], forms[entry["office"]]))
        if any(part is not None for part in key) and key in seen:
            yield Finding(field, "more_than_one", f"two entries with one {' and '.join(by)}")
            return
        seen.add(key)


def _one_form(text: str, kinds: Sequence[str]) -> str:
    """A number as the first of these kinds that knows it writes it; a number that none knows stays as it is."""
    for kind in kinds:
        try:
            return canonical(kind, text)
        except IdentifierError:
            continue
    return text


def lines_of(fields: Fields, *, field: str, of: str) -> Iterator[Finding]:
    """Every line of a list is a line of the list that carries the goods."""
    lines = {entry["line"] for entry in fields.get(of, ())}
    if any(entry["line"] not in lines for entry in fields.get(field, ())):
        yield Finding(field, "contradictory", f"a line that {of} does not have")


def disjoint(fields: Fields, *, field: str, other: str, by: str, reason: Reason) -> Iterator[Finding]:
    """Nothing stands in both of two lists: what was sealed has left the public one."""
    hidden = {entry[by] for entry in fields.get(other, ()) if by in entry}
    if any(entry.get(by) in hidden for entry in fields.get(field, ())):
        yield Finding(field, reason, f"an entry that stands in {other} too")


def differ(fields: Fields, *, field: str, others: str) -> Iterator[Finding]:
    """Two sides are not the same: parties by their numbers where both have them, else by name."""
    mine, theirs = fields.get(field), fields.get(others)
    if mine and theirs and _identities(mine) == _identities(theirs):
        yield Finding(field, "contradictory", f"the same as {others}")


def not_among(fields: Fields, *, field: str, others: str, member: str | None = None) -> Iterator[Finding]:
    listed = fields.get(others, ())
    if fields.get(field) in [entry.get(member) if member else entry for entry in listed if entry]:
        yield Finding(field, "contradictory", f"stands among {others}")


def one_number(fields: Fields, *, field: str) -> Iterator[Finding]:
    if field in fields and _SEVERAL_NUMBERS.search(fields[field]):
        yield Finding(field, "more_than_one", "several numbers in one text")


def member_present(fields: Fields, *, field: str, member: str, reason: Reason) -> Iterator[Finding]:
    if any(not entry.get(member) for entry in fields.get(field, ())):
        yield Finding(field, reason, f"an entry without {member}")


def member_needs(fields: Fields, *, field: str, member: str, needs: str) -> Iterator[Finding]:
    if any(member in entry for entry in fields.get(field, ())) and not fields.get(needs):
        yield Finding(field, "contradictory", f"{member} without {needs}")


def texts_have_language(fields: Fields, *, field: str, member: str) -> Iterator[Finding]:
    if any("lang" not in said for entry in fields.get(field, ()) for said in entry.get(member, ())):
        yield Finding(field, "missing_required", "a text without its language")


def object_needs(fields: Fields, *, field: str, member: str, beside: str) -> Iterator[Finding]:
    about = fields.get(field, {})
    if member in about and beside not in about:
        yield Finding(field, "missing_required", f"{member} without {beside}")


def between(fields: Fields, *, field: str, member: str, lowest: str, highest: str) -> Iterator[Finding]:
    value = fields.get(field, {}).get(member)
    if value is not None and not Decimal(lowest) <= Decimal(value) <= Decimal(highest):
        yield Finding(field, "bad_number", f"{member} is not between {lowest} and {highest}")


def working_day(fields: Fields, *, field: str) -> Iterator[Finding]:
    """A deadline on a weekend is moved by most procedures; holidays are the authority's own list and not known here."""
    if field in fields and date.fromisoformat(fields[field]).weekday() >= _SATURDAY:
        yield Finding(field, "bad_date", "a Saturday or Sunday")


def priority_within_months(fields: Fields, *, field: str, of: str, months: int) -> Iterator[Finding]:
    """Paris Convention, article 4C: twelve months for patents; offices restore two more."""
    filed = fields.get(of)
    for claimed in fields.get(field, ()):
        if filed and "date" in claimed and _months_between(claimed["date"], filed) > months:
            yield Finding(field, "contradictory", f"a priority more than {months} months before {of}")
            return


def no_placeholder_names(fields: Fields, *, field: str) -> Iterator[Finding]:
    """Who asked not to be named is counted, not listed, not even by the phrase the register prints instead."""
    withheld = code_table("name-withheld")
    if any(withheld.word(party.get("name", "")) for party in fields.get(field, ())):
        yield Finding(field, "class_conflict", "somebody who asked not to be named")


def consent_by_all(fields: Fields, *, field: str, others: Sequence[str]) -> Iterator[Finding]:
    """Consent that does not cover every party opens nothing; better said when the record comes in."""
    consenting = {consent["party_no"] for consent in fields.get(field, ())}
    parties = {party.get("party_no") for side in others for party in fields.get(side, ())}
    if consenting and consenting != parties:
        yield Finding(field, "contradictory", "not one consent of each party")


def number_of_office(fields: Fields, *, field: str, office: str, numbers: Mapping[str, str]) -> Iterator[Finding]:
    """A number has the form its office gives to numbers; `numbers` is office → kind of identifier."""
    kind = numbers.get(fields.get(office, ""))
    if field in fields and kind:
        yield from _canonical(field, kind, fields[field])


def written_form(fields: Fields, *, field: str, forms: Mapping[str, str]) -> Iterator[Finding]:
    """A text with a tell-tale character is an identifier of that kind, in its canonical form."""
    for mark, kind in forms.items():
        if mark in fields.get(field, ""):
            yield from _canonical(field, kind, fields[field])


def _canonical(field: str, kind: str, text: str) -> Iterator[Finding]:
    try:
        if canonical(kind, text) != text:
            yield Finding(field, "bad_identifier", f"not in the canonical form of {kind}")
    except IdentifierError as error:
        yield Finding(field, error.reason, error.detail)


def _identities(side: Any) -> frozenset[str]:
    parties = side if isinstance(side, list) else [side]
    return frozenset(_identity(party) for party in parties)


def _identity(party: Any) -> str:
    if isinstance(party, str):
        return party
    return min(party.get("identifiers", ()), default="") or party.get("party_id") or party.get("name", "")


def _months_between(earlier: str, later: str) -> int:
    first, second = date.fromisoformat(earlier), date.fromisoformat(later)
    return (second.year - first.year) * 12 + second.month - first.month - (second.day < first.day)


PLAIN_RULES: Mapping[str, Callable[..., Iterator[Finding]]] = {
    rule.__name__: rule
    for rule in (
        *(
            not_before,
            not_after,
            present_needs,
            required_unless,
            flag_needs,
            word_needs,
            word_excludes,
            word_excludes_words,
        ),
        *(unique, lines_of, disjoint, differ, not_among, one_number, member_present, member_needs),
        *(texts_have_language, object_needs, between, working_day, priority_within_months),
        *(no_placeholder_names, consent_by_all, number_of_office, written_form),
    )
}
