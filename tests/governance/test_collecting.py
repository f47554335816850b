"""Collecting evidence beside the request: how far it is, that one runs at a time, and what a lost one leaves behind."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import update

from gateway.errors import UnknownError
from gateway.governance.collecting import Collecting, CollectingFailedError, EvidenceCollection
from gateway.governance.errors import ChangedMeanwhileError
from ipx.channel import Call
from ipx.tokens import Grant
from tests.exchange.world import OFFICE
from tests.governance import people
from tests.governance.people import ALICE, CUSTOMS, MARK


class Later:
    """Keeps the work until it is told to do it."""

    def __init__(self):
        self.work = []

    def __call__(self, work, _beat):
        self.work.append(work)

    def do(self):
        self.work.pop(0)()


@pytest.fixture
def later():
    return Later()


def collecting_of(gateway, later):
    services = gateway.services
    return Collecting(services.database, services.governance.changes, services.clock, later)


def drafted(gateway):
    return people.draft(gateway, {MARK: people.narrowed(people.text_of(gateway))})


def test_a_collection_is_begun_once_and_ends_in_evidence(gateway, later):
    collecting, change = collecting_of(gateway, later), drafted(gateway)
    assert collecting.progress(ALICE, change.id) is None
    begun = collecting.begin(ALICE, change.id, version=change.version)
    joined = collecting.begin(ALICE, change.id, version=change.version)
    waited = collecting.wait(change.id, 0)

    assert (begun.state, begun.phase) == ("running", "waiting")
    assert joined == begun == waited
    assert len(later.work) == 1
    later.do()
    done = collecting.wait(change.id, 0)
    assert (done.state, done.phase, done.failure) == ("done", "card", None)
    done.require_success()
    assert gateway.services.governance.changes.show(ALICE, change.id).state == "checked"


def test_each_phase_is_told_in_its_order_with_its_count(site):
    change, heard = drafted(site), []
    site.services.governance.changes.run_evidence(
        ALICE, change.id, version=change.version, tell=lambda *told: heard.append(told)
    )
    assert list(dict.fromkeys(phase for phase, _, _ in heard)) == [
        *("lint", "validation", "tests", "diff", "replay", "card")
    ]
    replayed = [(done, total) for phase, done, total in heard if phase == "replay"]
    assert replayed[-1][0] == replayed[-1][1]
    assert heard[0][2] == len(change.policies)


def test_what_was_saved_meanwhile_ends_the_collection_and_says_so(site, later):
    collecting, change = collecting_of(site, later), drafted(site)
    collecting.begin(ALICE, change.id, version=change.version)
    site.services.governance.changes.save(ALICE, change.id, version=change.version, title="Another")
    later.do()
    ended = collecting.progress(ALICE, change.id)
    assert (ended.state, ended.failure) == ("failed", "stale-version")
    with pytest.raises(ChangedMeanwhileError):
        ended.require_success()
    with pytest.raises(ChangedMeanwhileError):
        collecting.begin(ALICE, change.id, version=change.version)


def test_one_whose_process_is_gone_counts_as_lost_and_can_be_begun_again(site, later):
    collecting, change = collecting_of(site, later), drafted(site)
    collecting.begin(ALICE, change.id, version=change.version)
    with site.services.database.write() as session:
        long_ago = site.services.clock() - timedelta(minutes=5)
        session.execute(update(EvidenceCollection).values(beat_at=long_ago))
    lost = collecting.progress(ALICE, change.id)
    again = collecting.begin(ALICE, change.id, version=change.version)

    assert lost.state == "lost"
    with pytest.raises(CollectingFailedError):
        lost.require_success()
    assert again.is_running
    later.do()  # the one that was given up wakes: it sees that another one took its place, and stops
    assert collecting.progress(ALICE, change.id).phase == "waiting"
    later.do()
    assert collecting.progress(ALICE, change.id).state == "done"


def test_a_fault_ends_it_and_leaves_the_change_as_it_was(site, later, monkeypatch):
    collecting, change = collecting_of(site, later), drafted(site)

    def broken(_proposal, _tell):
        raise OSError("no child process can be started")

    collecting.begin(ALICE, change.id, version=change.version)
    monkeypatch.setattr(site.services.governance.runs, "collect", broken)
    later.do()
    ended = collecting.progress(ALICE, change.id)
    assert (ended.state, ended.failure) == ("failed", "internal")
    assert site.services.governance.changes.show(ALICE, change.id) == change


def test_others_do_not_see_how_far_it_is(site, later):
    collecting, change = collecting_of(site, later), drafted(site)
    collecting.begin(ALICE, change.id, version=change.version)
    with pytest.raises(UnknownError):
        collecting.progress(CUSTOMS, change.id)


def test_the_api_says_where_to_ask_and_how_far_it_is(site, later, monkeypatch):
    def call(method, path, scope, **headers):
        url = f"{site.settings.origin}/v1/policies/changes/{change.id}{path}"
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return site.client(OFFICE)._call(
            Call(method, url, {"Content-Type": "application/json"} | headers, b""), Grant(scope, site.settings.resource)
        )

    change = drafted(site)
    monkeypatch.setattr(site.services.governance.collecting, "_start", later)
    none = call("GET", "/evidence", "policies:read")
    seen = {"If_Match": f'"{change.version}"'}
    begun = call("POST", "/evidence", "policies:edit", Prefer="respond-async", **seen)
    same = call("POST", "/evidence", "policies:edit", Prefer="wait=0", **seen)
    running = call("GET", "/evidence", "policies:read")

    assert none.status == 404
    assert (begun.status, begun.headers["Location"]) == (202, f"/v1/policies/changes/{change.id}/evidence")
    assert begun.headers["Retry-After"] == running.headers["Retry-After"] == "2"
    assert json.loads(begun.body) == json.loads(same.body) == json.loads(running.body)
    later.do()
    done = call("GET", "/evidence", "policies:read")
    assert "Retry-After" not in done.headers
    assert json.loads(done.body)["state"] == "done"
    assert json.loads(call("GET", "", "policies:read").body)["state"] == "checked"
