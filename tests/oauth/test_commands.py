"""What an operator types about clients, their keys and their tokens: administration needs no person signed in."""

import json
import re
from datetime import timedelta

import pytest
from click.testing import CliRunner

from gateway.agencies.models import ClientKey
from gateway.cli import main
from gateway.clock import utc_now
from gateway.db.engine import Database
from ipx import keyfile
from ipx.compact import serialize
from ipx.dpop import prove


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A machine with keys and tables, an agency and a client."""
    folder = tmp_path_factory.mktemp("machine")
    environment = {
        "IPX_ORIGIN": "https://gw.example",
        "IPX_DATABASE_URL": f"sqlite:///{folder / 'gateway.db'}",
        "IPX_CHECKPOINT_DATABASE_URL": f"sqlite:///{folder / 'checkpoints.db'}",
        "IPX_KEY_SET_PRIVATE": "true",
    }

    def run(*arguments, status=0, text=None):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment, input=text)
        assert result.exit_code == status, result.output
        return result.output

    for line in run("keys", "init", "--dir", folder / "keys").splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        environment[name] = value
    run("db", "upgrade")
    run("agency", "add", "customs-xa", "--kind", "customs", "--name", "Customs", "--jurisdiction", "XA")
    run("client", "add", "customs-xa.intake", "--name", "Intake")
    run.folder, run.database = folder, Database(environment["IPX_DATABASE_URL"])
    yield run
    run.database.dispose()


def add_key(machine, client_id="customs-xa.intake"):
    key = keyfile.generate("ES256")
    (machine.folder / "public.jwk").write_text(json.dumps(keyfile.public_jwk(key)))
    machine("key", "add", client_id, machine.folder / "public.jwk")
    return key


def test_keys_that_end_soon_are_marked_and_listed_first(machine):
    machine("client", "add", "customs-xa.listed", "--name", "Listed")
    kids = [add_key(machine, "customs-xa.listed").kid for _ in range(3)]
    ends = [utc_now() + timedelta(days=days, hours=1) for days in (100, 20, -1)]
    with machine.database.write() as session:
        for kid, end in zip(kids, ends, strict=True):
            session.query(ClientKey).filter_by(kid=kid).one().valid_until = end

    listed = [
        json.loads(line) for line in machine("key", "list", "--client", "customs-xa.listed", "--json").splitlines()
    ]

    assert [(row["kid"], row["warning"]) for row in listed] == [
        (kids[1], "ENDS IN 20 DAYS"),
        (kids[0], None),
        (kids[2], None),
    ]


def test_a_key_set_is_named_looked_at_and_given_up(machine):
    address = "https://127.0.0.1:1/jwks"

    assert "not read: no answer" in machine("client", "add", "customs-xa.pub", "--name", "P", "--jwks-uri", address)
    assert "no answer" in machine("client", "show", "customs-xa.pub")
    machine("client", "set", "customs-xa.pub", "--jwks-uri", address)
    assert "not read" in machine("key", "fetch", "customs-xa.pub")
    machine("client", "set", "customs-xa.pub", "--no-jwks-uri")

    assert "publishes no keys" in machine("key", "fetch", "customs-xa.pub")
    assert "key set" not in machine("client", "show", "customs-xa.pub")
    assert "bad_address" in machine("client", "set", "customs-xa.pub", "--jwks-uri", "http://a.example", status=1)
    machine("client", "add", "customs-xa.bad", "--name", "B", "--jwks-uri", "http://a.example", status=1)
    assert "customs-xa.bad" not in machine("client", "list")


def test_scopes_are_granted_attached_and_withdrawn(machine):
    machine("client", "add", "customs-xa.scoped", "--name", "Scoped")
    wanted = ("--scope", "exchange:request", "--scope", "client.keys")
    assert "scope_not_granted" in machine("client", "set", "customs-xa.scoped", *wanted, status=1)

    assert "client.keys" in machine("agency", "grant", "customs-xa", "client.keys")
    assert "client.keys" in machine("client", "set", "customs-xa.scoped", *wanted)
    assert "client.keys" not in machine("agency", "withdraw", "customs-xa", "client.keys")


def test_what_was_refused_is_listed(machine):
    assert machine("client", "refusals", "customs-xa.intake", "--json") == ""


@pytest.mark.parametrize("command", ["show", "revoke", "suspend", "resume"])
def test_a_kid_may_begin_with_a_hyphen(machine, command):
    reason = ("--reason", "test") if command in {"revoke", "suspend"} else ()

    for kid in ("-h" + "A" * 41, "-J3" + "h" * 40, "--reason" + "B" * 35):
        said = machine("key", command, "customs-xa.intake", kid, *reason, status=1)
        assert f"has no key {kid}" in said
        said = machine("token-key", "revoke", kid, "--reason", "test", status=1)
        assert f"no living token signing key {kid}" in said


@pytest.fixture
def intake(machine):
    """A client that signs in with a key of its own, and what it sends."""
    key = add_key(machine)

    class Intake:
        def assertion(self, **claims):
            now = int(utc_now().timestamp())
            base = {"iss": "customs-xa.intake", "sub": "customs-xa.intake", "aud": "https://gw.example"}
            times = {"iat": now, "exp": now + 60, "jti": "an-identifier"}
            return serialize({"alg": "ES256", "kid": key.kid}, base | times | claims, key)

        def proof(self):
            return prove(key, "POST", "https://gw.example/oauth/token", now=utc_now(), nonce="none")

    return Intake()


def failing(output):
    return {(step["step"], step["code"]) for step in map(json.loads, output.splitlines()) if step["result"] == "fail"}


def test_an_assertion_is_examined_from_a_file_or_a_pipe(machine, intake):
    (machine.folder / "assertion").write_text(intake.assertion() + "\n")

    assert failing(machine("token", "debug", machine.folder / "assertion", "--json")) == set()
    output = machine("token", "debug", "-", "--json", "--scope", "nobody:has", status=1, text=intake.assertion(aud="x"))

    assert failing(output) == {("claims", "GW-110"), ("scope", "GW-201")}


def test_an_operator_is_told_what_a_stranger_is_not(machine, intake):
    unknown = intake.assertion(iss="customs-xa.nobody", sub="customs-xa.nobody")
    forged = intake.assertion()[:-8] + "AAAAAAAA"
    other = intake.assertion(iss="customs-xa.scoped", sub="customs-xa.scoped")

    assert "No client of this id" in machine("token", "debug", "-", status=1, text=unknown)
    assert "another key has signed" in machine("token", "debug", "-", status=1, text=forged)
    assert "no key of this name" in machine("token", "debug", "-", status=1, text=other)


def test_a_proof_is_examined_by_itself(machine, intake):
    output = machine("token", "debug", "-", "--json", status=1, text=intake.proof())

    assert failing(output) == {("proof", "GW-310")}
    assert "htm" in machine("token", "debug", "-", "--method", "GET", status=1, text=intake.proof())


def test_an_access_token_is_examined_with_its_proof(machine, intake):
    text = machine(
        "token", "debug", "-", status=1, text="eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IngifQ.e30.AA"
    )

    assert re.search(r"signature +fail +GW-401", text)


def test_nothing_of_what_is_examined_is_printed(machine, intake):
    assertion = intake.assertion(aud="x")

    assert assertion.split(".")[1] not in machine("token", "debug", "-", status=1, text=assertion)
