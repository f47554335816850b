"""A policy is narrowed by form, read as a card, compared as text; nothing is lost when two people draft at once."""

import re

import pytest

from tests.admin.test_policy_pages import page

BORDER = "customs-trademark-border"


def inputs(shown, **changes):
    """What a browser posts of the page's main form, with some inputs changed."""
    form = shown.rpartition('<form method="post"')[2].partition("</form>")[0]
    found = []
    for tag in re.findall(r"<input [^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and (" checked" in tag or ('type="checkbox"' not in tag and 'type="radio"' not in tag)):
            found.append((name[1], value[1] if value else ""))
    for name, body in re.findall(r'<select [^>]*name="([^"]*)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        found.append((name, chosen[1] if chosen else (re.search(r'value="([^"]*)"', body) or ["", ""])[1]))
    for name, body in re.findall(r'<textarea [^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found.append((name, body))
    kept = [(name, value) for name, value in found if name not in changes]
    data = {}
    for name, value in [*kept, *((name, one) for name, ones in changes.items() for one in ones)]:
        data.setdefault(name, []).append(value)
    return data


def typed(client, address):
    return inputs(page(client, address + "?view=text"))["text"]


@pytest.fixture
def change(client, signed_in):
    """A change that alice started; the address of its page."""
    signed_in(client, "alice")
    shown = page(client, "/admin/changes/start")
    answer = client.post(
        "/admin/changes/start",
        data=inputs(shown, place=["holder/ipo-xa"], title=["Customs no longer see owners"], reason=["Data protection"]),
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def test_a_change_starts_with_what_is_in_force(client, change):
    shown = page(client, change)

    assert "Customs no longer see owners" in shown
    assert BORDER in shown
    assert "unchanged" in shown


def test_a_change_without_title_names_the_field(client, signed_in):
    signed_in(client, "alice")
    answer = client.post(
        "/admin/changes/start", data=inputs(page(client, "/admin/changes/start"), place=["holder/ipo-xa"], title=[""])
    )

    assert answer.status_code == 422
    assert 'href="#title"' in answer.text


def test_a_group_taken_out_by_form_narrows_the_text(client, change):
    address = f"{change}/policies/{BORDER}"
    shown = page(client, address + "?view=form")
    posted = inputs(shown)
    posted["group-public"].remove("trademark.owner")

    answer = client.post(address, data=posted)

    assert answer.status_code == 303
    card = page(client, answer.headers["Location"])
    assert "Difference to the policy in force" in card
    assert "<del>" in card
    assert "trademark.owner&#34;" not in typed(client, address)[0]
    assert "changed" in page(client, change)


def test_saving_the_form_unchanged_keeps_the_text_as_written(client, change):
    address = f"{change}/policies/{BORDER}"
    before = typed(client, address)

    answer = client.post(address, data=inputs(page(client, address + "?view=form")))

    assert answer.status_code == 303
    assert typed(client, address) == before


def test_a_text_with_a_fault_is_not_saved_and_not_lost(client, change):
    address = f"{change}/policies/{BORDER}"
    posted = inputs(page(client, address + "?view=text"))
    posted["text"] = [posted["text"][0].replace("&#34;", '"').replace("context.purpose", "context.purpsoe")]

    answer = client.post(address, data=posted)

    assert answer.status_code == 422
    assert "purpsoe" in answer.text
    assert 'href="#text"' in answer.text


def test_a_row_that_cannot_be_read_names_its_input(client, change):
    address = f"{change}/policies/{BORDER}"
    posted = inputs(page(client, address + "?view=form"))
    posted["when-0-value"] = ["border_enforcment"]

    answer = client.post(address, data=posted)

    assert answer.status_code == 422
    assert 'href="#when-0-value"' in answer.text
    assert "border_enforcment" in answer.text


def test_who_saves_second_is_told_and_keeps_what_was_typed(client, change):
    address = f"{change}/policies/{BORDER}"
    first = inputs(page(client, address + "?view=form"))
    second = inputs(page(client, address + "?view=form"))
    first["group-public"].remove("trademark.owner")
    second["title"] = ["Another title"]
    client.post(address, data=first)

    answer = client.post(address, data=second)

    assert answer.status_code == 422
    assert "Somebody saved another version" in answer.text
    assert "Another title" in answer.text


def test_a_policy_can_be_added_by_form(client, change):
    address = f"{change}/new-policy"
    posted = inputs(page(client, address + "?record_type=trademark"))
    posted |= {
        "policy_id": ["court-biblio"],
        "title": ["Courts"],
        "legal_basis": ["A law"],
        "group-public": ["trademark.biblio"],
    }

    answer = client.post(address, data=posted)

    assert answer.status_code == 303
    assert "court-biblio" in page(client, change)


def test_a_policy_can_be_taken_out(client, change):
    address = f"{change}/policies/{BORDER}"

    answer = client.post(address, data=inputs(page(client, address + "?view=form")) | {"remove": ["yes"]})

    assert answer.status_code == 303
    assert "removed" in page(client, change)


def test_tests_are_edited_as_json(client, change):
    posted = inputs(page(client, f"{change}/tests"))
    posted["tests"] = ['[{"name": "no", "question": {}}]']

    answer = client.post(f"{change}/tests", data=posted)

    assert answer.status_code == 422
    assert "/tests/no/expect" in answer.text


def test_an_editor_of_another_agency_finds_nothing(client, change, signed_in, gateway):
    page(signed_in(client, "edna"), change)
    page(signed_in(client, "adam"), change, 403)


def test_a_withdrawn_change_stays_readable(client, change):
    shown = page(client, change)
    token = shown.partition('name="csrf_token" value="')[2].partition('"')[0]
    version = shown.partition('name="version" value="')[2].partition('"')[0]

    answer = client.post(f"{change}/withdraw", data={"csrf_token": token, "version": version})

    assert answer.status_code == 303
    assert "withdrawn" in page(client, change)
