"""What holds of recalls on every database: who may say what, in which form, and who sees it."""

import json

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.exchange import recall_list as recall_list_service
from gateway.exchange.errors import OthersRecordError
from gateway.oauth.guard import Caller
from ipx import jws, recall_list
from ipx.documents import Receipt
from ipx.encoding import b64url_bytes
from ipx.errors import EvidenceError
from ipx.ids import uuid7
from ipx.problems import ProblemError
from tests.exchange.recall_calls import acknowledge, acknowledgement, acts, allow, call, make, statement
from tests.exchange.test_bundle_commands import runner
from tests.exchange.world import COURT, CUSTOMS, OFFICE, REGULATOR, Gateway
from tests.forging import with_another_signature


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
