"""A person is told who read their records, and nothing of what an order hides before its date."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.audit.models import AuditEntry
from gateway.auditor.indexing import facts_of
from gateway.auditor.models import ExchangeParty
from gateway.auditor.scope import NATIONAL, OWN, Scope
from gateway.errors import InvalidInputError, UnknownError
from policies.snapshots import read_snapshots
from tests.exchange.recall_calls import allow, make
from tests.exchange.test_bundle_commands import runner
from tests.exchange.world import CUSTOMS, OFFICE

NATION, OF_COURT = Scope("person:carol", None), Scope("person:jo", "court-xa")
OWNER = "ipo-xa:P-1"


@pytest.fixture
def subjects(gateway):
    return gateway.services.auditing.subjects


def party(gateway, exchange, identifier=OWNER, *, is_sealed=False):
    """Note a party of an exchange, as the index does where a record names one."""
    key = gateway.services.auditing.subjects._parties.of(identifier)
    with gateway.services.database.write() as session:
        session.merge(ExchangeParty(party=key, exchange_id=exchange, is_sealed=is_sealed))


def test_the_index_notes_the_parties_of_what_was_decided_by_the_keys_that_policies_know(one_gateway):
    sight = one_gateway.services.sight
    kept = sight._past.of(one_gateway.ask().evidence.exchange)
    (asked,) = read_snapshots(kept.exchange, kept.data, sight._catalogue, kept.record_type, kept.holder)
    key = one_gateway.services.auditing.subjects._parties.of(OWNER)

    def noted(**facts):
        record = replace(asked.question.record, facts={**asked.question.record.facts, **facts})
        return facts_of(sight._questions.snapshot(replace(asked.question, record=record))).parties

    assert noted(parties=frozenset({key})) == {key: False}
    assert noted(parties=frozenset({key}), sealed=True) == {key: True}
    assert noted(parties=frozenset()) == facts_of(b"").parties == {}


def test_a_person_s_list_says_who_when_and_why_and_leaves_a_leaf_without_the_number(gateway, subjects):
    exchange = gateway.ask().evidence.exchange
    gateway.services.auditing.indexer.catch_up()
    party(gateway, exchange)
    (one,) = subjects.readers(NATION, f" {OWNER} ")
    with gateway.services.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.act == "audit.subject")).one()

    assert (one.exchange, one.requester, one.holder, one.purpose) == (
        exchange,
        "customs-xa",
        "ipo-xa",
        "border_enforcement",
    )
    assert one.legal_basis == "XA Customs Cooperation Agreement 2025, art. 4"
    assert (entry.actor, entry.detail) == ("person:carol", {"found": 1})
    assert entry.log_index is not None
    assert OWNER not in entry.subject
    assert subjects.readers(NATION, "ipo-xa:P-2") == []
    assert subjects.readers(OF_COURT, OWNER) == []
    with pytest.raises(InvalidInputError):
        subjects.readers(NATION, " ")


def test_what_is_sealed_is_hidden_until_its_date(gateway, subjects):
    plain, ordered, secret = (gateway.ask().evidence.exchange for _ in range(3))
    for exchange in (plain, ordered):
        party(gateway, exchange)
    party(gateway, secret, is_sealed=True)
    now = gateway.services.clock()
    subjects.seal(ordered, until=now + timedelta(days=30), order="K 12/2026", actor="operator:root")

    def told():
        return {one.exchange for one in subjects.readers(NATION, OWNER)}

    assert told() == {plain}
    subjects.seal(ordered, until=now - timedelta(seconds=1), order="K 13/2026", actor="operator:root")
    assert told() == {plain, ordered}
    subjects.seal(secret, until=now - timedelta(seconds=1), order="K 14/2026", actor="operator:root")
    assert told() == {plain, ordered, secret}
    with pytest.raises(UnknownError):
        subjects.seal("019ab2c0-0000-7000-8000-000000000001", until=now, order="K 1", actor="operator:root")


def test_what_the_holder_sealed_since_is_hidden_until_it_is_unsealed_or_its_order_has_passed(gateway, subjects):
    allow(gateway, OFFICE)
    exchange = gateway.ask().evidence.exchange
    party(gateway, exchange)
    told = [len(subjects.readers(NATION, OWNER))]
    for kind, order in (("sealed", "K 15/2026"), ("unsealed", None), ("sealed", "K 16/2026")):
        assert make(gateway, kind=kind, order=order).status == 201
        told.append(len(subjects.readers(NATION, OWNER)))
    past = gateway.services.clock() - timedelta(seconds=1)
    subjects.seal(exchange, until=past, order="K 16/2026", actor="operator:root")

    assert told == [1, 0, 1, 0]
    assert len(subjects.readers(NATION, OWNER)) == 1


def test_an_erased_exchange_is_told_to_nobody_any_more(gateway, subjects):
    exchange = gateway.ask().evidence.exchange
    gateway.services.auditing.indexer.catch_up()
    party(gateway, exchange)
    gateway.services.erasure.exchange(exchange, legal_basis="Data Protection Act, s. 17", actor="person:alice")
    gateway.services.auditing.indexer.catch_up()

    assert subjects.readers(NATION, OWNER) == []


def test_a_person_s_list_from_a_shell(one_gateway, tmp_path, monkeypatch):
    one_gateway.services.agencies.set_scopes("customs-xa", ["exchange:request", OWN, NATIONAL], actor="test")
    one_gateway.services.agencies.set_client_scopes(CUSTOMS, ["exchange:request", OWN, NATIONAL], actor="test")
    party(one_gateway, one_gateway.ask().evidence.exchange)
    run = runner(one_gateway, tmp_path, monkeypatch)

    assert json.loads(run("audit", "subject", OWNER, "--json").stdout)["total"] == 1
    assert "1 records were handed over" in run("audit", "subject", OWNER).stdout
    assert run("audit", "subject", " ").exit_code != 0
