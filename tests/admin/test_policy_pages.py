"""Pages that show policies: as cards in both languages, to those whose business they are."""

import pytest
from sqlalchemy import select

from gateway.audit.models import AuditEntry


def page(client, address, status=200):
    answer = client.get(address)
    assert answer.status_code == status, answer.text[:2000]
    return answer.text


@pytest.mark.parametrize(
    "address",
    ["/admin/policies", "/admin/matrix", "/admin/simulate", "/admin/policies/holder/ipo-xa/customs-trademark-border"],
)
def test_pages_want_a_signed_in_person(client, address):
    assert client.get(address).status_code == 303


def test_policies_are_cards(client, signed_in):
    shown = page(signed_in(client, "alice"), "/admin/policies")

    assert "Allow clients of “Customs Administration of XA” to receive" in shown
    assert "允许“Customs Administration of XA”的客户端获取" in shown


def test_the_whole_page_is_chinese(client, signed_in):
    shown = page(signed_in(client, "alice"), "/admin/policies?lang=zh_Hans_CN")

    assert '<html lang="zh-Hans-CN"' in shown
    assert "生效中的策略" in shown


def test_an_agency_sees_its_own_policies_and_the_guardrails(client, signed_in):
    shown = page(signed_in(client, "edna"), "/admin/policies")

    assert "customs-trademark-border" in shown
    assert "guard-sealed" in shown
    assert "court-detention-cited" not in shown
    page(client, "/admin/policies/holder/customs-xa/court-detention-cited", 404)


def test_policies_can_be_filtered(client, signed_in):
    shown = page(signed_in(client, "alice"), "/admin/policies?tier=holder&owner=ipo-xa&about=trademark&word=border")

    assert "customs-trademark-border" in shown
    assert "public-trademark-basics" not in shown
    assert "guard-sealed" not in shown


def test_one_policy_has_its_text(client, signed_in):
    shown = page(signed_in(client, "alice"), "/admin/policies/holder/ipo-xa/customs-trademark-border")

    assert "principal in IPX::Agency::&#34;customs-xa&#34;" in shown


def test_a_text_is_judged_while_it_is_typed(client, signed_in):
    signed_in(client, "alice")
    token = csrf(client)
    text = '@id("x-1") permit (principal, action, resource) when { context.purpsoe == "x" };'

    answer = client.post("/admin/policies/validate?tier=holder&owner=ipo-xa", json={"text": text}, headers=token)

    assert answer.status_code == 200
    assert any("purpsoe" in finding["message"] for finding in answer.get_json()["findings"])


def test_a_text_without_fault_has_no_findings(client, gateway, signed_in):
    signed_in(client, "alice")
    text = next(
        text for text in gateway.services.policies.active()[1] if text.ref.policy_id == "customs-trademark-border"
    )

    answer = client.post(
        "/admin/policies/validate?tier=holder&owner=ipo-xa", json={"text": text.cedar}, headers=csrf(client)
    )

    assert answer.get_json() == {"findings": []}


def test_without_a_token_of_the_page_nothing_is_judged(client, signed_in):
    answer = signed_in(client, "alice").post("/admin/policies/validate", json={"text": ""})

    assert answer.status_code == 400


def csrf(client):
    return {"X-CSRFToken": token_of(client)}


def token_of(client):
    return page(client, "/admin/policies").partition('name="csrf_token" value="')[2].partition('"')[0]


def test_the_matrix_says_who_can_see_what(client, signed_in):
    shown = page(signed_in(client, "alice"), "/admin/matrix?records=ipo-xa/trademark")

    assert "trademark.owner.contact" in shown
    assert "always" in shown
    assert "/admin/policies/holder/ipo-xa/customs-trademark-border" in shown


def test_who_can_see_a_real_record_is_shown_to_its_holder_and_written_down(gateway, client, signed_in):
    signed_in(client, "otto")
    mark = gateway.urn()

    shown = page(client, f"/admin/who-can-see?record={mark}")
    foreign = client.get(f"/admin/who-can-see?record={gateway.urn('customs-xa', 'detention', 'D2026-0007')}")
    wrong = client.get("/admin/who-can-see?record=2019-0042")

    row = shown.partition("<code>trademark.owner</code>")[2].partition("</tr>")[0]
    assert "always" in row
    assert "never" in row
    assert "another holder" in foreign.text
    assert (foreign.status_code, wrong.status_code) == (422, 422)
    with gateway.services.database.read() as session:
        acts = session.scalars(select(AuditEntry).where(AuditEntry.act == "policy.explained")).all()
    assert [(act.actor, act.subject) for act in acts] == [("person:otto", mark)]


def test_a_made_up_request_is_explained(client, signed_in):
    shown = page(
        signed_in(client, "alice"),
        "/admin/simulate?records=ipo-xa/trademark&asking=customs-xa&purpose=border_enforcement&mark=sealed&ask=1",
    )

    assert "An approval would lift it" in shown
    assert "guard-sealed" in shown
    assert "overridden" in shown


def test_an_officer_without_agency_has_no_inbox(client, signed_in):
    page(signed_in(client, "alice"), "/admin/approvals", 403)
