"""From a draft to what is in force and back: by two people, over the pages, without JavaScript."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.governance.editors import Editor
from ipx.answers import Released
from policies.engine import PolicyRef, PolicyText, revision_of
from tests.admin.test_change_pages import BORDER, inputs
from tests.admin.test_policy_pages import page
from tests.exchange.approving import put


def post(client, address, form, **changes):
    """Post the form of a page whose action is `form`, with some inputs changed."""
    shown = page(client, address)
    part = shown.partition(f'action="{form}"')[2].partition("</form>")[0]
    token = part.partition('name="csrf_token" value="')[2].partition('"')[0]
    version = part.partition('name="version" value="')[2].partition('"')[0]
    assert token, shown[:500]
    return client.post(form, data={"csrf_token": token, "version": version} | changes)


def negative(name="nothing-for-strangers"):
    """A policy test that must be denied: each record type that a permit opens needs one."""
    return f"""[{{"name": "{name}", "question": {{"asking": {{"code": "court-xa", "kind": "court",
      "jurisdictions": ["XA"]}}, "record_type": "trademark", "purpose": "statistics",
      "groups": ["trademark.owner.contact"]}}, "expect": {{"outcome": "denied"}}}}]"""


@pytest.fixture
def change(client, signed_in):
    """Alice's draft that takes the owner from customs, with a policy test."""
    signed_in(client, "alice")
    form = inputs(page(client, "/admin/changes/start"), place=["holder/ipo-xa"], title=["No owners"], reason=["Law"])
    address = client.post("/admin/changes/start", data=form).headers["Location"]
    edit = f"{address}/policies/{BORDER}"
    form = inputs(page(client, edit + "?view=form"))
    form["group-public"].remove("trademark.owner")
    assert client.post(edit, data=form).status_code == 303
    answer = client.post(f"{address}/tests", data=inputs(page(client, f"{address}/tests"), tests=[negative()]))
    assert answer.status_code == 303, answer.text
    return address


@pytest.fixture
def proposed(client, change):
    """The same with evidence, and its review asked for."""
    answer = post(client, change, f"{change}/collect")
    assert answer.status_code == 303, answer.text
    answer = post(client, change, f"{change}/propose")
    assert answer.status_code == 303, answer.text
    return change


@pytest.fixture
def reviewed(client, signed_in, proposed):
    answer = verdict(signed_in(client, "bob"), proposed, "approve")
    assert answer.status_code == 303, answer.text
    return proposed


def verdict(client, change, said, comment=""):
    form = inputs(page(client, f"{change}/review"), verdict=[said], comment=[comment])
    return client.post(f"{change}/review", data=form)


def groups(gateway):
    answer = gateway.ask()
    assert isinstance(answer, Released)
    return answer.fields


def test_evidence_shows_difference_witness_and_past_exchanges(gateway, client, change):
    gateway.ask()
    gateway.ask()

    answer = post(client, change, f"{change}/collect")
    shown = page(client, answer.headers["Location"])

    assert "less permissive" in shown
    assert "allowed only by the old version" in shown
    assert "2 exchanges replayed, 0 answered as before" in shown
    assert "Exchanges of Customs Administration of XA that would change" in shown
    assert "/audit/exchanges/" in shown


def test_a_draft_without_negative_test_does_not_pass(client, signed_in):
    signed_in(client, "alice")
    form = inputs(page(client, "/admin/changes/start"), place=["holder/court-xa"], title=["x"], reason=["y"])
    address = client.post("/admin/changes/start", data=form).headers["Location"]
    tests = inputs(page(client, f"{address}/tests"), tests=["[]"])
    client.post(f"{address}/tests", data=tests)

    shown = page(client, post(client, address, f"{address}/collect").headers["Location"])

    assert "A test that must be denied is missing for:" in shown
    assert "Ask for review" not in page(client, address)


def test_a_second_person_reviews_and_activates_and_the_next_request_is_decided_by_it(gateway, client, reviewed):
    before = groups(gateway)

    answer = post(client, reviewed, f"{reviewed}/activate", activate_at="", shadow_from="")
    gateway.services.books.newest()

    assert answer.status_code == 303, answer.text
    assert "owners" in before
    assert "owners" not in groups(gateway)


def test_the_author_cannot_review(client, signed_in, proposed):
    shown = page(signed_in(client, "alice"), f"{proposed}/review")

    assert "a second person reviews it" in shown
    assert 'name="verdict"' not in shown


def test_the_author_cannot_review_even_as_an_approver(gateway, client, signed_in, proposed):
    gateway.services.people.set_roles(
        "alice", ("policy_editor", "policy_approver", "administrator"), actor="operator:tests"
    )
    signed_in(client, "alice")
    shown = page(client, proposed)
    token = shown.partition('name="csrf_token" value="')[2].partition('"')[0]
    change = gateway.services.governance.changes
    seen = change.show(Editor.operator("x"), int(proposed.rpartition("/")[2]))
    answer = client.post(
        f"{proposed}/review",
        data={
            "csrf_token": token,
            "version": seen.version,
            "evidence_sha256": seen.evidence_sha256,
            "verdict": "approve",
        },
    )

    assert answer.status_code == 422
    assert "a second person reviews it" in answer.text
    assert change.show(Editor.operator("x"), seen.id).state == "checked"


