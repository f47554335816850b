"""Who is shut out (key, client, agency) is refused from the next request on, wherever an assertion is taken."""

from datetime import timedelta

import pytest

from gateway.agencies.models import Agency, Client, ClientKey

pytestmark = pytest.mark.both_databases


@pytest.fixture(params=["/oauth/token", "/oauth/introspect"])
def send(request, intake):
    def post(assertion):
        if request.param == "/oauth/token":
            return intake.ask(client_assertion=assertion)
        return intake.post(request.param, client_assertion=assertion, token="any")

    return post


@pytest.mark.parametrize(
    ("column", "code"),
    [
        ({"revoked_at": timedelta()}, "GW-122"),
        ({"valid_until": timedelta()}, "GW-121"),
        ({"valid_from": timedelta(1)}, "GW-121"),
    ],
)
def test_a_key_that_ended_is_named_only_to_its_holder(world, intake, send, refused, *, column, code):
    world.set(ClientKey, ClientKey.client_id == intake.client_id, **{k: world.clock() + v for k, v in column.items()})

    refused(send(intake.assertion()), "invalid_client", code)
    refused(send(intake.assertion(key=world.new_key("ES256"))), "invalid_client", "GW-100")


def test_a_suspended_client_is_refused(world, intake, send, refused):
    world.set(Client, Client.id == intake.client_id, suspended_at=world.clock())

    refused(send(intake.assertion()), "invalid_client", "GW-123")


def test_a_client_of_a_suspended_agency_is_refused(world, intake, send, refused):
    world.set(Agency, Agency.code == "customs-xa", suspended_at=world.clock())

    refused(send(intake.assertion()), "invalid_client", "GW-124")
