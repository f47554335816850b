"""Approvals under crashes, races and hostile calls: one end, one receipt, nothing released that was not granted."""

import threading
from datetime import timedelta

import httpx
import pytest
from click.testing import CliRunner

from gateway.agencies.models import Agency
from gateway.cli import main as operator
from gateway.errors import GatewayError, StoreUnavailableError
from gateway.exchange.errors import IllegalTransitionError, StaleVersionError
from gateway.exchange.steps import Step
from ipx.answers import Denied, Failed, Pending, Released, Withdrawn
from ipx.channel import Call
from ipx.client import Client
from ipx.problems import ConflictError, UnreachableError
from ipx.tokens import Grant, purpose_grant
from ipx.waiting import Patience
from tests.exchange.approving import (
    CONTACT,
    OLGA,
    OTTO,
    PERSONAL,
    SEALED,
    ask_contact,
    grant,
    looked_at,
    only_task,
    put,
)
from tests.exchange.servers import Rewired, serving
from tests.exchange.world import COURT, CUSTOMS, OFFICE, Gateway

RESUMED = (Step.FETCH, Step.DECIDE, Step.REDACT)


ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
"""For rules that no database has a part in."""


class Killed(BaseException):
    """Stands for a worker that died: nothing of it goes on."""


def dying_at(fatal):
    def die(step):
        if step in fatal:
            raise Killed

    return die


@pytest.mark.parametrize("step", RESUMED, ids=str)
def test_a_server_that_dies_while_it_resumes_leaves_an_exchange_that_a_worker_ends(demo, settings, step, monkeypatch):
    fatal = set()
    gateway = Gateway(demo, settings, listener=dying_at(fatal))
    put(gateway)
    pending = ask_contact(gateway)
    fatal.add(step)
    with pytest.raises(Killed):
        grant(gateway, only_task(gateway))
    assert isinstance(looked_at(gateway, pending), Pending)
    gateway.close()

    restarted = Gateway(demo, settings)
    settling = restarted.services.settling
    assert (restarted.services.recovery.close_own(), settling.go_round()) == (0, 0)
    clock = restarted.services.clock
    monkeypatch.setattr(settling, "_clock", lambda: clock() + timedelta(minutes=1))

    assert settling.go_round() == 1
    assert isinstance(looked_at(restarted, pending), Released)
    assert restarted.count("log_entry WHERE step_id LIKE 'exchange:%'") == 2
    restarted.services.log.audit()
    restarted.close()


def test_a_server_that_dies_before_the_pending_receipt_leaves_no_task(gateway, monkeypatch):
    put(gateway)

    def die(*_, **__):
        raise Killed

    monkeypatch.setattr(gateway.services.journal, "close", die)
    with pytest.raises(Killed):
        ask_contact(gateway)
    monkeypatch.undo()

    assert gateway.services.recovery.close_own() == 1
    assert gateway.count("approval_task") == 0
    assert gateway.count("exchange WHERE state = 'failed'") == 1


def test_a_log_that_fails_with_the_pending_receipt_leaves_neither_receipt_nor_task(gateway, monkeypatch):
    put(gateway)
    opening = gateway.services.broker._lifting.opening

    def failing(filed, outcome):
        write = opening(filed, outcome)

        def run(connection):
            write(connection)
            raise RuntimeError("the disk is full")

        return run

    monkeypatch.setattr(gateway.services.broker._lifting, "opening", failing)
    with pytest.raises(Exception, match=r".*"):
        ask_contact(gateway)

    assert gateway.count("approval_task") == 0
    assert gateway.count("exchange WHERE state = 'received'") == 1
    assert gateway.count("log_entry WHERE step_id LIKE 'exchange:%'") == 0


def test_two_officers_at_once_are_two_voices_or_one_is_told_to_look_again(gateway):
    put(gateway, SEALED)
    pending = ask_contact(gateway)
    task = only_task(gateway)
    said = at_once(lambda officer: grant(gateway, task, officer), [OTTO, OLGA])

    refused = [one for one in said if isinstance(one, StaleVersionError)]
    if refused:
        again = only_task(gateway)
        missing = OLGA if again.granted_by == (OTTO.actor,) else OTTO
        grant(gateway, again, missing)

    assert isinstance(looked_at(gateway, pending), Released)
    assert gateway.count("approval_verdict") == 2
    assert gateway.count("log_entry WHERE step_id LIKE '%final'") == 1


