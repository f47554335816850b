"""`ipx audit`: from "every access to this right" to evidence that is verified on the auditor's own machine."""

import json
import re
from datetime import timedelta

import pytest

from gateway.auditor.scope import NATIONAL, OWN
from ipx import evidence
from tests.exchange.test_bundle_commands import runner
from tests.exchange.test_flags import planted_flag
from tests.exchange.world import CUSTOMS, MARK, OFFICE


@pytest.fixture
def run(one_gateway, tmp_path, monkeypatch):
    agencies = one_gateway.services.agencies
    agencies.set_scopes("customs-xa", ["exchange:request", OWN, NATIONAL], actor="test")
    agencies.set_client_scopes(CUSTOMS, ["exchange:request", OWN, NATIONAL], actor="test")
    return runner(one_gateway, tmp_path, monkeypatch)


@pytest.fixture
def exchange(one_gateway):
    answer = one_gateway.ask()
    one_gateway.services.auditing.indexer.catch_up()
    return answer.evidence.exchange


def test_an_auditor_finds_opens_and_proves_an_access_to_a_right(run, exchange, one_gateway, tmp_path):
    today = one_gateway.services.clock()
    days = ("--since", f"{today - timedelta(days=1):%Y-%m-%d}", "--until", f"{today:%Y-%m-%d}")
    found = run("audit", "search", "--right", f"XA|trademark|{MARK}", "--requester", "customs-xa", *days)
    opened = run("audit", "show", exchange)
    proved = run("audit", "verify", exchange, "--trust", "trust.json", "--out", "evidence.zip")

    assert exchange in found.stdout
    assert re.search(r"(\d+) of \1 exchanges", found.stdout)
    assert opened.exit_code == 0
    assert re.search(r"log entry +proved at leaf \d+ of \d+", opened.stdout)
    assert re.search(r"withheld +trademark\.owner\.contact", opened.stdout)
    assert proved.exit_code == 0, proved.output
    data = (tmp_path / "evidence.zip").read_bytes()
    assert evidence.verify(data, one_gateway.trust, now=today + timedelta(days=1)).exchange == exchange


def test_what_was_looked_at_shows_in_acts_and_on_the_exchange_itself(run, exchange):
    run("audit", "show", exchange)

    again = json.loads(run("audit", "show", exchange, "--json").stdout)
    acts = json.loads(run("audit", "acts", "--act", "audit", "--subject", exchange, "--json").stdout)

    assert [look["actor"] for look in again["looked_at"]] == [CUSTOMS]
    assert {item["act"] for item in acts["items"]} == {"audit.opened"}
    assert acts["total"] == 2


def test_an_export_is_a_file_of_all_that_was_found(run, exchange, tmp_path):
    taken = run("audit", "export", "--requester", "customs-xa", "--format", "ndjson", "--out", "all.ndjson")

    assert taken.exit_code == 0
    about, *lines = map(json.loads, (tmp_path / "all.ndjson").read_text().splitlines())
    assert about["export"]["filter"] == {"requester": "customs-xa"}
    assert exchange in {line["id"] for line in lines}


def test_acts_and_recalls_are_taken_as_files_and_a_refused_export_leaves_none(run, one_gateway, tmp_path):
    acts = run("audit", "export", "--acts", "--act", "audit", "--out", "acts.csv")
    recalls = run(*("audit", "export", "--recalls", "--kind", "erased", "--state", "open"), "--out", "recalls.csv")
    refused = run("audit", "export", "--recalls", "--kind", "lost", "--out", "lost.csv")
    nowhere = run("audit", "export", "--out", "no/such/folder.csv")

    assert acts.exit_code == recalls.exit_code == 0, acts.output + recalls.output
    assert "audit.exported" in (tmp_path / "acts.csv").read_text()
    assert "recalls of customs-xa" in (tmp_path / "recalls.csv").read_text()
    assert "kind=erased&state=open" in (tmp_path / "recalls.csv").read_text()
    assert refused.exit_code != 0
    assert "kind" in refused.output
    assert not [*tmp_path.glob("lost.csv*")]
    assert "cannot be written" in nowhere.output


