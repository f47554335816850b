"""What policies may know of a record: facts computed from the record alone, never from a request."""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from gateway.records.codes import code_table
from gateway.records.fact_rules import FactRules, StageClause
from gateway.records.record import Record
from gateway.records.states import is_deferred, is_sealed, is_unpublished

Fact = bool | str | datetime | frozenset[str]


@dataclass(frozen=True, slots=True)
class PartyKeys:
    """Turns strong identifiers of parties into keys that tell equal from different and nothing else."""

    secret: bytes

    def of(self, identifier: str) -> str:
        """The key of one identifier, `CN.uscc:91…`: HMAC-SHA256 in hexadecimal."""
        return hmac.new(self.secret, b"ipx-party/v1\x00" + identifier.encode(), sha256).hexdigest()

    def of_parties(self, parties: Sequence[Mapping[str, Any]], *, holder: str) -> frozenset[str]:
        """The keys of all parties that have a number; a party known by name only has none and matches nobody."""
        return frozenset(self.of(identifier) for party in parties for identifier in _identifiers(party, holder))


def facts(record: Record, *, on: date, party_keys: PartyKeys) -> dict[str, Fact]:
    """Compute every fact that policies may read.

    Args:
        record: as the holder gave it.
        on: today, for what runs out by itself: consents and orders. All else is judged at the record's `as_of`, since
            only a new revision of the holder publishes, unseals or makes final.
        party_keys: makes keys of the parties' numbers.

    Returns:
        The facts of `policy_catalogue`; `happened_on` is missing where the record has no such day.
    """
    rules, fields = record.record_type.facts, record.fields
    as_of = record.envelope.as_of.astimezone(UTC).date().isoformat()
    under_appeal = _any_appeal(rules, fields, "open")
    fallen = _any_appeal(rules, fields, "falls")
    found: dict[str, Fact] = {
        "holder": record.envelope.holder,
        "jurisdiction": record.jurisdiction,
        "status": record.envelope.status,
        "stage": _stage(rules.stage, fields),
        "sealed": is_sealed(record),
        "unpublished": is_unpublished(record),
        "deferred": is_deferred(record),
        "notified": any(fields.get(field, "9999-12-31") <= as_of for field in rules.notified),
        "under_appeal": under_appeal,
        "final": fields.get(rules.final_on or "", "9999-12-31") <= as_of and not under_appeal and not fallen,
        "consent_all": _all_consent(record, on),
        "right_keys": frozenset(right_keys(rules, fields)),
        "case_numbers": frozenset(_case_numbers(rules, fields)),
        "parties": frozenset(_party_keys(record, party_keys)),
    }
    happened = next((fields[field] for field in rules.happened_on if field in fields), None)
    if happened is not None:
        found["happened_on"] = datetime.fromisoformat(happened[:10]).replace(tzinfo=UTC)
    return found


def _stage(clauses: Sequence[StageClause], fields: Mapping[str, Any]) -> str:
    for clause in clauses:
        if clause.table and clause.code and clause.code in fields:
            return str(code_table(clause.table).words[fields[clause.code]]["stage"])
        speaks = (
            clause.has in fields
            if clause.has
            else fields.get(clause.field) in clause.words
            if clause.field
            else clause.code is None
        )
        if speaks and clause.stage:
            return clause.stage
    return "unknown"


def _any_appeal(rules: FactRules, fields: Mapping[str, Any], mark: str) -> bool:
    return any(fields.get(appeal.field) in code_table(appeal.table).words_with(mark) for appeal in rules.appeals)


def right_keys(rules: FactRules, fields: Mapping[str, Any]) -> Iterator[str]:
    """Give the keys of the rights that a record is, or is about."""
    own = rules.own_right
    if own is not None and own.number in fields:
        right_type = (own.words or {}).get(fields.get(own.field or "", ""), own.right_type)
        yield f"{fields['office']}|{right_type}|{fields[own.number]}"
    for field in rules.right_keys:
        yield from _texts(fields.get(field))
    yield from (link["right_key"] for link in fields.get("links", ()) if "right_key" in link)


def _case_numbers(rules: FactRules, fields: Mapping[str, Any]) -> Iterator[str]:
    for field in rules.case_numbers:
        yield from _texts(fields.get(field))
    yield from (link["case_number"] for link in fields.get("links", ()) if "case_number" in link)


def _party_keys(record: Record, party_keys: PartyKeys) -> Iterator[str]:
    rules, fields, holder = record.record_type.facts, record.fields, record.envelope.holder
    for field in rules.parties:
        said = fields.get(field, [])
        yield from party_keys.of_parties(said if isinstance(said, list) else [said], holder=holder)
    numbers = [f"{kind}:{fields[field]}" for kind, field in (rules.own_numbers or {}).items() if field in fields]
    for field in rules.own_identifiers:
        numbers += _texts(fields.get(field))
    yield from (party_keys.of(number if ":" in number else f"{holder}:{number}") for number in numbers)


def _identifiers(party: Mapping[str, Any], holder: str) -> Iterator[str]:
    yield from party.get("identifiers", ())
    own = party.get("party_id")
    if own:
        yield own if ":" in own else f"{holder}:{own}"


def _all_consent(record: Record, on: date) -> bool:
    """Every party has consented, for every group that is not sealed anyway, and no consent has run out."""
    rules, fields = record.record_type.facts, record.fields
    parties = {party.get("party_no") for field in rules.consenting for party in fields.get(field, ())}
    consents = fields.get(rules.consents or "", ())
    wanted = {name for name, group in record.record_type.groups.items() if group.classification != "sealed"}
    wanted -= {name for name in wanted if name.startswith("record.") or name.endswith((".extensions", ".consent"))}
    covering = {
        consent["party_no"]
        for consent in consents
        if consent.get("until", "9999-12-31") >= on.isoformat() and wanted <= set(consent.get("groups", wanted))
    }
    return bool(parties) and None not in parties and parties <= covering


def _texts(value: Any) -> Sequence[str]:
    return value if isinstance(value, list) else [value] if value else []