def test_one_officer_twice_at_once_is_one_voice(gateway):
    put(gateway, SEALED)
    ask_contact(gateway)
    task = only_task(gateway)

    said = at_once(lambda officer: grant(gateway, task, officer), [OTTO] * 4)

    assert sum(isinstance(one, GatewayError) for one in said) == 3
    assert only_task(gateway).granted_by == (OTTO.actor,)


def test_a_grant_and_a_refusal_at_once_have_one_end(gateway):
    put(gateway)
    pending = ask_contact(gateway)
    task = only_task(gateway)
    approvals = gateway.services.approvals

    def speak(officer):
        if officer is OTTO:
            return grant(gateway, task, officer)
        return approvals.refuse(task.id, officer, version=task.version, reason_code="not_necessary")

    said = at_once(speak, [OTTO, OLGA])

    assert sum(isinstance(one, (StaleVersionError, IllegalTransitionError)) for one in said) == 1
    ended = looked_at(gateway, pending)
    assert isinstance(ended, Released if gateway.count("approval_verdict WHERE verdict = 'grant'") else Denied)
    assert gateway.count("log_entry WHERE step_id LIKE '%final'") == 1


def test_a_grant_while_the_policy_is_tightened_releases_by_the_old_or_is_void_never_by_none(gateway):
    put(gateway)
    pending = ask_contact(gateway)
    task = only_task(gateway)
    tighter = PERSONAL.replace('IPX::Action::"trademark.owner.contact", ', "")

    at_once(lambda act: act(), [lambda: grant(gateway, task), lambda: put(gateway, tighter)])
    ended = looked_at(gateway, pending)

    assert isinstance(ended, Released) or ended.reason == "approval_void"
    assert isinstance(ask_contact(gateway), Denied)


def test_a_policy_tightened_between_grant_and_decision_releases_nothing(gateway, monkeypatch):
    put(gateway)
    pending = ask_contact(gateway)
    settle = gateway.services.settling.settle

    def tightened_first(exchange_id):
        put(gateway, PERSONAL.replace('IPX::Action::"trademark.owner.contact", ', ""))
        settle(exchange_id)

    monkeypatch.setattr(gateway.services.settling, "settle", tightened_first)
    task = grant(gateway, only_task(gateway))

    assert task.state == "void"
    assert looked_at(gateway, pending).reason == "approval_void"


def test_settling_one_exchange_many_times_at_once_ends_it_once(gateway, monkeypatch):
    put(gateway)
    pending = ask_contact(gateway)
    settle = gateway.services.settling.settle
    monkeypatch.setattr(gateway.services.settling, "settle", lambda _: None)
    grant(gateway, only_task(gateway))

    at_once(settle, [pending.evidence.exchange] * 6)

    assert isinstance(looked_at(gateway, pending), Released)
    assert gateway.count("log_entry WHERE step_id LIKE '%final'") == 1


@ON_SQLITE
def test_a_suspended_agency_gets_nothing_that_was_granted_to_it(gateway):
    put(gateway)
    pending = ask_contact(gateway)
    task = only_task(gateway)
    gateway.services.agencies.suspend(Agency, "customs-xa", reason="audit", actor="operator:test")

    grant(gateway, task)

    assert gateway.services.finished.read(pending.evidence.exchange).outcome == "denied"


@ON_SQLITE
def test_a_holder_that_is_down_when_it_is_resumed_is_a_failed_exchange(gateway):
    put(gateway)
    pending = ask_contact(gateway)
    gateway.services.sources.suspend("ipo-xa-trademarks", reason="maintenance", actor="operator:test")

    grant(gateway, only_task(gateway))

    assert looked_at(gateway, pending).stage == "holder"


