"""A holder hands over records it signed itself, and requesters get them under its own signature."""

import json

import pytest
from sqlalchemy import text

from connectors.deadline import Deadline
from gateway.agencies.models import Agency, Client
from gateway.clock import utc_now
from gateway.intake.quarantine import source_ref
from ipx import sdjwt
from ipx.channel import Call
from ipx.documents import RECORD_TYP
from ipx.keys import generate_signer
from ipx.tokens import Grant
from tests.exchange.breaking import failing
from tests.exchange.world import MARK, OFFICE

SOURCE = """
source: {name: ipo-xa-trademarks, holder: ipo-xa, record_type: trademark, schema_version: 1, kind: push}
licence: {name: Trademark Register Regulation of XA, onward: attribution}
freshness: {expect: P7D, stale: P30D}
key: application_number
"""


on_one_database = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


class Holder:
    """The IP office with a key of its own: signs what the register holds and pushes it."""

    def __init__(self, gateway) -> None:
        self.gateway = gateway
        services = gateway.services
        held = services.holders.fetch_key(source_ref(services.database, "ipo-xa-trademarks"), None, MARK, _soon())
        self.fields = dict(held.mapped.fields)
        self.signer = generate_signer("Ed25519")
        with services.database.write() as session:
            for model, key in ((Agency, "ipo-xa"), (Client, OFFICE)):
                row = session.get(model, key)
                row.scopes = [*row.scopes, "records:push"]
        self.trust(self.signer)
        services.sources.add(SOURCE, actor="test", replace=True)

    def trust(self, signer) -> None:
        services = self.gateway.services
        with services.database.write() as session:
            services.holder_keys.register(session, "ipo-xa", dict(signer.public_jwk), "test")
            services.trust_lists.publish(session, "test")
        self.gateway._clients.clear()

    def token(self, *, signer=None, number=MARK, as_of="2026-01-10T08:00:00Z", clear=(), without=(), **changes):
        said = {
            "iss": "ipo-xa",
            "sub": f"urn:ipx:ipo-xa:trademark:{number}",
            "iat": int(utc_now().timestamp()),
            "record_type": "trademark",
            "schema_version": 1,
            "source": "register of ipo-xa",
            "revision": as_of,
            "as_of": as_of,
            "recorded_at": as_of,
            "status": "active",
            "sealed_by": "holder",
            "language": "en",
            **self.fields,
            **changes,
        }
        said = {name: value for name, value in said.items() if value is not None and name not in without}
        hidden = [(name,) for name in said if name in self.fields and name not in clear]
        return sdjwt.issue(said, hidden, signer or self.signer, typ=RECORD_TYP, decoys=5).token

    def call(self, path, body, content_type, client_id=OFFICE):
        settings = self.gateway.settings
        call = Call("POST", f"{settings.origin}{path}", {"Content-Type": content_type}, body)
        answer = self.gateway.client(client_id)._call(call, Grant("records:push", settings.resource))
        return answer.status, json.loads(answer.body)

    def push(self, token=None, **changes):
        token = token or self.token(**changes)
        return self.call("/v1/records", token.encode("utf-8"), "application/sd-jwt")


def _soon():
    return Deadline.within(10)


@pytest.fixture
def holder(gateway):
    return Holder(gateway)


def pointers(document):
    return {fault["pointer"]: fault["code"] for fault in document["errors"]}


def test_a_pushed_record_is_released_under_the_holders_own_signature(gateway, holder):
    status, document = holder.push()

    answer = gateway.ask()

    assert (status, document["record"]) == (201, gateway.urn())
    assert (answer.sealed_by, answer.evidence.report.outcome) == ("holder", "released")
    assert answer.fields["verbal_element"] == holder.fields["verbal_element"]
    assert "owner_contacts" not in answer.fields
    assert gateway.receipt(answer)["outcome"] == "released"


@on_one_database
def test_policies_judge_a_pushed_record_by_its_own_content(gateway, holder):
    holder.push()

    source = source_ref(gateway.services.database, "ipo-xa-trademarks")
    held = gateway.services.holders.fetch_key(source, None, MARK, _soon())
    seals = gateway.services.broker._seals
    sealed = seals.seal(held)

    assert sealed.sealed_by == "holder"
    assert sealed.record.envelope.source == "register of ipo-xa"
    assert sealed.record.envelope.as_of.isoformat() == "2026-01-10T08:00:00+00:00"
    assert sealed.facts["jurisdiction"] == "XA"
    assert ("provenance",) not in sealed.issued.disclosures


@on_one_database
def test_what_was_not_pushed_is_absent(gateway, holder):
    assert gateway.ask().slug == "no-information"


def test_the_same_token_again_is_no_new_version(gateway, holder):
    token = holder.token()

    first, again = holder.push(token), holder.push(token)

    assert (first[0], again[0]) == (201, 200)
    assert gateway.count("pushed_record") == 1


def test_an_older_revision_after_a_newer_one_is_refused_and_the_newer_stays(gateway, holder):
    old = holder.token(as_of="2026-01-09T08:00:00Z", verbal_element="OLD")
    holder.push(old)
    holder.push(as_of="2026-01-10T08:00:00Z")

    status, document = holder.push(old)

    assert (status, document["type"].rpartition("/")[2]) == (409, "older-revision")
    assert gateway.ask().fields["verbal_element"] == holder.fields["verbal_element"]


