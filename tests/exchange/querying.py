"""Queries for tests: several detentions asked for at once, and policies that release some of them."""

import pytest

from ipx.request import AskSeveral

SEIZED = """@id("regulator-seized")
@title("The regulator receives the core of detentions that ended in seizure, and the goods of those it may know of")
@legal_basis("XA Market Surveillance Act, s. 9")
@retain_days("60")
permit (
  principal in IPX::Agency::"regulator-xa",
  action in [
    IPX::Action::"acknowledge", IPX::Action::"release", IPX::Action::"detention.core", IPX::Action::"detention.goods"
  ],
  resource is IPX::Detention
)
when { [IPX::Stage::"seized", IPX::Stage::"detained"].contains(resource.stage) };
"""
FEW = SEIZED.replace("@retain_days", '@min_count("4") @retain_days')
EVERY = SEIZED.replace(
    'when { [IPX::Stage::"seized", IPX::Stage::"detained"].contains(resource.stage) }',
    'when { resource.jurisdiction == IPX::Jurisdiction::"XA" }',
)
ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
"""For rules that no database has a part in."""
PURPOSE, BASIS = "market_surveillance", "XA Market Surveillance Act, s. 9"


def several(where=None, limit=50, record_type="detention", holder="customs-xa", groups=(), **more):
    query = {"record_type": record_type, "limit": limit, **({"where": where} if where else {})} | more
    return AskSeveral(holder, query, PURPOSE, BASIS, groups=groups)


def numbers(answer):
    return [row.fields["detention_number"] for row in answer.records]