def test_what_is_outside_the_scope_is_not_there(run, one_gateway):
    foreign = one_gateway.ask(OFFICE, "ipo-xb", "trademark", "2023889012", purpose="examination").evidence.exchange

    own, national = run("audit", "show", foreign), run("audit", "show", foreign, "--national")

    assert own.exit_code != 0
    assert national.exit_code == 0


def test_a_filter_that_cannot_be_read_says_which(run):
    refused = run("audit", "search", "--since", "yesterday")

    assert refused.exit_code != 0
    assert "since" in refused.output
    assert "2026-11-25" in refused.output


def test_flags_are_listed_and_marked_from_a_shell(run, one_gateway):
    flag = planted_flag(one_gateway.services)
    listed = run("audit", "flags", "--status", "open")
    marked = run("audit", "flag", flag, "--status", "false_alarm", "--note", "a trade fair")

    assert "99 requests on this day" in listed.stdout
    assert re.search(r"status +false_alarm", marked.stdout)
    assert "a trade fair" in run("audit", "flag", flag).stdout
    assert run("audit", "flag", flag, "--status", "solved").exit_code != 0
    assert run("audit", "flag", flag, "--note", "too late", "--seen", "0" * 32).exit_code != 0


def test_who_asked_is_signed_and_found_again(run, one_gateway):
    run(
        *("request", "--record", one_gateway.urn(), "--purpose", "border_enforcement"),
        *("--legal-basis", "XA Customs Cooperation Agreement 2025, art. 4", "--person", "desk-17"),
    )
    one_gateway.services.auditing.indexer.catch_up()
    found = json.loads(run("audit", "search", "--person", "desk-17", "--json").stdout)
    version = one_gateway.services.policies.versions()["holder", "ipo-xa"]
    decided = json.loads(run("audit", "search", "--policy-version", version, "--person", "desk-17", "--json").stdout)

    assert found["total"] == decided["total"] == 1
    assert json.loads(run("audit", "search", "--policy-version", "ipo-xa@00000000", "--json").stdout)["total"] == 0
    assert json.loads(run("audit", "search", "--person", "desk-18", "--json").stdout)["total"] == 0


def test_the_log_is_shown_and_proved_from_a_shell(run, exchange, monkeypatch):
    monkeypatch.setattr("ipx.auditing.VERIFIED_AT_ONCE", 7)  # a longer range is proved piece by piece
    shown = json.loads(run("audit", "log", "--json").stdout)
    size = shown["size"]

    assert (shown["missing"], shown["alarms"]) == (0, [])
    assert run("audit", "log").exit_code == 0
    assert json.loads(run("audit", "log", "--consistency", "1", str(size), "--json").stdout)["holds"] is True
    proved = json.loads(run("audit", "log", "--entries", "0", str(size - 1), "--json").stdout)
    assert (proved["holds"], proved["first"], proved["last"]) == (True, 0, size - 1)
    assert run("audit", "log", "--entries", "0", str(size + 1000)).exit_code != 0


def test_a_report_counts_what_an_auditor_may_see(run, exchange, one_gateway):
    one_gateway.ask(OFFICE, "ipo-xb", number="2023889012", purpose="examination")  # nothing of customs'
    told = run("audit", "report")
    own = json.loads(run("audit", "report", "--json").stdout)
    national = json.loads(run("audit", "report", "--national", "--json").stdout)
    refused = run("audit", "report", "--since", "2020-01-01", "--until", "2026-01-01")

    assert told.exit_code == 0, told.output
    assert re.search(rf"customs-xa +ipo-xa +{own['total']}\b", told.stdout)
    assert {(pair["requester"], pair["holder"]) for pair in own["pairs"]} == {("customs-xa", "ipo-xa")}
    assert sum(pair["count"] for pair in own["pairs"]) == sum(day["count"] for day in own["days"]) == own["total"]
    assert national["total"] > own["total"]
    assert {"record_type": "trademark", "outcome": "released"}.items() <= own["outcomes"][0].items()
    assert refused.exit_code != 0
    assert "400 days" in refused.output
