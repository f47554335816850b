"""A demo world with a past: exchanges that nobody made, whose evidence holds like that of all others."""

import pytest
from sqlalchemy import select

from gateway.clock import utc_now
from gateway.demo.past import HISTORY, Past
from gateway.demo.repeated import NODE
from gateway.demo.run import Demo, DemoError
from gateway.exchange.models import Exchange
from ipx import evidence
from ipx.errors import EvidenceError
from tests.exchange.world import Gateway


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    demo = Demo(tmp_path_factory.mktemp("past"), 18080)
    past = Past(demo)
    past.begin()
    told = []
    assert past.seed(200, told.append) == 200
    assert any("200 of 200" in line for line in told)
    gateway = Gateway(demo, demo.settings)
    yield gateway
    gateway.close()


def of_the_past(gateway):
    query = select(Exchange).where(Exchange.node == NODE).order_by(Exchange.received_at)
    with gateway.services.database.read() as session:
        return session.scalars(query).all()


def test_it_reaches_back_half_a_year_in_the_order_of_the_log(seeded):
    rows = of_the_past(seeded)

    assert len(rows) == 200
    assert utc_now() - rows[0].received_at > 0.9 * HISTORY
    assert rows[-1].received_at < utc_now()
    assert [row.log_index for row in rows] == list(range(rows[0].log_index, rows[0].log_index + 200))
    assert {"released", "denied", "failed"} == {row.state for row in rows}


def test_its_log_is_derived_again_without_a_difference(seeded):
    seeded.services.log.audit()


def test_bundles_of_the_past_verify_whatever_their_outcome(seeded):
    rows = of_the_past(seeded)
    chosen = [rows[0], rows[-1], *(next(row for row in rows if row.state == state) for state in ("denied", "failed"))]

    for row in chosen:
        bundle = seeded.services.bundles.build(row.id)
        report = evidence.verify(bundle, seeded.trust, now=utc_now())
        assert (report.exchange, report.outcome) == (row.id, row.state)
        with pytest.raises(EvidenceError):
            evidence.verify(bundle[:600] + bytes([bundle[600] ^ 1]) + bundle[601:], seeded.trust, now=utc_now())


def test_what_was_released_long_ago_is_not_kept_any_more(seeded):
    rows = [row for row in of_the_past(seeded) if row.state == "released"]

    assert rows[0].answer_expired_at is not None
    assert rows[-1].answer_expired_at is None


def test_auditors_find_it(seeded):
    assert seeded.services.auditing.indexer.reaches() >= of_the_past(seeded)[-1].log_index


def test_an_interrupted_past_goes_on_where_it_ended(seeded):
    newest = of_the_past(seeded)[-1].received_at

    assert Past(seeded.demo).seed(200, print) == 0
    assert Past(seeded.demo).seed(210, print) == 10
    assert min(row.received_at for row in of_the_past(seeded)[-10:]) >= newest
    seeded.services.log.audit()


def test_a_world_of_today_gets_no_past(tmp_path):
    demo = Demo(tmp_path, 18080)
    demo.settings_file.write_text("# prepared before\n", "utf-8")

    with pytest.raises(DemoError, match="--dir"):
        Past(demo).begin()
