"""Asking for records, against the stub of a gateway in conftest.py."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from ipx import trust as trust_list
from ipx.answers import Denied, Failed, Released, Withheld
from ipx.client import Client
from ipx.keys import generate_signer
from ipx.problems import (
    AskError,
    ConflictError,
    InFlightError,
    MalformedAnswerError,
    NotFoundError,
    ProblemError,
    RequestIdReusedError,
    StaleRequestError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
    UnprovenError,
    UnreachableError,
)
from ipx.request import Ask

POST = "POST /v1/exchanges"
TOKEN = "POST /oauth/token"
RECORD = "urn:ipx:ipo-xa:trademark:202400017"


@pytest.fixture
def ask():
    return Ask(RECORD, purpose="border_enforcement", legal_basis="Customs Act, s. 4", case_ref="CX-118")


@pytest.fixture
def trust(stub, key):
    return trust_list.load(json.dumps(stub.issuer.trust()).encode(), pinned=None, at_least=0)


@pytest.fixture
def client(stub, key, trust, patience, time):
    with Client(stub.origin, stub.client_id, key, trust=trust, patience=patience, time=time.faculties()) as client:
        yield client


@pytest.fixture
def unchecking_client(stub, key, patience, time):
    with Client(stub.origin, stub.client_id, key, patience=patience, time=time.faculties()) as client:
        yield client


def claims_of(request):
    part = request.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_record_is_released_verified_and_read(client, ask):
    answer = client.request(ask)

    assert isinstance(answer, Released)
    assert answer.fields["verbal_element"] == "星砂 XINGSHA"
    assert "owner_contacts" not in answer.fields
    assert answer.withheld == (Withheld("trademark.owner.contact", "not_granted", None),)
    assert answer.evidence.report.outcome == "released"


def test_the_request_says_why_and_for_whom_and_lives_a_minute(stub, client, ask):
    client.request(Ask(RECORD, "border_enforcement", "Customs Act, s. 4", groups=("trademark.biblio",)))

    claims = claims_of(stub.calls(POST)[-1].body.decode())
    assert claims == {
        "iss": "customs-xa.intake",
        "aud": stub.origin,
        "jti": claims["jti"],
        "iat": claims["iat"],
        "exp": claims["iat"] + 60,
        "holder": "ipo-xa",
        "record": RECORD,
        "purpose": "border_enforcement",
        "legal_basis": "Customs Act, s. 4",
        "groups": ["trademark.biblio"],
    }
    assert stub.calls(POST)[-1].headers["Content-Type"] == "application/jose"


def test_one_token_serves_many_requests_of_one_purpose(stub, client, ask):
    for _ in range(3):
        client.request(ask)

    assert len(stub.tokens) == 1
    assert len({claims_of(call.body.decode())["jti"] for call in stub.calls(POST)}) == 3


def test_one_client_serves_many_threads(stub, client, ask):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.request(ask), range(24)))

    assert len({answer.evidence.exchange for answer in answers}) == 24
    assert len(stub.tokens) == 1


def test_a_nonce_that_ran_out_is_renewed_on_the_way(stub, client, ask):
    client.request(ask)
    stub.nonce = "nonce-2"

    assert isinstance(client.request(ask), Released)


def test_a_revoked_token_is_replaced_once(stub, client, ask):
    client.request(ask)
    stub.tokens.clear()

    assert isinstance(client.request(ask), Released)


def test_a_gateway_that_takes_no_token_at_all_is_not_asked_for_ever(stub, client, ask):
    stub.next(POST, *[stub.challenge("invalid_token")] * 20)

    with pytest.raises(UnauthenticatedError):
        client.request(ask)
    assert len(stub.calls(POST)) == 4


def test_a_dropped_connection_is_repeated_with_the_same_bytes_and_a_new_proof(stub, client, ask, drop):
    client.request(ask)
    before = len(stub.calls(POST))
    stub.next(POST, drop, drop)

    client.request(ask)

    sent = stub.calls(POST)[before:]
    assert len(sent) == 3
    assert len({call.body for call in sent}) == 1
    assert len({call.headers["DPoP"] for call in sent}) == 3


def test_an_answer_lost_after_the_gateway_gave_it_is_the_stored_one(stub, client, ask, drop):
    def lose(seen):
        stub.exchange(seen)
        return drop

    client.request(ask)
    stub.next(POST, lose)
    answer = client.request(ask)

    assert answer.evidence.is_replayed
    assert len(stub.issuer.leaves) == 2


def test_a_busy_gateway_is_obeyed_and_asked_again_with_the_same_bytes(stub, client, ask, time):
    busy = stub.problem(503, "log-unavailable", "Repeat later.", **{"Retry-After": "7"})
    limited = stub.problem(429, "too-many-requests", "Slow down.", **{"Retry-After": "3"})
    stub.next(POST, busy, limited)

    assert isinstance(client.request(ask), Released)
    assert time.naps == [7.0, 3.0]
    assert len({call.body for call in stub.calls(POST)}) == 1


def test_a_request_in_flight_is_awaited(stub, client, ask, time):
    stub.next(POST, stub.problem(409, "in-flight", "Wait.", **{"Retry-After": "1"}))

    assert isinstance(client.request(ask), Released)
    assert time.naps == [1.0]


def test_a_proxy_that_cannot_reach_the_gateway_is_no_outcome(stub, client, ask, canned):
    stub.next(POST, canned(502, b"<html>Bad Gateway</html>"))

    assert isinstance(client.request(ask), Released)


@pytest.mark.parametrize(
    "case",
    [
        (503, "maintenance", UnavailableError),
        (429, "quota-exhausted", TooManyRequestsError),
        (409, "in-flight", InFlightError),
    ],
)
def test_a_gateway_that_stays_busy_ends_in_words(stub, client, ask, case):
    status, slug, error = case
    stub.next(POST, *[stub.problem(status, slug, "Come back.", **{"Retry-After": "25"})] * 9)

    with pytest.raises(error) as caught:
        client.request(ask)

    assert caught.value.problem.retry_after_seconds == 25
    assert len(stub.calls(POST)) == 3


@pytest.mark.parametrize(
    "case",
    [
        (400, "stale-request", StaleRequestError),
        (409, "jti-reused", RequestIdReusedError),
        (409, "stale-version", ConflictError),
        (404, "not-found", NotFoundError),
        (500, "internal", UnavailableError),
        (418, "teapot", ProblemError),
    ],
)
def test_each_problem_without_an_outcome_has_its_place_in_the_tree(stub, client, ask, case):
    status, slug, error = case
    stub.next(POST, stub.problem(status, slug, "Do this next."))

    with pytest.raises(error) as caught:
        client.request(ask)

    assert type(caught.value) is error
    assert caught.value.next_step == "Do this next."
    assert caught.value.problem.trace_id == "trace-1"


def test_all_failing_members_of_a_request_are_named(stub, client, ask):
    document = json.loads(stub.problem(422, "invalid-field", "Mend them.").body)
    document["errors"] = [
        {"pointer": "/purpose", "code": "unknown", "detail": "is not registered"},
        {"pointer": "/groups/0", "code": "unknown_group", "detail": "does not exist"},
    ]
    stub.next(POST, stub.json(422, document))

    with pytest.raises(ProblemError, match="/purpose: is not registered\n  /groups/0: does not exist"):
        client.request(ask)


def test_a_denial_is_an_answer_with_evidence(stub, client, ask):
    withheld = ({"group": "detention.core", "reason": "not_granted"},)
    stub.answer = lambda request: stub.issuer.problem(request, "denied", 403, "denied", withheld=withheld)

    answer = client.request(ask)

    assert isinstance(answer, Denied)
    assert answer.withheld == (Withheld("detention.core", "not_granted", None),)
    assert answer.evidence.report.outcome == "denied"


def test_no_information_is_an_answer_with_evidence(stub, client, ask):
    stub.answer = lambda request: stub.issuer.problem(request, "no-information", 404, "denied")

    answer = client.request(ask)

    assert (answer.slug, answer.reason, answer.withheld) == ("no-information", "no_information", ())


@pytest.mark.parametrize("case", [(502, "holder-failed", "holder"), (503, "interrupted", "log")])
def test_a_failed_exchange_stays_failed_and_is_not_asked_for_again(stub, client, ask, time, case):
    status, slug, stage = case
    stub.answer = lambda request: stub.issuer.problem(request, slug, status, "failed", stage=stage)

    answer = client.request(ask)

    assert isinstance(answer, Failed)
    assert answer.stage == stage
    assert time.naps == []


def test_a_stored_exchange_is_read_again_without_its_purpose(stub, client, ask):
    first = client.request(ask)

    again = client.exchange(first.evidence.exchange)

    assert again.evidence.receipt == first.evidence.receipt
    assert stub.tokens["token-2"][1] == []


def test_another_exchange_than_the_one_looked_for_is_refused(stub, client, ask):
    first, second = client.request(ask), client.request(ask)
    stub.stored[first.evidence.exchange] = stub.stored[second.evidence.exchange]

    with pytest.raises(UnprovenError, match="asked for exchange"):
        client.exchange(first.evidence.exchange)


def test_a_true_answer_to_another_request_is_refused(stub, client, ask):
    earlier = client.request(ask).evidence.request
    stub.answer = lambda request: stub.stored[earlier]

    with pytest.raises(UnprovenError, match="another request than the one sent"):
        client.request(ask)


def flipped(text):
    return text[:-6] + ("A" if text[-6] != "A" else "B") + text[-5:]


TAMPERINGS = {
    "record": lambda answer: answer | {"record": answer["record"].replace("~", "x~", 1)},
    "disclosure left out": lambda answer: answer | {"record": "~".join(answer["record"].split("~")[:-2]) + "~"},
    "receipt": lambda answer: answer | {"receipt": flipped(answer["receipt"])},
    "outcome": lambda answer: answer | {"withheld": []},
    "sealed_by": lambda answer: answer | {"sealed_by": "holder"},
    "obligations": lambda answer: answer | {"obligations": {}},
    "salt": lambda answer: answer | {"log": answer["log"] | {"salt": "A" * 43}},
    "index": lambda answer: answer | {"log": answer["log"] | {"index": answer["log"]["index"] + 1}},
    "checkpoint": lambda answer: answer | {"log": answer["log"] | {"checkpoint": "x\n" + answer["log"]["checkpoint"]}},
    "id": lambda answer: answer | {"id": "019ab000-0000-7000-8000-000000000000"},
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_a_tampered_answer_is_never_handed_out(stub, client, ask, what):
    stub.answer = lambda request: TAMPERINGS[what](stub.issuer.released(request))

    with pytest.raises(UnprovenError) as caught:
        client.request(ask)

    assert json.loads(caught.value.raw)["request"]


def test_an_answer_signed_by_a_key_nobody_vouches_for_is_refused(stub, client, ask):
    stub.issuer.receipt_key = generate_signer()

    with pytest.raises(UnprovenError, match="gateway key"):
        client.request(ask)


def test_without_a_trust_list_an_answer_says_that_nothing_was_checked(unchecking_client, ask):
    assert unchecking_client.request(ask).evidence.report is None


@pytest.mark.parametrize(
    "spoil",
    [
        {"outcome": "approved"},
        {"log": {"index": "1"}},
        {"log": []},
        {"record": None},
        {"withheld": [7]},
        {"withheld": {}},
        {"record": "a.b.c~WyJub3QgYSBkaXNjbG9zdXJlIl0~"},
    ],
)
def test_an_answer_that_is_not_whole_is_called_so(stub, unchecking_client, ask, spoil):
    stub.answer = lambda request: stub.issuer.released(request, **spoil)

    with pytest.raises(MalformedAnswerError):
        unchecking_client.request(ask)


def test_a_gateway_that_is_away_is_said_so_and_the_request_may_be_repeated(stub, client, ask):
    stub.close_listener()

    with pytest.raises(UnreachableError) as caught:
        client.request(ask)

    assert "repeat the same request" in caught.value.next_step


@pytest.mark.parametrize(
    "record",
    [
        "",
        "202400017",
        "urn:ipx:ipo-xa:trademark",
        "urn:ipx:ipo-xa:Trademark:1",
        "urn:ipx:ipo-xa:trademark:1 2",
        "urn:ipx:x:a:b",
    ],
)
def test_a_record_name_that_cannot_be_one_is_refused_before_anything_is_signed(record):
    with pytest.raises(AskError, match="no record name"):
        Ask(record, "border_enforcement", "Customs Act, s. 4")


@pytest.mark.parametrize(("purpose", "basis"), [("", "Customs Act"), ("border_enforcement", " ")])
def test_a_purpose_and_a_basis_are_needed(purpose, basis):
    with pytest.raises(AskError):
        Ask(RECORD, purpose, basis)


def test_what_is_no_signed_request_is_not_sent(stub, client):
    with pytest.raises(AskError):
        client.send("not a request")
    assert stub.seen == []
