"""`/v1/policies`: an agency's own systems change its policies, and nobody approves what they wrote."""

import io
import json
import zipfile
from types import SimpleNamespace

import pytest

from ipx.channel import Call
from ipx.tokens import Grant
from tests.exchange.world import CUSTOMS, OFFICE
from tests.governance import people
from tests.governance.people import MARK


def call(site, method, path, body=None, *, client=OFFICE, scope="policies:edit", version=None, accept=None):
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if version is not None:
        headers["If-Match"] = f'"{version}"'
    if accept:
        headers["Accept"] = accept
    data = json.dumps(body).encode() if body is not None else b""
    url = f"{site.settings.origin}/v1/policies{path}"
    reply = site.client(client)._call(Call(method, url, headers, data), Grant(scope, site.settings.resource))
    is_json = "json" in reply.headers.get("Content-Type", "")
    return SimpleNamespace(status=reply.status, body=reply.body, document=json.loads(reply.body) if is_json else None)


def read(site, path, **options):
    return call(site, "GET", path, scope="policies:read", **options)


def test_a_change_goes_its_way_by_the_api_and_its_author_cannot_approve_it(site):
    wanted = {MARK: people.narrowed(people.text_of(site))}
    body = {"tier": "holder", "owner": "ipo-xa", "title": "No owner", "policies": wanted}
    opened = call(site, "POST", "/changes", body)
    assert (opened.status, opened.document["state"]) == (201, "draft")
    number = opened.document["id"]

    found = call(site, "POST", f"/changes/{number}/evidence", version=opened.document["version"])
    assert found.document["state"] == "checked", found.document
    asked = call(site, "POST", f"/changes/{number}/ask", version=found.document["version"]).document
    review = {"verdict": "approve", "evidence_sha256": asked["evidence_sha256"]}
    own = call(site, "POST", f"/changes/{number}/reviews", review, scope="policies:approve", version=asked["version"])
    early = call(site, "POST", f"/changes/{number}/activate", version=asked["version"])
    stranger = read(site, f"/changes/{number}", client=CUSTOMS)

    assert (own.status, own.document["type"].rpartition("/")[2]) == (403, "own-change")
    assert early.status == 409
    assert stranger.status == 404
    people.approve(site, site.services.governance.changes.show(people.BOB, number))
    ready = read(site, f"/changes/{number}").document
    active = call(site, "POST", f"/changes/{number}/activate", version=ready["version"])
    assert active.document["state"] == "active"
    history = read(site, "/holder/ipo-xa/activations").document["items"]
    assert [one["kind"] for one in history] == ["change", "import"]
    back = call(
        site,
        "POST",
        "/holder/ipo-xa/rollback",
        {"activation": history[1]["id"], "in_force": history[0]["id"], "reason": "x"},
        scope="policies:approve",
    )
    assert (back.status, back.document["type"].rpartition("/")[2]) == (403, "own-change")


def test_what_is_in_force_is_listed_shown_and_drawn(site):
    listed = read(site, "").document["items"]
    shown = read(site, "/holder/ipo-xa/foreign-office-examination").document
    drawn = read(site, "/holder/ipo-xa/foreign-office-examination/card?language=zh").document["card"]
    tests = read(site, "/holder/ipo-xa/tests").document

    assert {one["owner"] for one in listed} == {"gateway", "ipo-xa"}
    assert "permit" in shown["cedar"]
    assert "外国知识产权局" in drawn["text"]
    assert tests["is_passed"]
    assert read(site, "/holder/customs-xa/recordal-public").status == 404


def test_a_folder_goes_out_and_comes_back_as_a_draft_of_what_differs(site):
    files = read(site, "/export").document["files"]
    zipped = read(site, "/export", accept="application/zip")
    changed = {path: text for path, text in files.items() if path.startswith(("holder/", "tests/holder/"))}
    changed["holder/ipo-xa/public-trademark-basics.cedar"] += "// said better\n"

    same = call(site, "POST", "/import", {"files": files | {}, "title": "nothing"})
    made = call(site, "POST", "/import", {"files": changed, "title": "a comment"})
    odd = call(site, "POST", "/import", {"files": {"../x.cedar": "permit(principal,action,resource);"}, "title": "x"})

    assert zipfile.ZipFile(io.BytesIO(zipped.body)).namelist() == sorted(files)
    assert same.document == {"items": [], "complete": True}
    assert [one["policies"] for one in made.document["items"]] == [["public-trademark-basics"]]
    assert odd.status == 422


def test_a_question_is_explained_to_its_holder_and_to_its_requester_and_to_nobody_else(site):
    asked = {
        "asking": "customs-xa",
        "holder": "ipo-xa",
        "record_type": "trademark",
        "purpose": "border_enforcement",
    }
    holder = call(site, "POST", "/explain", {"question": asked}, scope="policies:read")
    requester = call(site, "POST", "/explain", {"question": asked}, scope="policies:read", client=CUSTOMS)
    stranger = call(
        site, "POST", "/explain", {"question": asked | {"asking": "court-xa"}}, scope="policies:read", client=CUSTOMS
    )

    assert holder.document["outcome"] == "released"
    assert holder.document["policies"]
    assert requester.document["policies"] == []
    assert stranger.status == 403


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/changes", {"tier": "guardrail", "owner": "gateway", "title": "x"}, 403),
        ("POST", "/changes", {"tier": "holder", "owner": "customs-xa", "title": "x"}, 403),
        ("POST", "/changes", {"tier": "holder", "owner": "ipo-xa"}, 422),
        ("POST", "/changes", {"tier": "holder", "owner": "ipo-xa", "title": "x", "more": 1}, 422),
        ("POST", "/changes/99999/evidence", None, 428),
        ("PATCH", "/changes/99999", {"title": "x"}, 428),
        ("POST", "/emergencies", {"policy": "x-y", "cedar": "x", "until": "soon", "reason": "x"}, 422),
    ],
)
def test_what_cannot_be_taken_is_refused(site, method, path, body, status):
    assert call(site, method, path, body).status == status


def test_a_client_without_the_scope_is_kept_out(site):
    assert call(site, "GET", "", client="court-xa.registry", scope="exchange:request").status == 403


def test_a_text_is_linted_without_being_stored(site):
    text = '@id("x-y") permit (principal, action, resource);'
    answer = call(
        site, "POST", "/lint", {"tier": "holder", "owner": "ipo-xa", "cedar": text}, scope="policies:read"
    ).document

    assert not answer["is_passed"]
    assert {one["code"] for one in answer["findings"]} >= {"legal_basis", "bare_action"}
