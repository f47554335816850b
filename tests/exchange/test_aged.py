"""The past that the load suite makes is one in which the gateway goes on as in any other."""

from types import SimpleNamespace

from sqlalchemy import func, select

from gateway.auditor.models import ExchangeSearch
from gateway.evidence.models import LogEntry
from gateway.exchange.models import Exchange
from ipx.answers import Released
from tests.load import ageing


def test_an_aged_log_audits_clean_and_takes_the_next_exchange(gateway, monkeypatch):
    monkeypatch.setattr(ageing, "CHUNK", 300)
    before = gateway.count("log_entry")

    ageing.age(SimpleNamespace(settings=gateway.settings), 700)
    answer = gateway.ask()

    assert isinstance(answer, Released)
    assert gateway.count("log_entry") == before + 701
    gateway.services.log.audit()
    own_leaf = LogEntry.step_id == "exchange:" + Exchange.id + ":final"
    with gateway.services.database.read() as session:
        joined = select(func.count()).select_from(Exchange).join(LogEntry, LogEntry.idx == Exchange.log_index)
        assert session.scalar(joined.where(own_leaf)) == 701
    assert gateway.services.auditing.indexer.catch_up() == 1
    assert gateway.count(ExchangeSearch.__tablename__) == 2
