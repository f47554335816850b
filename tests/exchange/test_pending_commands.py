"""What an agency types: several records by query, a request that waits for an approval, receipts of both."""

import json

import pytest

from ipx.answers import Pending
from ipx.journal import Journal
from tests.exchange.approving import CONTACT, ask_contact, grant, only_task, put
from tests.exchange.querying import BASIS, PURPOSE, SEIZED
from tests.exchange.test_bundle_commands import runner
from tests.exchange.world import REGULATOR

WHY = ("--purpose", "border_enforcement", "--legal-basis", "XA Customs Cooperation Agreement 2025, art. 4")
QUERY = ("--holder", "customs-xa", "--purpose", PURPOSE, "--legal-basis", BASIS, "--trust", "trust.json", "--query")


ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


@pytest.fixture
def run(gateway, tmp_path, monkeypatch):
    return runner(gateway, tmp_path, monkeypatch)


@ON_SQLITE
def test_a_query_is_asked_from_the_shell_page_by_page_and_kept_for_the_verifier(gateway, run):
    put(gateway, SEIZED, owner="customs-xa")
    asked = json.dumps({"record_type": "detention", "where": {"stage": ["seized", "detained"]}, "limit": 2})

    first = run("request", *QUERY, asked, "--out", "answer.json", client_id=REGULATOR)
    more = next(line for line in first.output.splitlines() if line.startswith("more: --after ")).split()[2]
    second = run("request", *QUERY, asked, "--after", more, "--json", client_id=REGULATOR)
    verified = run("verify", "answer.json", "--trust", "trust.json", calls=False)

    assert first.exit_code == second.exit_code == verified.exit_code == 0
    assert "Released: 2 of records of type detention" in first.output
    assert [row["fields"]["detention_number"] for row in json.loads(second.output)["records"]] == ["D2026-0015"]
    assert "2 records were handed over; there are more on the next page." in verified.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("--record", "urn:ipx:a:b:c", "--query", "{}"),
        ("--query", "{}"),
        ("--holder", "customs-xa"),
        (),
        ("--record", "urn:ipx:ipo-xa:trademark:1", "--holder", "ipo-xa"),
        ("--query", "{", "--holder", "customs-xa"),
        ("--query", '{"record_type": 1}', "--holder", "customs-xa"),
    ],
)
def test_a_request_that_asks_for_neither_or_for_both_is_wrong_usage(one_gateway, tmp_path, monkeypatch, arguments):
    run = runner(one_gateway, tmp_path, monkeypatch)

    assert run("request", *arguments, *WHY).exit_code != 0


def test_a_pending_request_is_looked_at_again_until_it_is_released(gateway, run):
    put(gateway)

    asked = run("request", "--record", gateway.urn(), "--groups", CONTACT, *WHY, "--trust", "trust.json")
    exchange = only_task(gateway).exchange_id
    waiting = run("exchange", exchange, "--trust", "trust.json")
    grant(gateway, only_task(gateway))
    released = run("exchange", exchange, "--trust", "trust.json", "--out", "answer.json")
    verified = run("verify", "answer.json", "--trust", "trust.json", calls=False)

    assert (asked.exit_code, waiting.exit_code, released.exit_code, verified.exit_code) == (5, 5, 0, 0)
    assert "personal_data" in asked.output
    assert f"ipx exchange {exchange}" in asked.output
    assert "owner_contacts" in released.output
    assert "The request was filed on" in verified.output or "released" in verified.output


@ON_SQLITE
def test_a_pending_request_is_withdrawn_from_the_shell(gateway, run):
    put(gateway)
    exchange = ask_contact(gateway).evidence.exchange

    withdrawn = run("exchange", exchange, "--withdraw", "--trust", "trust.json")
    again = run("exchange", exchange, "--withdraw", "--trust", "trust.json")

    assert (withdrawn.exit_code, again.exit_code) == (0, 3)
    assert "Withdrawn" in withdrawn.output
    assert run("exchange", exchange, "--json").exit_code == 1


def test_a_mutual_log_knows_both_receipts_of_an_exchange_that_was_pending(gateway, run, tmp_path):
    put(gateway)
    run("request", "--record", gateway.urn(), "--groups", CONTACT, *WHY, "--trust", "trust.json", "--store", "kept")
    check = ("mutual", "check", "--store", "kept", "--trust", "trust.json")
    while_waiting = run(*check)

    grant(gateway, only_task(gateway))
    before_asking = run(*check)
    exchange = gateway.services.approvals.list("ipo-xa", state="granted")[0].exchange_id
    run("exchange", exchange, "--store", "kept")
    both = run(*check)

    assert [one.exit_code for one in (while_waiting, before_asking, both)] == [0, 0, 0], before_asking.output
    assert len({item.receipt for item in Journal(tmp_path / "kept").read()}) == 2


@ON_SQLITE
def test_an_end_that_does_not_follow_the_kept_pending_receipt_is_a_difference(gateway, run, tmp_path):
    put(gateway)
    run("request", "--record", gateway.urn(), "--groups", CONTACT, *WHY, "--store", "kept")
    first = only_task(gateway).exchange_id
    other = ask_contact(gateway)
    assert isinstance(other, Pending)
    path = next((tmp_path / "kept").glob("*.jsonl"))
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"receipt": other.evidence.receipt}, separators=(",", ":")) + "\n")
    for task in gateway.services.approvals.list("ipo-xa"):
        if task.exchange_id == first:
            grant(gateway, task)

    checked = run("mutual", "check", "--store", "kept", "--trust", "trust.json")

    assert checked.exit_code != 0
    assert "does not follow the pending receipt" in " ".join(checked.output.split())


@ON_SQLITE
def test_a_bundle_of_the_pending_step_is_fetched_anew_once_the_exchange_is_over(gateway, run, tmp_path):
    put(gateway)
    pending = ask_contact(gateway, case_ref="IPC 118/2026")
    export = ("bundle", "export", "--case", "IPC 118/2026", "--trust", "trust.json", "--out", "case")
    first = run(*export)
    early = (tmp_path / "case" / f"{pending.evidence.exchange}.zip").read_bytes()

    grant(gateway, only_task(gateway))
    second = run(*export)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert (tmp_path / "case" / f"{pending.evidence.exchange}.zip").read_bytes() != early
    assert '"released"' in (tmp_path / "case" / "bundles.json").read_text()
