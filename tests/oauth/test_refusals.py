"""Every refusal is audited, and a flood of them does not fill the table."""

import uuid

import pytest

from gateway.oauth.refusals import ROWS_A_MINUTE, UNPROVEN_ROWS_A_MINUTE, last_refusals

PROXY = "192.0.2.10"


@pytest.fixture
def knock(world, intake):
    """Send an assertion that nobody signed, in the name of a client."""

    def post(client_id="customs-xa.intake", address="198.51.100.7", **headers):
        assertion = intake.assertion(claims={"iss": client_id, "sub": client_id}, key=world.new_key("Ed25519"))
        head, claims, _ = assertion.split(".")
        form = intake.form(client_assertion=f"{head}.{claims}.{world.b64url(bytes(64))}")
        answer = world.http.post("/oauth/token", data=form, headers=headers, environ_overrides={"REMOTE_ADDR": address})
        assert answer.status_code in {400, 429}

    return post


def sums(world, act="token.refused"):
    return [row for row in world.audit(act) if "repeated" in row.detail]


@pytest.mark.both_databases
def test_a_flood_is_written_in_ten_rows_and_one_sum(world, knock):
    for _ in range(ROWS_A_MINUTE + 25):
        knock()
    assert len(world.audit("token.refused")) == ROWS_A_MINUTE

    world.clock.advance(60)
    knock()

    entries = world.audit("token.refused")
    assert len(entries) == ROWS_A_MINUTE + 2
    (total,) = sums(world)
    assert (total.actor, total.subject) == ("unproven", "customs-xa.intake")
    assert total.detail == {
        "repeated": 25,
        "codes": {"GW-100": 25},
        "minute": "2026-11-25T08:00:00Z",
        "ip": "198.51.100.7",
    }


def test_the_worker_writes_the_sum_when_nobody_comes_any_more(world, knock):
    for _ in range(ROWS_A_MINUTE + 1):
        knock()
    assert world.refusals.settle() == 0
    world.clock.advance(60)

    assert [world.refusals.settle(), world.refusals.settle()] == [1, 0]
    assert len(sums(world)) == 1


def test_another_client_or_address_is_counted_by_itself(world, knock):
    for _ in range(ROWS_A_MINUTE + 5):
        knock()

    knock("court-xa.registry")
    knock(address="198.51.100.8")

    assert len(world.audit("token.refused")) == ROWS_A_MINUTE + 2


def test_addresses_of_one_ipv6_site_are_one(world, knock):
    for number in range(ROWS_A_MINUTE + 5):
        knock(address=f"2001:db8:1:2::{number:x}")
    knock(address="2001:db8:1:3::1")
    world.clock.advance(60)
    world.refusals.settle()

    (total,) = sums(world)
    assert (total.detail["repeated"], total.detail["ip"]) == (5, "2001:db8:1:2::/64")
    assert len(world.audit("token.refused")) == ROWS_A_MINUTE + 2


def test_made_up_clients_cannot_fill_the_table_either(world, knock):
    for number in range(UNPROVEN_ROWS_A_MINUTE + 40):
        knock(f"customs-xa.made-up-{number}")
    knock("customs-xa.made-up-1")
    world.clock.advance(60)
    world.refusals.settle()

    assert len(world.audit("token.refused")) == UNPROVEN_ROWS_A_MINUTE + 1
    (total,) = sums(world)
    assert (total.subject, total.detail["ip"], total.detail["repeated"]) == ("", "", 41)


def test_who_is_proven_is_written_while_strangers_flood(world, knock, intake):
    for number in range(UNPROVEN_ROWS_A_MINUTE + 1):
        knock(f"customs-xa.made-up-{number}")

    intake.ask(scope="nobody:has")

    assert world.audit("token.refused")[-1].detail["gw"] == "GW-201"


def test_calls_of_the_api_are_counted_alike(world, intake):
    token = intake.token()
    for _ in range(ROWS_A_MINUTE + 3):
        intake.call(token, path="/v1/administration")
        intake.call("a.b.c")
    world.clock.advance(60)
    world.refusals.settle()

    assert len(world.audit("call.refused")) == 2 * (ROWS_A_MINUTE + 1)
    assert {(row.actor, row.subject, row.detail["repeated"]) for row in sums(world, "call.refused")} == {
        ("customs-xa.intake", "customs-xa.intake", 3),
        ("unproven", "", 3),
    }


def test_a_refused_key_is_audited(world):
    world.agency("keeper-xa", scopes=("client.keys",))
    keeper = world.system("keeper-xa.system", scopes=("client.keys",))
    path = "/oauth/clients/keeper-xa.system/keys"

    keeper.call(keeper.token(scope="client.keys"), method="POST", path=path, json={"jwk": {}, "proof": ""})

    (entry,) = world.audit("client_key.refused")
    assert (entry.actor, entry.detail["gw"]) == ("keeper-xa.system", "GW-601")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (PROXY, "203.0.113.5", "203.0.113.5"),
        (PROXY, "198.51.100.1, 203.0.113.5", "203.0.113.5"),
        (PROXY, "203.0.113.5, 192.0.2.11", "203.0.113.5"),
        (PROXY, None, PROXY),
        (PROXY, "garbage", PROXY),
        ("198.51.100.7", "203.0.113.5", "198.51.100.7"),
    ],
)
def test_behind_a_trusted_proxy_the_caller_is_whom_it_names(world, knock, peer, forwarded, address):
    knock(address=peer, **({"X-Forwarded-For": forwarded} if forwarded else {}))

    assert world.audit("token.refused")[-1].detail["ip"] == address


def test_a_client_behind_the_proxy_is_not_locked_out_by_somebody_elsewhere(world, intake, knock):
    world.failures_per_minute = 5
    world.http = world.start().test_client()
    for _ in range(7):
        knock(address=PROXY, **{"X-Forwarded-For": "203.0.113.66"})

    answer = world.http.post(
        "/oauth/token",
        data=intake.form(),
        headers={"DPoP": intake.proof(), "X-Forwarded-For": "203.0.113.5"},
        environ_overrides={"REMOTE_ADDR": PROXY},
    )

    assert answer.status_code == 200


def test_the_last_refusals_of_a_client_are_shown_newest_first(world, intake, registry, knock):
    intake.ask(scope="nobody:has")
    registry.ask(scope="nobody:has")
    world.clock.advance(1)
    knock()

    entries = last_refusals(world.database, "customs-xa.intake", 20)

    assert [(row.actor, row.detail["gw"]) for row in entries] == [
        ("unproven", "GW-100"),
        ("customs-xa.intake", "GW-201"),
    ]
    assert len(last_refusals(world.database, "customs-xa.intake", 1)) == 1


def test_no_entry_of_a_refusal_holds_what_was_refused(world, knock):
    secret = uuid.uuid4().hex
    knock(f"customs-xa.{secret} ")

    assert secret not in str([(row.subject, row.detail) for row in world.audit()])
