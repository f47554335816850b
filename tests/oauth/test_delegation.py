"""An agency acts for another: both agreed, said in the token, and over the moment one of them ends it."""

from datetime import timedelta

import pytest

from gateway.agencies.models import Agency
from gateway.errors import InvalidInputError, UnknownError

pytestmark = pytest.mark.both_databases


@pytest.fixture
def offer(world, intake, registry):
    """The court (consumer) lets customs (supplier) act for it."""

    def make(confirmed=("court-xa", "customs-xa"), scopes=("exchange:request",), days=(0, 30)):
        begin, end = (world.clock() + timedelta(days=day) for day in days)
        delegation = world.delegations.offer(
            "court-xa", "customs-xa", scopes, valid_from=begin, valid_until=end, actor="operator"
        )
        for agency in confirmed:
            world.delegations.confirm(delegation, agency, actor=f"person of {agency}")
        return delegation

    return make


def ask(intake, consumer="court-xa", **form):
    return intake.ask(client_assertion=intake.assertion(claims={"consumer_org": consumer}), **form)


def test_a_supplier_calls_on_behalf_of_a_consumer(intake, offer):
    delegation = offer()

    answer = ask(intake)

    token = answer.json["access_token"]
    claims = intake.post("/oauth/introspect", token=token).json
    assert claims["consumer"]["ID"] == "court-xa"
    assert claims["supplier"]["ID"] == "customs-xa"
    assert claims["delegation_id"] == delegation
    assert intake.call(token).json == {"client": "customs-xa.intake", "agency": "court-xa", "supplier": "customs-xa"}


def test_the_purposes_are_the_consumers(intake, offer, refused):
    offer()
    details = '[{"type":"ipx_purpose","purpose":"%s","legal_basis":"law"}]'

    assert ask(intake, authorization_details=details % "court_proceeding").status_code == 200
    refused(
        ask(intake, authorization_details=details % "border_enforcement"), "invalid_authorization_details", "GW-230"
    )


@pytest.mark.parametrize(
    "kind",
    [
        {"confirmed": ()},
        {"confirmed": ("court-xa",)},
        {"confirmed": ("customs-xa",)},
        {"days": (1, 30)},
        {"days": (-30, 0)},
    ],
)
def test_a_delegation_that_does_not_hold_is_refused(intake, offer, refused, kind):
    offer(**kind)

    refused(ask(intake), "invalid_scope", "GW-251")


@pytest.mark.parametrize("consumer", ["court-xa", "nobody-xa", "customs-xa", "", "é", "a\x00b"])
def test_nobody_acts_for_another_without_a_delegation(intake, registry, refused, consumer):
    refused(ask(intake, consumer), "invalid_scope", "GW-251")


def test_a_consumer_cannot_delegate_what_it_has_lost(world, intake, offer, refused):
    offer()
    world.set(Agency, Agency.code == "court-xa", scopes=[])

    refused(ask(intake), "invalid_scope", "GW-250")


def test_only_the_delegated_scopes_are_given(world, offer, refused):
    world.set(Agency, Agency.code == "court-xa", scopes=["exchange:request", "court:file"])
    world.set(Agency, Agency.code == "customs-xa", scopes=["exchange:request", "court:file"])
    system = world.system("customs-xa.second", scopes=("exchange:request", "court:file"))
    offer()

    refused(ask(system, scope="court:file"), "invalid_scope", "GW-251")


@pytest.mark.parametrize("agency", ["court-xa", "customs-xa"])
def test_either_side_ends_it_at_once(world, intake, offer, refused, *, shut_out, agency):
    delegation = offer()
    token = ask(intake).json["access_token"]
    assert intake.call(token).status_code == 200

    world.delegations.revoke(delegation, agency, reason="over", actor=f"person of {agency}")

    shut_out(intake.call(token), "invalid_token", "GW-404")
    refused(ask(intake), "invalid_scope", "GW-251")


def test_a_delegated_token_ends_with_the_delegation(world, intake, offer, shut_out):
    offer(days=(0, 1))
    world.clock.advance(86_400 - 10)
    token = ask(intake).json["access_token"]

    world.clock.advance(10)

    shut_out(intake.call(token), "invalid_token", "GW-404")


def test_a_suspended_consumer_is_not_acted_for(world, intake, offer, refused, shut_out):
    offer()
    token = ask(intake).json["access_token"]

    world.set(Agency, Agency.code == "court-xa", suspended_at=world.clock())

    shut_out(intake.call(token), "invalid_token", "GW-404")
    refused(ask(intake), "invalid_scope", "GW-251")


def test_both_agencies_see_it_and_no_third(world, offer):
    world.agency("regulator-xa")
    delegation = offer()

    for agency in ("court-xa", "customs-xa"):
        assert [row.id for row in world.delegations.of(agency)] == [delegation]
    assert world.delegations.of("regulator-xa") == []
    with pytest.raises(UnknownError):
        world.delegations.revoke(delegation, "regulator-xa", reason="x", actor="x")
    with pytest.raises(UnknownError):
        world.delegations.confirm(delegation, "regulator-xa", actor="x")


@pytest.mark.parametrize(
    "wrong", [{"supplier": "court-xa"}, {"scopes": []}, {"scopes": ["other:thing"]}, {"days": (1, 1)}, {"days": (2, 1)}]
)
def test_a_senseless_delegation_is_not_registered(world, intake, registry, wrong):
    begin, end = (world.clock() + timedelta(days=day) for day in wrong.get("days", (0, 1)))

    with pytest.raises(InvalidInputError):
        world.delegations.offer(
            "court-xa",
            wrong.get("supplier", "customs-xa"),
            wrong.get("scopes", ["exchange:request"]),
            valid_from=begin,
            valid_until=end,
            actor="operator",
        )


def test_every_step_is_audited(world, offer):
    delegation = offer()
    world.delegations.revoke(delegation, "court-xa", reason="over", actor="judge")
    world.delegations.revoke(delegation, "court-xa", reason="again", actor="judge")

    acts = [row.act for row in world.audit() if row.subject == delegation]
    assert acts == ["delegation.offered", "delegation.confirmed", "delegation.confirmed", "delegation.revoked"]