@pytest.fixture
def office(gateway):
    """Calls `/v1/approvals` as the holder's own system."""
    scopes = ["exchange:request", "approvals:decide"]
    for client_id in (OFFICE, COURT):
        gateway.services.agencies.grant(client_id.partition(".")[0], scopes, actor="operator:test")
        gateway.services.agencies.set_client_scopes(client_id, scopes, actor="operator:test")

    def call(method, path="", body=b"", client_id=OFFICE, scope="approvals:decide", **headers):
        client = gateway.client(client_id)
        sent = {"Content-Type": "application/json"} | headers
        return client._call(
            Call(method, f"{gateway.settings.origin}/v1/approvals{path}", sent, body),
            Grant(scope, gateway.settings.resource),
        )

    return call


VERDICT = b'{"verdict": "grant", "groups": ["trademark.owner.contact"], "reason_code": "order_checked"}'


def test_a_holders_system_lists_shows_and_decides(gateway, office):
    put(gateway)
    pending = ask_contact(gateway)

    listed = office("GET").json()
    [item] = listed["items"]
    shown = office("GET", f"/{item['id']}")
    said = office("POST", f"/{item['id']}/verdict", VERDICT, **{"If-Match": shown.headers["ETag"]})

    assert listed["complete"] is True
    assert shown.json()["record"] == gateway.urn()
    assert (said.status, said.json()["state"]) == (200, "granted")
    assert isinstance(looked_at(gateway, pending), Released)


def test_pages_of_the_inbox_miss_nothing(gateway, office):
    put(gateway)
    asked = {ask_contact(gateway).evidence.exchange for _ in range(3)}

    found, after = set(), ""
    while True:
        page = office("GET", f"?limit=1{after}").json()
        found |= {item["exchange"] for item in page["items"]}
        if page["complete"]:
            break
        after = f"&after={page['next']}"

    assert found == asked


@ON_SQLITE
@pytest.mark.parametrize(
    ("body", "headers", "slug"),
    [
        (VERDICT, {}, "precondition-required"),
        (VERDICT, {"If-Match": '"7"'}, "stale-version"),
        (VERDICT, {"If-Match": "*"}, "stale-version"),
        (b"{", {"If-Match": '"1"'}, "invalid-request"),
        (VERDICT.replace(b"order_checked", b"because"), {"If-Match": '"1"'}, "invalid-field"),
        (VERDICT.replace(b"owner.contact", b"goods"), {"If-Match": '"1"'}, "invalid-field"),
        (VERDICT.replace(b'"grant"', b'"refuse"'), {"If-Match": '"1"'}, "invalid-field"),
        (VERDICT[:-1] + b', "quorum": 0}', {"If-Match": '"1"'}, "invalid-field"),
    ],
)
def test_a_verdict_that_is_not_in_form_changes_nothing(gateway, office, body, headers, slug):
    put(gateway)
    ask_contact(gateway)
    task = only_task(gateway)

    answer = office("POST", f"/{task.id}/verdict", body, **headers)

    assert answer.json()["type"].endswith(slug)
    assert only_task(gateway) == task


@ON_SQLITE
def test_another_holder_and_a_token_of_another_scope_see_nothing(gateway, office):
    put(gateway)
    ask_contact(gateway)
    task = only_task(gateway)

    elsewhere = office("GET", f"/{task.id}", client_id=COURT)
    unscoped = office("GET", f"/{task.id}", client_id=CUSTOMS, scope="exchange:request")

    assert elsewhere.status == 404
    assert office("GET", client_id=COURT).json()["items"] == []
    assert unscoped.status == 403


