"""A holder calls back what it gave out: who has it is told, answers, and gets the old answer no more."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.clock import utc_now
from gateway.evidence.errors import ErasedError
from ipx import container, jws
from ipx.answers import Denied
from ipx.channel import Call
from ipx.encoding import b64url_bytes
from ipx.ids import uuid7
from ipx.problems import ProblemError
from ipx.request import Ask
from ipx.tokens import Grant
from tests.exchange.approving import put
from tests.exchange.test_queries import BASIS, PURPOSE, SEIZED, several
from tests.exchange.world import COURT, CUSTOMS, OFFICE, REGULATOR, Gateway

ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
SCOPES = ["exchange:request", "records:recall"]


def statement(gateway, client_id=OFFICE, *, typ="ipx-recall+jwt", key=None, **changes):
    now = int(utc_now().timestamp())
    members = {
        "iss": client_id,
        "aud": gateway.settings.origin,
        "jti": uuid7(),
        "iat": now,
        "exp": now + 60,
        "record": gateway.urn(),
        "kind": "recalled",
        "reason": "entered for another mark",
    } | changes
    kept = {name: value for name, value in members.items() if value is not None}
    return jws.sign(kept, key or gateway.key(client_id), typ=typ).encode()


def acknowledgement(gateway, recall_id, client_id=CUSTOMS, action="deleted", **changes):
    said = {"recall": recall_id, "action": action, "record": None, "kind": None, "reason": None} | changes
    return statement(gateway, client_id, typ="ipx-acknowledgement+jwt", **said)


def call(gateway, method, path="", body=b"", client_id=CUSTOMS, scope="exchange:request", media="application/jose"):
    return gateway.client(client_id)._call(
        Call(method, f"{gateway.settings.origin}/v1/recalls{path}", {"Content-Type": media}, body),
        Grant(scope, gateway.settings.resource),
    )


def allow(gateway, client_id):
    agencies = gateway.services.agencies
    agencies.grant(client_id.partition(".")[0], SCOPES, actor="operator:test")
    agencies.set_client_scopes(client_id, SCOPES, actor="operator:test")


def make(gateway, client_id=OFFICE, body=None, **changes):
    return call(
        gateway, "POST", "", body or statement(gateway, client_id, **changes), client_id, scope="records:recall"
    )


def acknowledge(gateway, recall_id, client_id=CUSTOMS, **said):
    body = acknowledgement(gateway, recall_id, client_id, **said)
    return call(gateway, "POST", f"/{recall_id}/acknowledgements", body, client_id)


def acts(gateway, recall_id):
    query = text("SELECT act, actor, log_index FROM audit_entry WHERE subject = :subject ORDER BY id")
    with gateway.services.database.read() as session:
        return [tuple(row) for row in session.execute(query, {"subject": f"recall:{recall_id}"})]


@pytest.fixture
def recalling(gateway) -> Gateway:
    allow(gateway, OFFICE)
    return gateway


def test_whoever_was_given_the_record_is_told_and_acknowledges(recalling):
    released = recalling.ask()

    made = make(recalling)
    recall_id = made.json()["id"]
    [listed] = call(recalling, "GET", "?role=addressee&state=open").json()["items"]
    said = acknowledge(recalling, recall_id)
    [addressee] = call(recalling, "GET", f"/{recall_id}", client_id=OFFICE).json()["addressees"]

    assert (made.status, made.headers["Location"]) == (201, f"/v1/recalls/{recall_id}")
    assert made.json()["addressees"][0]["exchanges"] == [released.evidence.exchange]
    assert (listed["id"], listed["record"], listed["event"]) == (recall_id, recalling.urn(), "record.recalled")
    assert listed["addressees"][0]["delivered_at"] is None
    assert (said.status, addressee["state"], addressee["action"]) == (200, "acknowledged", "deleted")
    assert addressee["delivered_at"] is not None
    assert jws.parse_object(b64url_bytes(addressee["acknowledgement"].split(".")[1]))["recall"] == recall_id
    told = acts(recalling, recall_id)
    assert [(act, actor) for act, actor, _ in told] == [("record.recalled", OFFICE), ("recall.acknowledged", CUSTOMS)]
    assert [leaf for _, _, leaf in told] == [made.json()["log_index"], made.json()["log_index"] + 1]
    assert call(recalling, "GET", "?role=addressee&state=open").json()["items"] == []


def test_an_answer_that_was_called_back_is_gone_and_its_receipt_stays(recalling):
    request = recalling.sign()
    released = recalling.client(CUSTOMS).send(request)

    make(recalling)
    again = recalling.post(request.encode())
    looked = recalling.client(CUSTOMS)._call(
        Call("GET", f"{recalling.settings.origin}/v1/exchanges/{released.evidence.exchange}", {}),
        Grant("exchange:request", recalling.settings.resource),
    )

    assert [one.json()["receipt"] for one in (again, looked)] == [released.evidence.receipt] * 2
    assert {(one.status, one.json()["type"].rpartition("/")[2]) for one in (again, looked)} == {(410, "answer-gone")}
    assert isinstance(recalling.ask(), type(released))  # anew, and the holder's record as it is now


@pytest.mark.parametrize("kind", ["recalled", "erased"])
def test_the_bundle_of_what_was_called_back_proves_it_without_its_fields(recalling, kind):
    released = recalling.ask()
    whole = recalling.services.bundles.members(released.evidence.exchange)

    make(recalling, kind=kind)
    bare = recalling.services.bundles.members(released.evidence.exchange)

    assert whole[container.RECORD].count(b"~") > 1
    assert bare[container.RECORD].count(b"~") == 1
    assert bare[container.RECEIPT] == whole[container.RECEIPT]
    assert container.ERASED in bare
    with recalling.services.database.read() as session:
        kept = session.scalar(text("SELECT count(*) FROM exchange_payload WHERE name = 'disclosures'"))
    assert kept == (0 if kind == "erased" else 1)


def test_a_correction_tells_and_takes_nothing_away(recalling):
    released = recalling.ask()

    made = make(recalling, kind="corrected", reason="owner's name").json()

    assert recalling.services.finished.read(released.evidence.exchange).outcome == "released"
    assert acknowledge(recalling, made["id"], action="replaced").json()["addressees"][0]["state"] == "acknowledged"


def test_records_that_were_given_among_others_are_called_back_too(recalling):
    allow(recalling, CUSTOMS)
    put(recalling, SEIZED, owner="customs-xa")
    released = recalling.client(REGULATOR).request(several())
    detention = recalling.urn("customs-xa", "detention", "D2026-0012")

    made = make(recalling, CUSTOMS, record=detention).json()

    assert made["addressees"][0]["exchanges"] == [released.evidence.exchange]
    with pytest.raises(ErasedError):
        recalling.services.finished.read(released.evidence.exchange)


class Meanwhile:
    """Recalls the record at a step of the exchange."""

    def __init__(self, step):
        self.step, self.then = step, None

    def __call__(self, step):
        if step.value == self.step and self.then is not None:
            then, self.then = self.then, None
            then()


@pytest.mark.parametrize(("kind", "is_query"), [("corrected", False), ("recalled", True)])
def test_what_is_being_answered_while_the_record_is_called_back_is_not_released(demo, settings, kind, is_query):
    meanwhile = Meanwhile("decide")
    gateway = Gateway(demo, settings, listener=meanwhile)
    allow(gateway, CUSTOMS)
    put(gateway, SEIZED, owner="customs-xa")
    one = {"agency": "customs-xa", "record_type": "detention", "number": "D2026-0012"}
    asked = several() if is_query else Ask(gateway.urn(**one), PURPOSE, BASIS)
    made = []
    meanwhile.then = lambda: made.append(make(gateway, CUSTOMS, record=gateway.urn(**one), kind=kind))

    answer = gateway.client(REGULATOR).request(asked)

    assert made[0].status == 201
    assert made[0].json()["addressees"] == []
    assert isinstance(answer, Denied)
    assert answer.reason == "record_recalled"
    assert gateway.count("exchange_record") == 0
    assert gateway.receipt(answer)["outcome"] == "denied"
    gateway.close()


def test_an_addressee_that_stays_silent_is_overdue_once_and_the_log_says_so(demo, settings):
    now = [utc_now()]
    gateway = Gateway(demo, settings, clock=lambda: now[0])
    allow(gateway, OFFICE)
    gateway.ask()
    recalls, reader = gateway.services.recalling.recalls, gateway.services.recalling.reader
    recall_id = make(gateway, kind="sealed", order="XA District Court 4/2026").json()["id"]
    early = recalls.go_round()

    now[0] += timedelta(hours=25)

    assert (early, reader.overdue(), recalls.go_round(), recalls.go_round()) == (0, 1, 1, 0)
    assert [act for act, _, leaf in acts(gateway, recall_id) if leaf] == ["record.sealed", "recall.overdue"]
    assert reader.show(recall_id, "ipo-xa").is_overdue
    gateway.close()


def test_what_is_kept_of_a_recall_names_no_record(recalling):
    recalling.ask()
    make(recalling)

    with recalling.services.database.read() as session:
        rows = [
            str(row)
            for table in ("recall", "recall_addressee", "recall_exchange", "audit_entry")
            for row in session.execute(text(f"SELECT * FROM {table}"))
        ]
        kept = session.scalars(text("SELECT statement FROM recall")).all()

    assert not any(recalling.urn() in row for row in rows)
    assert not any(recalling.urn().encode() in bytes(one) for one in kept)


# What is the same on every database.


@ON_SQLITE
def test_the_same_bytes_again_are_the_same_recall(recalling):
    recalling.ask()
    body, other = statement(recalling), statement(recalling)
    first = make(recalling, body=body)

    again = make(recalling, body=body)
    acknowledged = acknowledgement(recalling, first.json()["id"])
    path = f"/{first.json()['id']}/acknowledgements"
    said = [call(recalling, "POST", path, acknowledged).json() for _ in range(2)]

    assert (again.status, again.json()["id"], again.headers["Idempotency-Replayed"]) == (
        200,
        first.json()["id"],
        "true",
    )
    assert make(recalling, body=other).json()["id"] != first.json()["id"]
    assert said[0] == said[1]
    assert len(acts(recalling, first.json()["id"])) == 2


@ON_SQLITE
def test_who_refuses_disputes_and_may_still_acknowledge(recalling):
    recalling.ask()
    recall_id = make(recalling).json()["id"]

    disputed = acknowledge(recalling, recall_id, action="refused", reason="before the court").json()["addressees"][0]
    done = acknowledge(recalling, recall_id).json()["addressees"][0]
    late = refused(lambda: acknowledge(recalling, recall_id))

    assert (disputed["state"], disputed["reason"]) == ("disputed", "before the court")
    assert (done["state"], done["action"]) == ("acknowledged", "deleted")
    assert late == (409, "illegal-transition", [])


def refused(run):
    try:
        reply = run()
    except ProblemError as error:
        return error.problem.status, error.problem.slug, [pointer for pointer, _ in error.problem.errors]
    problem = reply.json()
    return reply.status, problem["type"].rpartition("/")[2], [one["pointer"] for one in problem.get("errors", [])]


@ON_SQLITE
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"record": "urn:ipx:customs-xa:detention:x"}, (403, "not-allowed", [])),
        ({"record": "urn:ipx:ipo-xa:trademark:999"}, (422, "invalid-field", ["/record"])),
        ({"record": "202400017"}, (422, "invalid-field", ["/record"])),
        ({"kind": "forgotten"}, (422, "invalid-field", ["/kind"])),
        ({"kind": "sealed"}, (422, "invalid-field", ["/order"])),
        ({"reason": None}, (422, "invalid-field", ["/reason"])),
        ({"groups": ["trademark.biblio"]}, (422, "invalid-field", ["/groups"])),
        ({"aud": "https://elsewhere.example"}, (422, "invalid-field", ["/aud"])),
        ({"iat": 1, "exp": 60}, (400, "stale-request", [])),
        ({"typ": "ipx-request+jwt"}, (400, "invalid-request", [""])),
        ({"iss": COURT}, (400, "invalid-signature", [])),
    ],
)
def test_a_statement_that_cannot_be_taken_changes_nothing_and_says_why(recalling, changes, told):
    released = recalling.ask()

    assert refused(lambda: make(recalling, **changes)) == told
    assert recalling.count("recall") == 0
    assert recalling.services.finished.read(released.evidence.exchange).outcome == "released"


@ON_SQLITE
def test_nobody_else_sees_or_answers_a_recall(recalling):
    recalling.ask()
    recall_id = make(recalling).json()["id"]
    allow(recalling, COURT)

    assert refused(lambda: call(recalling, "GET", f"/{recall_id}", client_id=COURT))[:2] == (404, "not-found")
    assert refused(lambda: acknowledge(recalling, recall_id, COURT))[:2] == (404, "not-found")
    assert refused(lambda: make(recalling, COURT))[:2] == (403, "not-allowed")
    for role in ("holder", "addressee"):
        assert call(recalling, "GET", f"?role={role}", client_id=COURT).json()["items"] == []
    assert call(recalling, "GET", "?role=holder").json()["items"] == []


@ON_SQLITE
def test_an_addressee_sees_its_own_part_only(recalling):
    recalling.ask()
    recalling.ask(COURT, purpose="court_proceeding", case_ref="4/2026")
    made = make(recalling).json()

    own = call(recalling, "GET", f"/{made['id']}").json()

    assert {one["agency"] for one in made["addressees"]} >= {"customs-xa"}
    assert [one["agency"] for one in own["addressees"]] == ["customs-xa"]
