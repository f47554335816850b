"""A holder calls back what it gave out: who has it is told, answers, and gets the old answer no more."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import text, update

from gateway.auditor.scope import Scope
from gateway.cli import main
from gateway.clock import utc_now
from gateway.evidence.errors import ErasedError
from gateway.exchange import recall_list as recall_list_service
from gateway.exchange.errors import OthersRecordError
from gateway.exchange.models import RecallAddressee
from gateway.oauth.guard import Caller
from ipx import container, evidence, jws, recall_list
from ipx.answers import Denied, Released
from ipx.channel import Call
from ipx.documents import Receipt
from ipx.encoding import b64url_bytes
from ipx.errors import EvidenceError
from ipx.ids import uuid7
from ipx.problems import ProblemError
from ipx.request import Ask
from ipx.tokens import Grant
from tests.exchange.approving import ask_contact, grant, only_task, put
from tests.exchange.test_bundle_commands import runner
from tests.exchange.test_queries import BASIS, PURPOSE, SEIZED, several
from tests.exchange.world import COURT, CUSTOMS, OFFICE, REGULATOR, Gateway
from tests.forging import with_another_signature

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

    now = recalling.services.clock() + timedelta(days=1)
    proved = evidence.verify(recalling.services.bundles.build(released.evidence.exchange), recalling.trust, now=now)
    assert (proved.exchange, proved.disclosed) == (released.evidence.exchange, 0)
    assert proved.erased > 0
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


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_what_is_released_between_the_look_and_the_log_is_called_back_too(recalling, monkeypatch):
    first = recalling.ask().evidence.exchange
    record, between = recalling.services.audit.record, []

    def late(session, actor, act, *rest, **options):
        if act == "record.recalled":
            between.append(recalling.ask().evidence.exchange)  # the recall has looked, and holds no log yet
        return record(session, actor, act, *rest, **options)

    monkeypatch.setattr(recalling.services.audit, "record", late)

    told = make(recalling).json()["addressees"]

    assert sorted(told[0]["exchanges"]) == sorted([first, *between])
    with pytest.raises(ErasedError):
        recalling.services.finished.read(between[0])


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_waits_for_an_officer_is_not_released_after_the_recall(recalling):
    put(recalling)
    pending = ask_contact(recalling).evidence.exchange
    task = only_task(recalling)

    assert make(recalling).json()["addressees"] == []
    assert recalling.services.finished.read(pending).outcome == "pending"
    grant(recalling, task)

    ended = recalling.services.finished.read(pending)
    assert (ended.outcome, ended.reason) == ("denied", "record_recalled")


def test_an_addressee_that_stays_silent_is_overdue_once_and_the_log_says_so(demo, settings):
    now = [utc_now()]
    gateway = Gateway(demo, settings, clock=lambda: now[0])
    allow(gateway, OFFICE)
    gateway.ask()
    recalls, reader = gateway.services.recalling.recalls, gateway.services.recalling.reader
    recall_id = make(gateway, kind="sealed", order="XA District Court 4/2026").json()["id"]
    early = recalls.go_round()

    now[0] += timedelta(hours=25)

    assert (early, reader.overdue(), recalls.go_round(), recalls.go_round()) == (0, {"ipo-xa": 1}, 1, 0)
    assert [act for act, _, leaf in acts(gateway, recall_id) if leaf] == ["record.sealed", "recall.overdue"]
    assert reader.show(recall_id, "ipo-xa").is_overdue
    gateway.close()


STRICT = """@id("nothing-while-overdue")
@title("Whoever has not acknowledged a recall in time gets nothing more")
@legal_basis("XA Data Protection Act, s. 9")
@reason("recall_overdue")
forbid (principal, action == IPX::Action::"release", resource)
when { context.overdue_acknowledgements > 0 };
"""


def test_a_holder_s_policy_may_refuse_who_has_not_acknowledged_in_time(recalling, monkeypatch):
    monkeypatch.setattr("gateway.exchange.overdue.KEPT_SECONDS", 0.0)
    recalling.ask()
    recall_id = make(recalling).json()["id"]
    put(recalling, STRICT)
    in_time = recalling.ask()
    with recalling.services.database.write() as session:
        session.execute(update(RecallAddressee).values(due_at=utc_now() - timedelta(hours=1)))

    late = recalling.ask()
    of_others = recalling.ask(COURT, purpose="court_proceeding", case_ref="4/2026")
    decided = recalling.services.auditing.reader.read(Scope("person:carol", None), late.evidence.exchange).decided
    acknowledge(recalling, recall_id)

    assert isinstance(in_time, Released)
    assert isinstance(late, Denied)
    assert recalling.receipt(late)["reason"] == "recall_overdue"
    assert isinstance(of_others, Released)
    assert decided.is_same
    assert "nothing-while-overdue" in {p.ref.policy_id for p in decided.explanations[0].policies if p.decides}
    assert isinstance(recalling.ask(), Released)


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


@pytest.fixture(scope="module")
def recaller(one_gateway) -> Gateway:
    """A gateway for tests that ask for things of their own, whatever the others have called back."""
    allow(one_gateway, OFFICE)
    return one_gateway


def test_the_same_bytes_again_are_the_same_recall(recaller):
    recaller.ask()
    body, other = statement(recaller), statement(recaller)
    first = make(recaller, body=body)

    again = make(recaller, body=body)
    acknowledged = acknowledgement(recaller, first.json()["id"])
    path = f"/{first.json()['id']}/acknowledgements"
    said = [call(recaller, "POST", path, acknowledged).json() for _ in range(2)]

    assert (again.status, again.json()["id"], again.headers["Idempotency-Replayed"]) == (
        200,
        first.json()["id"],
        "true",
    )
    assert make(recaller, body=other).json()["id"] != first.json()["id"]
    assert said[0] == said[1]
    assert len(acts(recaller, first.json()["id"])) == 2


def test_who_refuses_disputes_and_may_still_acknowledge(recaller):
    recaller.ask()
    recall_id = make(recaller).json()["id"]

    disputed = acknowledge(recaller, recall_id, action="refused", reason="before the court").json()["addressees"][0]
    done = acknowledge(recaller, recall_id).json()["addressees"][0]
    late = refused(lambda: acknowledge(recaller, recall_id))

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
def test_a_statement_that_cannot_be_taken_changes_nothing_and_says_why(recaller, changes, told):
    released, before = recaller.ask(), recaller.count("recall")

    assert refused(lambda: make(recaller, **changes)) == told
    assert recaller.count("recall") == before
    assert recaller.services.finished.read(released.evidence.exchange).outcome == "released"


def test_nobody_else_sees_or_answers_a_recall(recaller):
    recaller.ask()
    recall_id = make(recaller).json()["id"]
    allow(recaller, REGULATOR)

    assert refused(lambda: call(recaller, "GET", f"/{recall_id}", client_id=REGULATOR))[:2] == (404, "not-found")
    assert refused(lambda: acknowledge(recaller, recall_id, REGULATOR))[:2] == (404, "not-found")
    assert refused(lambda: make(recaller, REGULATOR))[:2] == (403, "not-allowed")
    for role in ("holder", "addressee"):
        assert call(recaller, "GET", f"?role={role}", client_id=REGULATOR).json()["items"] == []
    assert call(recaller, "GET", "?role=holder").json()["items"] == []


def test_an_addressee_sees_its_own_part_only(recaller):
    recaller.ask()
    recaller.ask(COURT, purpose="court_proceeding", case_ref="4/2026")
    made = make(recaller).json()

    own = call(recaller, "GET", f"/{made['id']}").json()

    assert {one["agency"] for one in made["addressees"]} == {"court-xa", "customs-xa"}
    assert [one["agency"] for one in own["addressees"]] == ["customs-xa"]


def test_lists_go_on_from_page_to_page_and_a_cursor_serves_its_own_list_only(recaller):
    recaller.ask()
    made = {make(recaller).json()["id"] for _ in range(3)}
    found, query = set(), "?role=holder&limit=1"
    first = call(recaller, "GET", query, client_id=OFFICE).json()["next"]
    while query:
        page = call(recaller, "GET", query, client_id=OFFICE).json()
        found |= {one["id"] for one in page["items"]}
        query = page["next"] and f"?role=holder&limit=1&cursor={page['next']}"

    assert made <= found
    assert refused(lambda: call(recaller, "GET", f"?role=addressee&cursor={first}"))[:2] == (400, "invalid-request")


@pytest.mark.parametrize(
    "query", ["", "?role=auditor", "?role=holder&state=late", "?role=holder&limit=0", "?role=holder&x=1"]
)
def test_a_list_that_cannot_be_given_names_the_parameter(recaller, query):
    status, slug, faults = refused(lambda: call(recaller, "GET", query, client_id=OFFICE))

    assert (status, slug, len(faults)) == (400, "invalid-request", 1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"action": "restricted"}, (422, "invalid-field", ["/action"])),
        ({"action": "burnt"}, (422, "invalid-field", ["/action"])),
        ({"action": "refused"}, (422, "invalid-field", ["/reason"])),
        ({"iat": 1, "exp": 60}, (400, "stale-request", [])),
        ({"recall": uuid7()}, (422, "invalid-field", ["/recall"])),
        ({"typ": "ipx-recall+jwt"}, (400, "invalid-request", [""])),
    ],
)
def test_an_acknowledgement_that_cannot_be_taken_says_why(recaller, changes, told):
    recaller.ask()
    recall_id = make(recaller).json()["id"]
    said = {"typ": "ipx-acknowledgement+jwt", "action": "deleted", "recall": recall_id} | changes
    body = statement(recaller, CUSTOMS, **({"record": None, "kind": None, "reason": None} | said))

    assert refused(lambda: call(recaller, "POST", f"/{recall_id}/acknowledgements", body)) == told


def test_nothing_is_to_be_acknowledged_of_an_unsealing(recaller):
    recaller.ask()
    made = make(recaller, kind="unsealed").json()

    assert (made["due_at"], made["addressees"][0]["state"]) == (None, "told")
    assert refused(lambda: acknowledge(recaller, made["id"]))[:2] == (409, "illegal-transition")


def test_the_same_jti_over_other_bytes_is_refused_and_so_is_another_form(recaller):
    recaller.ask()
    jti = uuid7()
    make(recaller, jti=jti)

    assert refused(lambda: make(recaller, jti=jti, reason="another"))[:2] == (409, "jti-reused")
    assert refused(lambda: call(recaller, "POST", "", b"{}", OFFICE, "records:recall", media="application/json"))[
        :2
    ] == (415, "unsupported-media-type")
    assert refused(lambda: call(recaller, "POST", "", b"x" * 20_000, OFFICE, "records:recall"))[:2] == (
        413,
        "too-large",
    )


def test_both_sides_work_from_a_shell_and_the_operator_looks_on(recaller, tmp_path, monkeypatch):
    run = runner(recaller, tmp_path, monkeypatch)
    recaller.ask()
    said = ("--record", recaller.urn(), "--kind", "recalled", "--reason", "entered twice")

    made = run("recall", "make", *said, "--json", client_id=OFFICE)
    recall_id = json.loads(made.output)["id"]
    listed = run("recall", "list", "--open")
    refusing = run("recall", "acknowledge", recall_id, "--action", "refused", "--reason", "exhibit in court")
    done = run("recall", "acknowledge", recall_id, "--action", "deleted")
    shown = run("recall", "show", recall_id, client_id=OFFICE)
    operator = CliRunner().invoke(main, ["recall", "list", "--json"], obj=recaller.services)

    assert {one.exit_code for one in (made, listed, refusing, done, shown, operator)} == {0}, made.output
    assert recall_id in listed.output
    assert "disputed refused" in refusing.output
    assert "exhibit in court" in refusing.output
    assert "customs-xa" in shown.output
    assert "acknowledged deleted" in shown.output
    rows = [json.loads(line) for line in operator.output.splitlines()]
    assert next(row for row in rows if row["id"] == recall_id)["acknowledged"].startswith("1 of ")


def test_a_verifier_says_when_the_record_was_called_back_by_a_list_that_the_gateway_signs(
    recaller, tmp_path, monkeypatch
):
    run = runner(recaller, tmp_path, monkeypatch)
    asked = ("--purpose", "border_enforcement", "--legal-basis", "XA Customs Cooperation Agreement 2025, art. 4")
    run("request", "--record", recaller.urn(), *asked, "--out", "before.json")
    made = make(recaller)
    run("request", "--record", recaller.urn(), *asked, "--out", "after.json")

    fetched = run("recall", "fetch", "--out", "recalls.json")
    check = ("--trust", "trust.json", "--recalls", "recalls.json")
    before = run("verify", "before.json", *check, calls=False)
    after = run("verify", "after.json", *check, calls=False)
    typed = run("verify", "before.json", *check, "--json", calls=False)

    day = f"{recaller.services.clock():%Y-%m-%d}"
    assert made.status == 201
    assert {one.exit_code for one in (fetched, before, after, typed)} == {0}, fetched.output + before.output
    assert "Holds: " in before.output
    assert f"recalled by the holder on {day}" in " ".join(before.output.split())
    assert "was not called back" in " ".join(after.output.split())
    assert json.loads(typed.output)["recalls"] == [{"kind": "recalled", "on": day}]


def test_a_list_of_recalls_is_taken_whole_and_signed_or_not_at_all(recaller, monkeypatch):
    exchanges = [recaller.ask() for _ in range(3)]
    make(recaller)
    monkeypatch.setattr(recall_list_service, "PART_ITEMS", 2)
    whole = json.loads(recall_list.fetch(recaller.client(CUSTOMS)))["recalls"]
    trust = recaller.trust

    def read(parts):
        return recall_list.read(json.dumps({"recalls": parts}).encode(), trust)

    assert len(whole) > 1
    receipt = Receipt.read(
        exchanges[0].evidence.receipt, jws.parse_object(b64url_bytes(exchanges[0].evidence.receipt.split(".")[1]))
    )
    assert [one.kind for one in read(whole).of(receipt)] == ["recalled"]
    for broken in (whole[:-1], whole[1:], [], ["x"], [with_another_signature(whole[0]), *whole[1:]]):
        with pytest.raises(EvidenceError):
            read(broken)
    assert refused(lambda: call(recaller, "GET", "/signed?part=999"))[:2] == (404, "not-found")
    assert refused(lambda: call(recaller, "GET", "/signed?part=x"))[:2] == (400, "invalid-request")


def test_a_supplier_calls_back_and_answers_in_nobody_s_name(recaller):
    caller = Caller("supplier.system", "ipo-xa", "", frozenset(), None, (), None, "supplier-xa", "d", (), None)
    statements = recaller.services.recalling.statements

    for read in (statements.recall, statements.acknowledgement):
        with pytest.raises(OthersRecordError):
            read(statement(recaller), caller)


def test_calling_back_needs_a_scope_of_its_own(recaller):
    recaller.ask()

    assert refused(lambda: call(recaller, "POST", "", statement(recaller), OFFICE))[:2] == (403, "insufficient-scope")
