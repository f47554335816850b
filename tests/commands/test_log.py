"""The operator's commands about the log: its keys for peers, who confirms it, its rotation."""

import json

import pytest

from gateway.settings import read_settings
from gateway.wiring import build
from ipx.encoding import b64url_bytes
from ipx.note import COSIGNATURE, SIGNATURE, NoteKey


def test_the_keys_that_peers_need_are_printed(operator, monkeypatch):
    alone = operator("log", "keys")
    operator("keys", "make", "keys/witness.pem")
    monkeypatch.setenv("IPX_WITNESS_KEY", "keys/witness.pem")
    log, witness = operator("log", "keys").splitlines()

    assert alone.splitlines() == [log]
    assert (NoteKey.parse(log.split()[1]).name, NoteKey.parse(log.split()[1]).type) == ("gw.example/log", SIGNATURE)
    name, vkey, address = witness.split()
    assert (name, NoteKey.parse(vkey).type, address) == ("witness", COSIGNATURE, "https://gw.example/witness")
    monkeypatch.setenv("IPX_WITNESSES", f"{vkey} {address}")
    monkeypatch.setenv("IPX_WITNESSED_LOGS", log.split()[1])
    settings = read_settings()
    assert (settings.witness_quorum, settings.witnesses[0][1], len(settings.witnessed_logs)) == (1, address, 1)


def test_the_state_of_confirmation_is_shown(operator):
    assert operator("log", "state").splitlines() == [
        "state         none",
        "meaning       This gateway's log is confirmed by nobody else: no witnesses, no time-stamps.",
    ]


def test_an_audit_says_how_far_it_is_and_of_how_many_entries_the_log_is_whole(operator):
    operator("agency", "add", "ipo-xa", "--kind", "ip_office", "--name", "Office", "--jurisdiction", "XA")
    progress, whole = operator("log", "audit").splitlines()

    count = whole.removeprefix("the log is whole: ").split()[0]
    assert int(count) > 0
    assert progress == f"gw.example/log: {count} of {count} entries"


def test_tiles_are_written_where_a_web_server_finds_them(operator, tmp_path):
    assert operator("log", "tiles", tmp_path / "static") == "0 tiles written\n"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("IPX_WITNESSES", "nonsense https://w.example", "IPX_WITNESSES"),
        ("IPX_WITNESSES", "LOG https://w.example", "witness's kind of key"),
        ("IPX_WITNESSES", "WITNESS", "pairs"),
        ("IPX_WITNESSES", "WITNESS ftp://w.example", "pairs"),
        ("IPX_WITNESSED_LOGS", "WITNESS", "log's kind of key"),
        ("IPX_WITNESS_QUORUM", "0", "at least 1"),
        ("IPX_WITNESS_QUORUM", "2", "IPX_WITNESSES names 0"),
        ("IPX_WITNESS_KEY", "pkcs11:token=x", "names no key in a token"),
        ("IPX_WITNESS_KEY", "absent.pem", "does not exist"),
        ("IPX_TSA_URL", "https://tsa.example", "IPX_TSA_ROOTS go together"),
        ("IPX_EVIDENCE_OVERDUE_HOURS", "-1", "IPX_EVIDENCE_OVERDUE_HOURS"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(operator, monkeypatch, name, value, said):
    operator("keys", "make", "keys/witness.pem")
    with monkeypatch.context() as patch:
        patch.setenv("IPX_WITNESS_KEY", "keys/witness.pem")
        log, witness = (line.split()[1] for line in operator("log", "keys").splitlines())
    monkeypatch.setenv(name, value.replace("LOG", log).replace("WITNESS", witness))

    assert said in operator("log", "state", fails=True)


def test_a_log_key_is_rotated_and_every_start_needs_the_new_one(operator, monkeypatch):
    operator("keys", "make", "keys/log-2.pem")
    said = operator("log", "rotate", "--key", "keys/log-2.pem")

    assert "gw.example/log has ended, gw.example/log-2 has begun" in said
    assert "IPX_LOG_KEY is not the key of gw.example/log-2" in operator("log", "audit", fails=True)
    monkeypatch.setenv("IPX_LOG_KEY", "keys/log-2.pem")
    assert "the log is whole" in operator("log", "audit")
    services = build(read_settings())
    payload = json.loads(b64url_bytes(services.trust_lists.latest().split(".")[1]))
    services.close()
    assert payload["log"]["origin"] == "gw.example/log-2"
    assert [(shard["origin"], shard["size"] > 0) for shard in payload["shards"]] == [("gw.example/log", True)]


def test_where_the_trust_key_is_offline_a_rotation_says_what_to_do(operator, monkeypatch):
    trust = read_settings().trust_key
    monkeypatch.delenv("IPX_TRUST_KEY")
    operator("keys", "make", "keys/log-2.pem")
    said = operator("log", "rotate", "--key", "keys/log-2.pem")
    monkeypatch.setenv("IPX_LOG_KEY", "keys/log-2.pem")
    published = operator("trust", "publish", "--key", trust)

    assert "trust publish --key" in said
    assert "is published" in published
    assert "file" in operator("trust", "publish", "--key", "absent.pem", fails=True)
    assert "Invalid value" in operator("trust", "publish", "--key", "pkcs11:x", fails=True)


@pytest.mark.parametrize("purpose", ["receipt", "trust"])
def test_a_log_is_not_rotated_to_a_key_of_another_purpose(operator, purpose):
    before = operator("log", "keys")

    assert "each purpose needs its own" in operator("log", "rotate", "--key", f"keys/{purpose}.pem", fails=True)

    assert operator("log", "keys") == before


@pytest.mark.parametrize(("setting", "purpose"), [("TRUST", "receipt"), ("WITNESS", "log"), ("RECEIPT", "log")])
def test_a_server_whose_keys_serve_two_purposes_does_not_start(operator, monkeypatch, setting, purpose):
    monkeypatch.setenv(f"IPX_{setting}_KEY", f"keys/{purpose}.pem")

    said = operator("log", "state", fails=True)

    assert f"IPX_{purpose.upper()}_KEY" in said
    assert f"IPX_{setting}_KEY" in said


def test_a_trust_list_is_not_signed_by_a_key_of_another_purpose(operator):
    said = operator("trust", "publish", "--key", "keys/receipt.pem", fails=True)

    assert "IPX_RECEIPT_KEY and IPX_TRUST_KEY name one key" in said