def test_what_is_sent_back_says_why(client, signed_in, proposed):
    signed_in(client, "bob")
    assert verdict(client, proposed, "reject").status_code == 422

    answer = verdict(client, proposed, "reject", "The ministry has to agree first")

    assert answer.status_code == 303
    assert "The ministry has to agree first" in page(client, proposed)


def test_a_verdict_on_other_evidence_is_not_taken(client, signed_in, proposed):
    signed_in(client, "bob")
    form = inputs(page(client, f"{proposed}/review"), verdict=["approve"]) | {"evidence_sha256": ["0" * 64]}

    answer = client.post(f"{proposed}/review", data=form)

    assert answer.status_code == 422
    assert "read it again" in answer.text


def test_a_moved_base_is_said(gateway, client, signed_in, proposed):
    put(gateway)

    shown = page(signed_in(client, "bob"), f"{proposed}/review")

    assert "The base moved" in shown
    assert verdict(client, proposed, "approve").status_code == 422


def test_a_draft_is_taken_over_to_a_moved_base(gateway, client, signed_in, proposed):
    put(gateway)
    signed_in(client, "alice")

    answer = post(client, proposed, f"{proposed}/take-over")

    assert answer.status_code == 303
    assert "The base moved" not in page(client, proposed)


def test_what_both_sides_changed_is_named_and_the_editor_says_whose_counts(gateway, client, signed_in, proposed):
    _, texts = gateway.services.policies.active()
    theirs = next(one for one in texts if one.ref.policy_id == BORDER)
    cedar = theirs.cedar + "// of somebody else"
    ref = PolicyRef("holder", "ipo-xa", BORDER, revision_of(cedar))
    gateway.services.policies.put(PolicyText(ref, cedar), actor="operator:tests")
    signed_in(client, "alice")

    asked = post(client, proposed, f"{proposed}/take-over")

    assert asked.status_code == 422
    assert "Changed on both sides" in asked.text
    assert f"<code>{BORDER}</code>" in asked.text
    kept = post(client, proposed, f"{proposed}/take-over", keep="ours")
    assert kept.status_code == 303
    assert "The base moved" not in page(client, proposed)


def test_what_is_reviewed_can_be_scheduled_with_a_shadow(client, reviewed):
    now = datetime.now(UTC)
    begins, since = (f"{now + days:%Y-%m-%d 00:00}" for days in (timedelta(days=28), timedelta(days=-25)))
    answer = post(client, reviewed, f"{reviewed}/activate", activate_at=begins, shadow_from=since)

    assert answer.status_code == 303, answer.text
    shown = page(client, reviewed)
    assert begins in shown
    assert "0 questions compared" in page(client, f"{reviewed}/shadow")


def test_a_time_that_is_none_names_its_field(client, reviewed):
    answer = post(client, reviewed, f"{reviewed}/activate", activate_at="soon", shadow_from="")

    assert answer.status_code == 422
    assert 'href="#activate_at"' in answer.text


def test_a_second_person_rolls_back(gateway, client, signed_in, reviewed):
    post(client, reviewed, f"{reviewed}/activate", activate_at="", shadow_from="")
    gateway.services.books.newest()
    shown = page(client, "/admin/activations?place=holder/ipo-xa")
    target = shown.partition("&amp;to=")[2].partition("#")[0]
    address = f"/admin/activations?place=holder/ipo-xa&to={target}"

    form = inputs(page(client, address), reason=["Wrong after all"])
    answer = client.post(f"/admin/activations/{target}/roll-back?place=holder/ipo-xa", data=form)
    gateway.services.books.newest()

    assert answer.status_code == 303, answer.text
    assert "owners" in groups(gateway)


def test_one_person_stops_something_and_a_second_one_lifts_it(gateway, client, signed_in):
    signed_in(client, "alice")
    form = inputs(
        page(client, "/admin/emergency-denials"),
        place=["holder/ipo-xa"],
        agency=["customs-xa"],
        reason=["A leak at customs"],
    )
    answer = client.post("/admin/emergency-denials", data=form)
    gateway.services.books.newest()
    assert answer.status_code == 303, answer.text
    assert not isinstance(gateway.ask(), Released)

    signed_in(client, "bob")
    shown = page(client, "/admin/emergency-denials")
    number = shown.partition('action="/admin/emergency-denials/')[2].partition('"')[0]
    answer = post(client, "/admin/emergency-denials", f"/admin/emergency-denials/{number}", verdict="lift")
    gateway.services.books.newest()

    assert answer.status_code == 303, answer.text
    assert isinstance(gateway.ask(), Released)


def test_a_request_is_simulated_with_the_draft(client, change):
    asked = "records=ipo-xa/trademark&asking=customs-xa&purpose=border_enforcement&group=trademark.owner&ask=1"

    before, after = (page(client, f"/admin/simulate?{asked}{more}") for more in ("", f"&change={change[-1]}"))

    assert "not_granted" not in before
    assert "not_granted" in after
    assert "No owners" in after


def test_the_start_page_says_what_waits(client, signed_in, proposed):
    assert "“No owners” waits for your review" not in page(client, "/admin/")
    assert "“No owners” waits for your review" in page(signed_in(client, "bob"), "/admin/")