@ON_SQLITE
def test_the_shell_lists_shows_and_grants(gateway, monkeypatch):
    put(gateway)
    pending = ask_contact(gateway)
    monkeypatch.setattr("gateway.commands.approvals.services", lambda: gateway.services)
    task = only_task(gateway)

    def run(*arguments):
        result = CliRunner().invoke(operator, ["approval", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert task.id in run("list", "--agency", "ipo-xa")
    assert CONTACT in run("show", task.id, "--agency", "ipo-xa")
    assert "released" in run("grant", task.id, "--agency", "ipo-xa", "--reason-code", "order_checked")
    assert "5 working days" in run("period", "ipo-xa")
    assert "7 working days" in run("period", "ipo-xa", "7")
    assert isinstance(looked_at(gateway, pending), Released)


def at_once(act, given):
    """Do the same in several threads; gives what each returned or raised."""
    said = [None] * len(given)
    barrier = threading.Barrier(len(given))

    def run(number, one):
        barrier.wait()
        try:
            said[number] = act(one)
        except GatewayError as error:
            said[number] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(given)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return said


@ON_SQLITE
@pytest.mark.parametrize("step", [Step.REDACT, Step.LOG], ids=str)
def test_a_server_killed_while_an_exchange_becomes_pending_leaves_it_pending_or_closed(demo, settings, step):
    gateway = Gateway(demo, settings)
    put(gateway)
    request = gateway.sign(CUSTOMS, groups=[CONTACT])
    with serving(demo, settings, f"tests.exchange.dying:application('{step}')") as (address, server):
        with (
            Client(
                settings.origin,
                CUSTOMS,
                gateway.key(CUSTOMS),
                http=httpx.Client(transport=Rewired(address)),
                patience=Patience(total_seconds=20, tries=1),
            ) as client,
            pytest.raises(UnreachableError),
        ):
            client.send(request)
        server.wait()

    closed = gateway.services.recovery.close_own()
    answer = gateway.client().send(request)

    assert answer.evidence.is_replayed
    assert closed == (step is Step.REDACT)
    assert isinstance(answer, Failed if step is Step.REDACT else Pending)
    assert gateway.count("approval_task") == (step is Step.LOG)
    assert gateway.count("log_entry WHERE step_id LIKE 'exchange:%'") == 1
    if step is Step.LOG:
        assert grant(gateway, only_task(gateway)).exchange_state == "released"
    gateway.services.log.audit()
    gateway.close()


def test_a_verdict_and_a_withdrawal_at_once_have_one_end_and_lock_nobody_out(gateway):
    put(gateway)
    client = gateway.client()
    for _ in range(3):
        pending = ask_contact(gateway)
        task = next(one for one in gateway.services.approvals.list("ipo-xa") if one.state == "open")

        said = at_once(
            lambda act: act(), [lambda task=task: grant(gateway, task), lambda one=pending: withdrawn(client, one)]
        )

        assert not any(isinstance(one, StoreUnavailableError) for one in said)
        assert isinstance(looked_at(gateway, pending), Released | Withdrawn)
    assert gateway.count("log_entry WHERE step_id LIKE '%final'") == 3


def withdrawn(client, pending):
    try:
        return client.withdraw(pending.evidence.exchange)
    except ConflictError as error:
        return error


@ON_SQLITE
def test_waiting_is_told_as_http_tells_it(gateway):
    put(gateway)
    body = gateway.sign(CUSTOMS, groups=[CONTACT]).encode()
    call = Call(
        "POST",
        f"{gateway.settings.origin}/v1/exchanges",
        {"Content-Type": "application/jose", "Prefer": "respond-async, wait=10"},
        body,
    )
    good = gateway.payload(CUSTOMS)
    grant_of = purpose_grant(
        "exchange:request", gateway.settings.resource, purpose=good["purpose"], legal_basis=good["legal_basis"]
    )

    asked = gateway.client()._call(call, grant_of)
    place = f"{gateway.settings.origin}{asked.headers['Location']}"
    looked = gateway.client()._call(Call("GET", place, {}), Grant("exchange:request", gateway.settings.resource))
    grant(gateway, only_task(gateway))
    ended = gateway.client()._call(Call("GET", place, {}), Grant("exchange:request", gateway.settings.resource))

    assert (asked.status, looked.status, ended.status) == (202, 202, 200)
    assert asked.headers["Preference-Applied"] == "respond-async"
    assert int(looked.headers["Retry-After"]) > 0
    assert "Retry-After" not in ended.headers
    assert asked.headers["Content-Type"] == "application/json"
