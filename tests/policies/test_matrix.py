"""The rights matrix says what the engine would answer."""

import pytest

from policies.matrix import Asked, rights_matrix


def matrix(world, record_type, holder, *columns, book=None):
    asked = [Asked(world.agencies[agency], purpose) for agency, purpose in columns]
    found = rights_matrix(book or world.shipped, world.agencies[holder], "source", record_type, asked, world.now)
    return {group: cells if len(cells) > 1 else cells[0] for group, cells in found.rows}


def test_what_a_plain_record_releases_is_always_seen(world):
    cells = matrix(world, "trademark", "ipo-xa", ("customs-xa", "border_enforcement"))

    assert cells["trademark.biblio"].sight == "always"
    assert "customs-trademark-border" in {ref.policy_id for ref in cells["trademark.biblio"].by}
    assert cells["trademark.examination"].sight == "never"


def test_another_purpose_is_another_column(world):
    border, market = matrix(
        world, "customs_recordal", "customs-xa", ("ipo-xa", "border_enforcement"), ("ipo-xa", "market_surveillance")
    )["customs_recordal.licensees"]

    assert (border.sight, market.sight) == ("always", "never")


def test_what_needs_a_case_says_so(world):
    cell = matrix(world, "detention", "customs-xa", ("court-xa", "court_proceeding"))["detention.importer"]

    assert (cell.sight, cell.needs, cell.is_record_dependent) == ("sometimes", ("case",), True)
    assert "court-detention-cited" in {ref.policy_id for ref in cell.by}


def test_what_needs_an_approval_says_so(world):
    rule = world.policy(
        "holder",
        "ipo-xa",
        "with-approval",
        world.permit(
            ["trademark.examination"], "Trademark", 'context.approvals.contains(IPX::Approval::"settlement_terms")'
        ),
    )
    cells = matrix(world, "trademark", "ipo-xa", ("court-xa", "court_proceeding"), book=world.book(rule))

    assert (cells["trademark.examination"].sight, cells["trademark.examination"].needs) == ("sometimes", ("approval",))


def test_without_egress_nothing_is_seen(world):
    book = world.book(without=["customs-xa"])
    cells = matrix(world, "trademark", "ipo-xa", ("customs-xa", "border_enforcement"), book=book)

    assert {cell.sight for cell in cells.values()} == {"never"}


def test_an_unknown_record_type_is_said(world):
    with pytest.raises(LookupError):
        matrix(world, "unicorn", "ipo-xa", ("customs-xa", "border_enforcement"))
