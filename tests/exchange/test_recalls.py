"""A holder calls back what it gave out: who has it is told, answers, and gets the old answer no more."""

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from gateway.auditor.scope import Scope
from gateway.clock import utc_now
from gateway.evidence.errors import ErasedError
from gateway.exchange.models import RecallAddressee
from ipx import container, evidence, jws
from ipx.answers import Denied, Released
from ipx.channel import Call
from ipx.encoding import b64url_bytes
from ipx.request import Ask
from ipx.tokens import Grant
from tests.exchange.approving import ask_contact, grant, only_task, put
from tests.exchange.querying import BASIS, PURPOSE, SEIZED, several
from tests.exchange.recall_calls import acknowledge, acts, allow, call, make
from tests.exchange.world import COURT, CUSTOMS, OFFICE, REGULATOR, Gateway


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
