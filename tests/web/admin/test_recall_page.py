"""Officers see what was called back and what is to be acknowledged; whoever runs the gateway, whom to call."""

import html

from tests.exchange.recall_calls import acknowledge, allow, make
from tests.exchange.world import CUSTOMS, OFFICE
from tests.web.people import browser


def text_of(reply):
    return html.unescape(reply.get_data(as_text=True))


def test_the_page_names_the_record_to_officers_of_the_holder_and_to_nobody_else(gateway, signed_in):
    allow(gateway, OFFICE)
    gateway.ask()
    recall_id = make(gateway, reason="entered twice").json()["id"]
    otto, olga = signed_in(browser(gateway), "otto"), signed_in(browser(gateway), "olga")

    officer, operator = text_of(otto.get("/admin/recalls")), text_of(olga.get("/admin/recalls"))

    assert recall_id in officer
    assert gateway.urn() in officer
    assert "entered twice" in officer
    assert recall_id in operator
    assert "customs-xa" in operator
    assert gateway.urn() not in operator
    assert "entered twice" not in operator
    assert recall_id not in text_of(otto.get("/admin/recalls?role=addressee"))

    acknowledge(gateway, recall_id)

    assert recall_id not in text_of(otto.get("/admin/recalls"))
    assert "deleted" in text_of(otto.get("/admin/recalls?state=all"))
    assert otto.get("/admin/recalls?before=x").status_code == 400


def test_the_start_page_tells_officers_what_is_to_be_acknowledged(gateway, signed_in):
    allow(gateway, CUSTOMS)
    recordal = {"agency": "customs-xa", "record_type": "customs_recordal", "number": "R2025-0031"}
    gateway.ask(OFFICE, **recordal, purpose="examination", legal_basis="XA Customs Cooperation Agreement 2025, art. 6")
    make(gateway, CUSTOMS, record=gateway.urn(**recordal))
    otto = signed_in(browser(gateway), "otto")

    assert "1 recall is to be acknowledged" in text_of(otto.get("/admin/"))
    assert gateway.urn(**recordal) in text_of(otto.get("/admin/recalls?role=addressee"))
