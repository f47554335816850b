"""Bundles as the server makes them: they verify offline, for the two parties only, and no byte can be changed."""

import io
import zipfile
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.evidence.demands import NotYetProvable
from ipx import container, evidence, jws, storedzip
from ipx.errors import EvidenceError
from ipx.problems import ConflictError, NotFoundError
from tests.exchange.world import COURT, CUSTOMS, OFFICE, REGULATOR

DENIED = {
    "client_id": COURT,
    "agency": "customs-xa",
    "record_type": "detention",
    "number": "D2026-0007",
    "purpose": "court_proceeding",
}
FAILED = {"client_id": OFFICE, "agency": "ipo-xb", "number": "2023889012", "purpose": "examination"}


def verify(data, gateway):
    return evidence.verify(data, gateway.trust, now=gateway.services.clock())


def raw_bundle(gateway, exchange, client_id=CUSTOMS):
    return gateway.client(client_id, verified=False).bundle(exchange)


def test_a_bundle_of_a_release_verifies_offline_and_says_what_the_answer_says(gateway):
    answer = gateway.ask()

    report = verify(gateway.client().bundle(answer.evidence.exchange), gateway)

    assert report.exchange == answer.evidence.exchange
    assert report.receipt.token == answer.evidence.receipt
    assert {name: report.claims[name] for name in answer.fields} == dict(answer.fields)
    assert (report.erased, report.outcome) == (0, "released")


@pytest.mark.parametrize("asked", [DENIED, FAILED], ids=["denied", "failed"])
def test_a_refusal_and_a_failure_have_bundles_as_well(gateway, asked):
    answer = gateway.ask(**asked)

    report = verify(gateway.client(asked["client_id"]).bundle(answer.evidence.exchange), gateway)

    assert report.outcome == answer.__class__.__name__.lower()
    assert report.claims is None


def test_any_tool_opens_a_bundle_and_the_same_exchange_gives_the_same_bytes(gateway):
    exchange = gateway.ask().evidence.exchange

    first, second = (raw_bundle(gateway, exchange) for _ in range(2))

    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.testzip() is None
        assert {"manifest.json", "request.jws", "receipt.jws", "record.sd-jwt"} <= set(archive.namelist())


def test_only_the_two_parties_get_a_bundle(gateway):
    exchange = gateway.ask().evidence.exchange

    assert raw_bundle(gateway, exchange, OFFICE) == raw_bundle(gateway, exchange)
    with pytest.raises(NotFoundError):
        gateway.client(REGULATOR).bundle(exchange)
    with pytest.raises(NotFoundError):
        gateway.client().bundle("019ab2c0-0000-7000-8000-000000000001")


def test_a_bundle_that_lacks_what_the_trust_list_demands_is_refused_with_the_time_to_wait(gateway, monkeypatch):
    exchange = gateway.ask().evidence.exchange
    soon = gateway.services.clock() + timedelta(seconds=40)
    monkeypatch.setattr(gateway.services.published, "provable", lambda step_id: NotYetProvable(soon))

    with pytest.raises(ConflictError) as refused:
        gateway.client().bundle(exchange)

    assert refused.value.problem.slug == "not-yet-provable"
    assert 30 <= refused.value.problem.retry_after_seconds <= 40


def test_the_policy_that_withheld_a_group_is_signed(gateway):
    answer = gateway.ask(
        COURT, "customs-xa", "detention", "D2026-0007", purpose="court_proceeding", case_ref="IPC 118/2026"
    )
    document = jws.parse_object(answer.evidence.raw)
    stated = gateway.receipt(answer)["withheld"]

    assert stated == document["withheld"]
    assert any(row["policy"] is None for row in stated)
    for place, row in enumerate(stated):
        changed = [*stated[:place], {**row, "policy": "holder/customs-xa/other@1"}, *stated[place + 1 :]]
        with pytest.raises(EvidenceError, match="withheld"):
            verify(jws.dump_json({**document, "withheld": changed}), gateway)


@pytest.fixture(scope="module")
def some_bundle(one_gateway):
    """One real bundle, and what judges it; made once, because hypothesis asks often."""
    data = raw_bundle(one_gateway, one_gateway.ask().evidence.exchange)
    return data, one_gateway.trust, one_gateway.services.clock()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_single_changed_byte_is_refused_with_a_sentence(some_bundle, data):
    whole, trust, now = some_bundle
    at = data.draw(st.integers(0, len(whole) - 1), label="at")
    byte = data.draw(st.integers(1, 255), label="by")
    changed = whole[:at] + bytes([whole[at] ^ byte]) + whole[at + 1 :]

    with pytest.raises(EvidenceError) as refused:
        evidence.verify(changed, trust, now=now)

    assert str(refused.value).endswith(".")
    assert len(str(refused.value)) > 20


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_changed_byte_inside_a_file_is_refused_even_where_the_bundle_is_packed_anew(some_bundle, data):
    whole, trust, now = some_bundle
    members = container.unpack(whole)
    name = data.draw(st.sampled_from(sorted(members)), label="file")
    content = members[name]
    at = data.draw(st.integers(0, len(content) - 1), label="at")
    byte = data.draw(st.integers(1, 255), label="by")
    changed = {**members, name: content[:at] + bytes([content[at] ^ byte]) + content[at + 1 :]}
    assert storedzip.read(container.pack(changed))

    with pytest.raises(EvidenceError):
        evidence.verify(container.pack(changed), trust, now=now)
