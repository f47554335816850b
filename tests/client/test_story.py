"""How the story is told and what it forges; `make demo` plays it over the real server."""

import json
from datetime import UTC, datetime

import pytest

from gateway.demo import turns
from gateway.demo.forgery import forgeries
from gateway.demo.story import Counts
from gateway.demo.telling import Teller
from ipx import evidence
from ipx import trust as trust_list
from ipx.client import Client
from ipx.errors import EvidenceError


@pytest.fixture
def answer(stub, key):
    with Client(stub.origin, stub.client_id, key) as client:
        return client.request(turns.MARK_AT_THE_BORDER.ask(lambda *parts: f"urn:ipx:{':'.join(parts)}"))


def told(tell):
    lines = []
    tell(Teller(lines.append))
    return "\n".join(lines)


def test_the_last_line_is_the_one_that_scripts_read():
    counts = Counts(released=6, denied=4, failed=1, verified=11, tampered_refused=5)

    assert told(lambda teller: teller.finish(counts.line())).splitlines()[-1] == (
        "demo: 11 exchanges: 6 released, 4 denied, 1 failed; 11 verified offline, 5 tampered refused"
    )


def test_every_forgery_differs_is_well_formed_and_is_refused(stub, answer):
    trust = trust_list.load(json.dumps(stub.issuer.trust()).encode(), pinned=None, at_least=0)
    evidence.verify(answer.evidence.raw, trust, now=datetime.now(UTC))
    made = list(forgeries(answer.evidence.raw))

    assert len({changed for changed, _ in made}) == len(made) == 5
    for _, raw in made:
        assert json.loads(raw).keys() == json.loads(answer.evidence.raw).keys()
        with pytest.raises(EvidenceError):
            evidence.verify(raw, trust, now=datetime.now(UTC))


def test_an_outcome_names_every_group_released_and_withheld(answer):
    text = told(lambda teller: teller.outcome(answer, "trademark"))

    assert "released trademark.biblio  application_number: 202400017" in text
    assert "trademark.owner  owners: Velmora Instruments Ltd" in text
    assert "withheld not_granted (no policy grants it): trademark.owner.contact" in text
    assert "entry 0 of the log, record sealed by the gateway" in text


def test_a_refusal_says_why(stub, key):
    stub.answer = lambda request: stub.issuer.problem(request, "no-information", 404, "denied")
    with Client(stub.origin, stub.client_id, key) as client:
        answer = client.request(turns.SEALED_CASE.ask(lambda *parts: "urn:ipx:court-xa:court_case:x"))

    assert "denied   no-information (no_information)" in told(lambda teller: teller.outcome(answer, "court_case"))
