"""Quotas: as much as was set and no more, counted for all workers together, and nothing where none is set."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import event, select

from gateway.agencies.quotas import Quotas, Remaining
from gateway.agencies.register import RegisterMemory
from gateway.audit.models import AuditEntry
from gateway.commands.quotas import quota_group
from gateway.errors import InvalidInputError, StoreUnavailableError, UnknownError
from ipx.answers import Released
from ipx.problems import ProblemError
from ipx.request import AskSeveral
from tests.exchange.world import CUSTOMS, REGULATOR

BY = "operator:tests"
NOON = datetime(2026, 11, 25, 12, 0, 15, tzinfo=UTC)
ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


@pytest.fixture
def noon(gateway, monkeypatch):
    """It is a quarter past the minute of noon for the quotas, until the test says otherwise."""
    monkeypatch.setattr(gateway.services.quotas, "_clock", lambda: NOON)
    return lambda later: monkeypatch.setattr(gateway.services.quotas, "_clock", lambda: NOON + later)


def limit(gateway, subject, per_minute=None, per_day=None, query_records=None):
    gateway.services.quotas.set(subject, per_minute=per_minute, per_day=per_day, query_records=query_records, actor=BY)


def refused(gateway, **changes):
    with pytest.raises(ProblemError) as caught:
        gateway.ask(**changes)
    return caught.value.problem


def remaining(gateway):
    view = RegisterMemory(gateway.services.database).view()
    return gateway.services.quotas.remaining(view, "customs-xa", CUSTOMS)


def test_above_the_quota_nothing_is_filed_until_the_next_minute(gateway, noon):
    limit(gateway, "customs-xa", per_minute=2, per_day=100)
    assert [type(gateway.ask()) for _ in range(2)] == [Released, Released]

    problem = refused(gateway)

    assert (problem.status, problem.slug, problem.retry_after_seconds) == (429, "quota-exhausted", 45)
    assert gateway.count("exchange") == 2
    assert remaining(gateway) == [
        Remaining("customs-xa", "minute", 2, 0, 45),
        Remaining("customs-xa", "day", 100, 98, 12 * 3600 - 15),
    ]
    noon(timedelta(seconds=45))
    assert isinstance(gateway.ask(), Released)
    assert [one.left for one in remaining(gateway)] == [1, 97]


@ON_SQLITE
def test_a_repeat_is_answered_although_the_quota_is_used_up_and_a_denial_counts(gateway, noon):
    limit(gateway, CUSTOMS, per_day=2)
    request = gateway.sign()
    first = gateway.client().send(request)
    gateway.ask(number="999999999")

    assert gateway.client().send(request).evidence.raw == first.evidence.raw
    assert refused(gateway).slug == "quota-exhausted"


@ON_SQLITE
def test_the_smaller_of_agency_and_client_counts_and_a_change_holds_from_the_next_call_on(gateway, noon):
    limit(gateway, "customs-xa", per_day=100)
    limit(gateway, CUSTOMS, per_day=1)
    gateway.ask()
    assert CUSTOMS in refused(gateway).detail
    assert {one.subject: one.left for one in remaining(gateway)} == {"customs-xa": 99, CUSTOMS: 0}

    limit(gateway, CUSTOMS)

    assert isinstance(gateway.ask(), Released)


@ON_SQLITE
def test_a_query_for_more_records_than_the_quota_is_refused_by_its_limit(gateway):
    limit(gateway, "regulator-xa", query_records=10)
    query = {"record_type": "detention", "limit": 11}
    with pytest.raises(ProblemError) as caught:
        gateway.client(REGULATOR).request(
            AskSeveral("customs-xa", query, "market_surveillance", "XA Market Surveillance Act, s. 9")
        )
    assert caught.value.problem.errors == (("/query/limit", "at most 10 records for each query of yours"),)


def test_many_at_once_get_exactly_what_is_left(gateway, noon):
    limit(gateway, "customs-xa", per_minute=5)
    quotas = gateway.services.quotas
    allowance = quotas.allowance(RegisterMemory(gateway.services.database).view(), "customs-xa", CUSTOMS)
    taken = []

    def take():
        try:
            taken.append(quotas.take(allowance)[0].left)
        except Exception as error:  # noqa: BLE001  (what comes is what is asserted)
            taken.append(type(error).__name__)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, taken)) == ["0", "1", "2", "3", "4", *["QuotaExhaustedError"] * 3]


def test_a_node_whose_clock_is_behind_opens_no_earlier_minute(gateway, noon):
    limit(gateway, "customs-xa", per_minute=1)
    gateway.ask()
    noon(timedelta(minutes=-1))
    assert refused(gateway).slug == "quota-exhausted"


@ON_SQLITE
def test_without_a_quota_nothing_is_read_or_written_for_it(gateway):
    gateway.ask()
    statements = []
    for engine in (gateway.services.database.reader, gateway.services.database.writer):
        event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    gateway.ask()

    assert not [one for one in statements if "quota" in one]


@ON_SQLITE
def test_what_cannot_be_counted_is_not_asked(gateway, noon, monkeypatch):
    limit(gateway, "customs-xa", per_minute=5)

    def broken(*_):
        raise StoreUnavailableError("the database")

    monkeypatch.setattr(Quotas, "take", broken)

    assert refused(gateway).status == 503
    assert gateway.count("exchange") == 0


@ON_SQLITE
def test_a_quota_is_set_by_command_and_written_down(gateway, monkeypatch):
    monkeypatch.setattr("gateway.commands.quotas.services", lambda: gateway.services)
    run = CliRunner().invoke

    told = run(quota_group, ["set", "customs-xa", "--per-minute", "7", "--per-day", "70"], catch_exceptions=False)
    run(quota_group, ["set", "customs-xa", "--per-day", "none"], catch_exceptions=False)

    assert told.output == "quota of customs-xa: 7 exchanges a minute, 70 exchanges a day, from its next call on\n"
    assert '"per_minute": 7' in run(quota_group, ["list", "--json"]).output
    assert "per_day            no limit" in run(quota_group, ["show", "customs-xa"]).output
    with gateway.services.database.read() as session:
        acts = session.scalars(select(AuditEntry.detail).where(AuditEntry.act == "quota.set")).all()
    assert sorted(str(act["quota"]["per_day"]) for act in acts) == ["70", "None"]
    with pytest.raises(UnknownError, match="no agency nobody"):
        gateway.services.quotas.of("nobody")
    with pytest.raises(InvalidInputError):
        limit(gateway, "customs-xa", per_minute=0)
