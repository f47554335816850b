"""Sources by form: tried with five records, registered, replaced, suspended; quarantined records driven again."""

import re

import pytest
from sqlalchemy import select

from connectors.protocol import Found, RecordKey
from connectors.quarantine import Quarantined, Reason, Rejection
from gateway.audit.models import AuditEntry
from gateway.clock import utc_now
from gateway.intake.quarantine import source_ref
from tests.web.admin.test_acts import hidden, submit

MARKS = "/admin/sources/ipo-xa-trademarks"


@pytest.fixture
def alice(person):
    return person("alice")


@pytest.fixture
def file(shared):
    return shared.services.sources.source("ipo-xa-trademarks").text


@pytest.fixture
def acts(shared):
    def of(subject):
        with shared.services.database.read() as session:
            query = select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.at)
            return [(row.actor, row.act) for row in session.scalars(query)]

    return of


@pytest.fixture
def quarantined(shared):
    """A record that could not be mapped when it came, and can be by now."""
    services = shared.services
    source = source_ref(services.database, "ipo-xa-trademarks")
    found = Found(
        raw=b"{}",
        media_type="application/json",
        source_ref="trademarks.json#/7",
        revised=None,
        signature=None,
        fetched_at=utc_now(),
        key=RecordKey("202400017"),
        position=7,
        findings=(),
    )
    why = (Rejection("expiry_date", Reason.BAD_DATE, "/expiry", "no such day"),)
    return services.intake.quarantine.keep(source, found, Quarantined("trademarks.json#/7", "202400017", why))


def test_five_records_are_tried_and_nothing_but_that_is_written(alice, acts):
    answer = submit(alice, f"{MARKS}/test")

    assert answer.status_code == 200
    assert "5 records can be served, 0 cannot" in answer.text
    assert acts("ipo-xa-trademarks")[-1] == ("person:alice", "source.tried")


def test_values_that_are_not_public_are_hidden(person):
    answer = submit(person("alice"), "/admin/sources/customs-xa-detentions/test")

    assert "•••" in answer.text


def test_a_file_is_tried_before_it_is_registered(alice, shared, file):
    before = shared.services.sources.source("ipo-xa-trademarks").sha256

    answer = submit(alice, f"{MARKS}/replace", text=file + "# tried\n", act="test")

    assert "records can be served" in answer.text
    assert "# tried" in answer.text
    assert shared.services.sources.source("ipo-xa-trademarks").sha256 == before


def test_a_file_is_replaced_as_it_was_typed(alice, shared, file, acts):
    answer = submit(alice, f"{MARKS}/replace", text=(file + "# second\n").replace("\n", "\r\n"), act="save")

    assert "serves trademark records from now on" in answer.text
    assert shared.services.sources.source("ipo-xa-trademarks").text == file + "# second"
    assert acts("ipo-xa-trademarks")[-1] == ("person:alice", "source.set")


def test_a_file_that_somebody_replaced_meanwhile_is_not_overwritten(alice, shared, file):
    seen = hidden(alice.get(f"{MARKS}/replace").text, "version")
    shared.services.sources.add(file + "\n# another\n", actor="operator:tests", replace=True)

    answer = submit(alice, f"{MARKS}/replace", text=file + "\n# mine\n", act="save", version=seen)

    assert answer.status_code == 412
    assert "# another" in shared.services.sources.source("ipo-xa-trademarks").text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Enter it"),
        ("source: [", 'href="#text"'),
        ("source: {}", 'href="#text"'),
    ],
)
def test_a_file_that_is_wrong_is_shown_again_with_every_fault(alice, text, said):
    answer = submit(alice, "/admin/sources/add", text=text, act="save")

    assert answer.status_code == 422
    assert said in answer.text


def test_a_second_source_of_the_same_records_is_refused(alice, file):
    answer = submit(alice, "/admin/sources/add", text=file, act="save")

    assert answer.status_code == 422
    assert "exists already" in answer.text


def test_a_page_of_one_source_takes_no_file_of_another(alice, shared):
    other = shared.services.sources.source("customs-xa-detentions").text

    assert submit(alice, f"{MARKS}/replace", text=other, act="save").status_code == 422


def test_only_the_gateways_own_people_register_files(person):
    assert person("adam").get("/admin/sources/add").status_code == 403
    assert person("adam").get(f"{MARKS}/replace").status_code == 403
    assert "${secret" not in person("adam").get(MARKS).text


def test_a_source_is_suspended_by_its_agencys_administrator_and_resumed(person, acts):
    adam = person("adam")

    suspended = submit(adam, f"{MARKS}/suspend", reason="maintenance")
    resumed = submit(adam, MARKS, at=f"{MARKS}/resume")

    assert "is suspended" in suspended.text
    assert "is asked again" in resumed.text
    assert acts("ipo-xa-trademarks")[-2:] == [("person:adam", "source.suspended"), ("person:adam", "source.resumed")]


def test_a_quarantined_record_waits_on_the_start_page_and_says_why(alice, quarantined):
    assert "1 record of ipo-xa-trademarks cannot be served" in alice.get("/admin/").text
    page = alice.get(f"{MARKS}/quarantine/{quarantined}").text

    assert "not a date" in page
    assert "no such day" in page


def test_a_quarantined_record_is_driven_again(person, shared, quarantined, acts):
    answer = submit(person("olga"), f"{MARKS}/quarantine", at=f"{MARKS}/quarantine/redrive")

    assert "1 record is settled" in answer.text
    assert shared.services.intake.quarantine.open_count("ipo-xa-trademarks") == 0
    assert acts("ipo-xa-trademarks")[-1] == ("person:olga", "source.redriven")


def test_an_entry_is_found_under_its_own_source_only(alice, quarantined):
    assert alice.get(f"/admin/sources/customs-xa-detentions/quarantine/{quarantined}").status_code == 404


def test_texts_of_others_are_no_markup(alice, shared):
    shared.services.sources.suspend("customs-xa-recordals", reason="<script>alert(1)</script>", actor="operator:tests")
    page = alice.get("/admin/sources/customs-xa-recordals").text

    assert "<script>alert" not in page
    assert re.search(r"&lt;script&gt;alert", page)