@on_one_database
def test_two_contents_of_one_instant_are_refused(holder):
    holder.push()

    status, document = holder.push(verbal_element="OTHER")

    assert (status, document["type"].rpartition("/")[2]) == (409, "contradictory-revision")


def test_a_record_signed_anew_with_the_next_key_takes_the_place_of_the_old_one(gateway, holder):
    holder.push()
    following = generate_signer("ES256")
    holder.trust(following)
    services = gateway.services
    with services.database.write() as session:
        services.holder_keys.revoke(session, holder.signer.kid, "test", "replaced")
        services.trust_lists.publish(session, "test")
    gateway._clients.clear()

    before = gateway.ask()
    named = failing(gateway)
    status, _ = holder.push(signer=following)

    assert (before.stage, before.reason) == ("verify", "signature_invalid")
    assert gateway.receipt(before)["outcome"] == "failed"
    assert named == (200, {"holders": "the systems of these fail: ipo-xa"})
    assert status == 201
    assert gateway.ask().sealed_by == "holder"
    assert failing(gateway) == (200, {})


@on_one_database
def test_a_token_of_a_stranger_or_of_another_client_is_refused(gateway, holder):
    stranger = generate_signer("Ed25519")

    status, document = holder.push(signer=stranger)

    assert (status, document["type"].rpartition("/")[2]) == (400, "invalid-signature")
    assert gateway.count("pushed_record") == 0


@on_one_database
@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"sub": "urn:ipx:customs-xa:detention:1"}, "/sub", "not_of_holder"),
        ({"sub": "urn:ipx:ipo-xa:patent:1"}, "/sub", "no_push_source"),
        ({"application_number": "999999999"}, "/application_number", "key_mismatch"),
        ({"record_type": "patent"}, "/record_type", "wrong_value"),
        ({"schema_version": 7}, "/schema_version", "unknown_schema"),
        ({"status": "fine"}, "/status", "unknown_code"),
        ({"as_of": "10.1.2026"}, "/as_of", "bad_date"),
        ({"as_of": "2099-01-10T08:00:00Z"}, "/as_of", "future_date"),
        ({"clear": ("owner_contacts",)}, "/owner_contacts", "not_hidden"),
        ({"verbal_element": 7}, "/verbal_element", "wrong_type"),
        ({"without": ("application_date",)}, "/application_date", "missing_required"),
    ],
)
def test_a_record_that_is_not_whole_and_true_to_form_is_refused_with_the_place(holder, changes, pointer, code):
    status, document = holder.push(**changes)

    assert (status, pointers(document).get(pointer)) == (422, code), document


@on_one_database
def test_a_clock_far_ahead_is_refused(holder):
    status, document = holder.push(iat=int(utc_now().timestamp()) + 600)

    assert (status, document["type"].rpartition("/")[2]) == (400, "invalid-signature")


@on_one_database
@pytest.mark.parametrize("body", [b"", b"x", b"a.b.c~", b"\xff~", b"eyJhIjoxfQ.eyJhIjoxfQ.AA~"])
def test_a_body_that_is_no_record_is_refused(holder, body):
    status, document = holder.call("/v1/records", body, "application/sd-jwt")

    assert (status, document["type"].rpartition("/")[2]) == (400, "invalid-request")


@on_one_database
def test_another_media_type_and_a_token_without_the_scope_are_refused(gateway, holder):
    status, _ = holder.call("/v1/records", holder.token().encode(), "application/json")
    bare = gateway.http.post("/v1/records", content=holder.token())

    assert (status, bare.status_code) == (415, 401)


@on_one_database
def test_the_holder_learns_the_names_of_its_records(gateway, holder):
    body = json.dumps({"record_type": "court_case", "numbers": ["IPC-1/2026"]}).encode()

    status, document = holder.call("/v1/records/names", body, "application/json")
    bad, _ = holder.call("/v1/records/names", b'{"record_type": "x", "numbers": ["1"]}', "application/json")
    malformed, _ = holder.call("/v1/records/names", b"[]", "application/json")

    name = document["names"]["IPC-1/2026"]
    assert (status, name.startswith("urn:ipx:ipo-xa:court_case:")) == (200, True)
    assert "IPC" not in name
    assert (bad, malformed) == (422, 400)


def test_what_is_kept_is_encrypted_and_names_no_record(gateway, holder):
    holder.push()

    with gateway.services.database.read() as session:
        row = session.execute(text("SELECT * FROM pushed_record")).one()

    assert holder.fields["verbal_element"].encode() not in b"".join(v for v in row if isinstance(v, bytes))
    assert MARK not in repr(row)


def test_pushed_records_come_in_changes_too(gateway, holder):
    holder.push()
    ran = gateway.services.intake.following.run("ipo-xa-trademarks")
    again = gateway.services.intake.following.run("ipo-xa-trademarks")

    assert (ran.mapped, ran.quarantined, ran.failure) == (1, 0, None)
    assert again.mapped == 0
