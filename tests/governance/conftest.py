"""A whole gateway on either database, and people who change its policies."""

import pytest

from tests.exchange.conftest import demo, gateway, one_gateway, postgres_world, settings  # noqa: F401
from tests.exchange.world import CUSTOMS, OFFICE

SCOPES = ["policies:read", "policies:edit", "policies:approve"]


@pytest.fixture(scope="module")
def site(one_gateway):  # noqa: F811
    """A gateway for a whole module, two of whose clients may change policies."""
    agencies = one_gateway.services.agencies
    for agency, client in (("ipo-xa", OFFICE), ("customs-xa", CUSTOMS)):
        agencies.grant(agency, SCOPES, actor="operator:test")
        agencies.set_client_scopes(client, ["exchange:request", *SCOPES], actor="operator:test")
    return one_gateway
