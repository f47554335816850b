"""What an operator types, on a database of either kind; each act leaves an audit entry and a leaf."""

import json

import pytest
from sqlalchemy import text

from gateway.db.engine import Database
from ipx import keyfile


def add_customs(operator):
    operator(
        "agency",
        "add",
        "customs-xa",
        "--kind",
        "customs",
        "--name",
        "Customs",
        "--jurisdiction",
        "XA",
        "--purpose",
        "border_enforcement",
    )
    operator("client", "add", "customs-xa.intake", "--name", "Intake")


def public_key(tmp_path, alg="ES256"):
    path = tmp_path / "public.jwk"
    path.write_text(json.dumps(keyfile.public_jwk(keyfile.generate(alg))))
    return path


def test_an_agency_is_added_shown_suspended_and_resumed(operator):
    add_customs(operator)

    assert "active" in operator("agency", "show", "customs-xa")
    assert "from its next call on" in operator("agency", "suspend", "customs-xa", "--reason", "audit")
    assert "suspended: audit" in operator("agency", "list")
    operator("agency", "resume", "customs-xa")
    assert "active" in operator("agency", "list")


def test_an_agency_begins_with_a_visible_egress_policy(operator):
    add_customs(operator)

    assert "egress" in operator("policy", "list")
    assert "border_enforcement" in operator("policy", "show", "egress/customs-xa/egress-default")


def test_a_client_is_added_with_a_key_listed_suspended_and_resumed(operator, tmp_path):
    add_customs(operator)

    assert "ES256" in operator("key", "add", "customs-xa.intake", public_key(tmp_path))
    [key] = [json.loads(line) for line in operator("key", "list", "--json").splitlines()]
    operator("key", "suspend", "customs-xa.intake", key["kid"], "--reason", "lost laptop")
    assert "suspended: lost laptop" in operator("key", "list")
    operator("key", "resume", "customs-xa.intake", key["kid"])
    operator("key", "revoke", "customs-xa.intake", key["kid"], "--reason", "stolen")
    assert "revoked: stolen" in operator("key", "show", "customs-xa.intake", key["kid"])
    operator("client", "suspend", "customs-xa.intake", "--reason", "maintenance")
    assert "suspended: maintenance" in operator("client", "list")
    operator("client", "resume", "customs-xa.intake")
    assert "active" in operator("client", "show", "customs-xa.intake")


def test_a_source_is_added_replaced_suspended_and_resumed(operator, tmp_path):
    add_customs(operator)
    (tmp_path / "data").mkdir()
    source = tmp_path / "source.yaml"
    source.write_text(f"""
source: {{name: customs-xa-detentions, holder: customs-xa, record_type: detention, schema_version: 1, kind: files}}
licence: {{name: official use, onward: none}}
freshness: {{expect: P1D, stale: P7D}}
reach: {{location: "{tmp_path / "data"}", match: "*.csv"}}
read: {{format: csv, encoding: utf-8}}
key: detention_number
map: {{detention_number: {{path: number, use: [trim], required: true}}, stage: {{const: suspended}}}}
on_error: {{default: quarantine}}
""")

    assert "serves detention records" in operator("source", "add", source)
    assert "takes a new file" in operator("source", "add", source, fails=True)
    operator("source", "add", source, "--replace")
    assert "customs-xa-detentions" in operator("source", "list")
    assert "official use" in operator("source", "show", "customs-xa-detentions")
    operator("source", "suspend", "customs-xa-detentions", "--reason", "moving")
    assert "suspended: moving" in operator("source", "list")
    operator("source", "resume", "customs-xa-detentions")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("agency", "add", "bad code!", "--kind", "customs", "--name", "X", "--jurisdiction", "XA"), "/code"),
        (
            ("agency", "add", "x-a", "--kind", "customs", "--name", "X", "--jurisdiction", "XA", "--purpose", "fun"),
            "/purposes",
        ),
        (("client", "add", "nobody.desk", "--name", "X"), "no agency nobody"),
        (("client", "add", "nodot", "--name", "X"), "/client"),
        (("agency", "suspend", "nobody", "--reason", "x"), "agency list"),
        (("source", "show", "nothing"), "source list"),
        (("policy", "show", "holder/a/b"), "policy list"),
    ],
)
def test_a_mistake_is_named_with_what_to_do_and_without_a_traceback(operator, arguments, says):
    told = operator(*arguments, fails=True)

    assert says in told
    assert "Traceback" not in told


def test_a_private_key_is_never_taken(operator, tmp_path):
    add_customs(operator)
    path = tmp_path / "private.jwk"
    keyfile.write_key(path, keyfile.generate("ES256"))

    assert "private" in operator("key", "add", "customs-xa.intake", path, fails=True)


def test_a_client_gets_no_scope_that_its_agency_lacks(operator):
    add_customs(operator)

    assert "is not granted" in operator(
        "client", "add", "customs-xa.other", "--name", "X", "--scope", "client.keys", fails=True
    )


def test_a_key_that_is_no_key_is_named(operator, tmp_path):
    add_customs(operator)
    path = tmp_path / "bad.jwk"
    path.write_text('{"kty":"RSA","n":"AQAB","e":"AQAB"}')

    assert "/jwk" in operator("key", "add", "customs-xa.intake", path, fails=True)


def test_policies_of_a_folder_are_taken_whole_or_not_at_all(operator, tmp_path):
    add_customs(operator)
    folder = tmp_path / "policies" / "holder" / "customs-xa"
    folder.mkdir(parents=True)
    (folder / "broken.cedar").write_text('@id("broken") permit (principal, action, resource);')

    told = operator("policy", "import", tmp_path / "policies", fails=True)

    assert "/holder/customs-xa/broken" in told
    assert "holder" not in operator("policy", "list")


def test_every_act_is_an_audit_entry_with_a_leaf_and_the_log_is_whole(operator, migrated_database_url, tmp_path):
    add_customs(operator)
    operator("key", "add", "customs-xa.intake", public_key(tmp_path))
    operator("trust", "publish")

    assert "the log is whole" in operator("log", "audit")
    database = Database(migrated_database_url)
    with database.read() as session:
        acts = session.execute(text("SELECT act, log_index FROM audit_entry ORDER BY log_index")).all()
        leaves = session.scalar(text("SELECT count(*) FROM log_entry"))
    database.dispose()
    assert {"agency.added", "policy.activated", "client.added", "client_key.added"} <= {act for act, _ in acts}
    assert [index for _, index in acts if index is not None] == list(range(leaves))


def test_without_tables_the_operator_is_told_which_command_makes_them(operator, monkeypatch, tmp_path):
    monkeypatch.setenv("IPX_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")

    assert "ipx-gateway db upgrade" in operator("agency", "list", fails=True)
    assert "(were at nothing)" in operator("db", "upgrade")
    operator("agency", "add", "ipo-xa", "--kind", "ip_office", "--name", "Office", "--jurisdiction", "XA")
    assert "ipo-xa" in operator("agency", "list")


def test_an_operator_is_told_why_a_database_cannot_be_used_and_where_its_address_stands(operator, monkeypatch):
    monkeypatch.setenv("IPX_DATABASE_URL", "postgresql://ipx:secret-word@127.0.0.1:1/ipx")

    for command in (("db", "upgrade"), ("agency", "list")):
        said = operator(*command, fails=True)
        assert "Connection refused" in said
        assert "IPX_DATABASE_URL" in said
        assert "secret-word" not in said
