"""The page of a change while its evidence is collected: how far it is, and on to the evidence without JavaScript."""

import pytest

from tests.admin.test_lifecycle_pages import change, post  # noqa: F401
from tests.admin.test_policy_pages import page


@pytest.fixture
def later(gateway, monkeypatch):
    """Work beside requests, kept until a test does it."""
    kept = []
    collecting = gateway.services.governance.collecting
    monkeypatch.setattr(collecting, "_start", lambda work, _beat: kept.append(work))
    monkeypatch.setattr("gateway.admin.policies.drafting.WAIT_SECONDS", 0)
    return kept


def test_the_page_says_how_far_it_is_and_goes_on_to_the_evidence(client, change, later):  # noqa: F811
    address = post(client, change, f"{change}/collect").headers["Location"]
    waiting = page(client, address)
    part = client.get(address, headers={"HX-Request": "true"}).text

    assert address == f"{change}?collecting=1"
    assert "Evidence is being collected" in waiting
    assert f'<noscript><meta http-equiv="refresh" content="2; url={address}"></noscript>' in waiting
    assert f'action="{change}/collect"' not in waiting
    assert part.lstrip().startswith('<div class="govuk-inset-text" id="collecting"')
    assert "About to begin" in part
    later.pop()()
    moved = client.get(address, headers={"HX-Request": "true"})
    assert moved.headers["HX-Redirect"] == address
    ended = client.get(address)
    assert (ended.status_code, ended.headers["Location"]) == (303, f"{change}/evidence")
    assert "The evidence is complete and passes." in page(client, f"{change}/evidence")
    assert "Evidence is being collected" not in page(client, change)


def test_a_collection_that_ends_while_its_page_is_drawn_is_still_followed(gateway, client, change, later, monkeypatch):  # noqa: F811
    """Else the page neither waits nor says how it ended: the person is left with what looks like nothing."""
    changes = gateway.services.governance.changes
    show = type(changes).show

    def ends_meanwhile(self, editor, change_id):
        found = show(self, editor, change_id)
        while later:
            later.pop()()
        return found

    address = post(client, change, f"{change}/collect").headers["Location"]
    with monkeypatch.context() as patch:
        patch.setattr(type(changes), "show", ends_meanwhile)
        drawn = page(client, address)
    assert "Evidence is being collected" in drawn
    assert client.get(address).headers["Location"] == f"{change}/evidence"


def test_a_fault_is_said_on_the_page_and_it_can_be_collected_again(gateway, client, change, later, monkeypatch):  # noqa: F811
    def broken(_proposal, _tell):
        raise OSError("no child process can be started")

    address = post(client, change, f"{change}/collect").headers["Location"]
    with monkeypatch.context() as patch:
        patch.setattr(gateway.services.governance.runs, "collect", broken)
        later.pop()()
    assert "because of a fault here" in page(client, address)
    post(client, change, f"{change}/collect")
    later.pop()()
    assert client.get(address).headers["Location"] == f"{change}/evidence"
