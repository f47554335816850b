"""What a person types and reads, against the stub of a gateway in conftest.py."""

import json

import pytest
from click.testing import CliRunner

from ipx import keyfile
from ipx.cli import main
from ipx.commands.printing import columns, printable, table, wrapped

RECORD = "urn:ipx:ipo-xa:trademark:202400017"


@pytest.fixture
def run():
    def run(*arguments):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def desk(stub, tmp_path, run):
    """A registered client's desk: its key file and a pinned trust file."""
    key = keyfile.generate("ES256")
    keyfile.write_key(tmp_path / "key.jwk", key)
    stub.register(key)
    assert run("trust", "fetch", stub.origin, "--out", tmp_path / "trust.json").exit_code == 0
    return tmp_path


@pytest.fixture
def request_arguments(stub, desk):
    return [
        *("request", "--gateway", stub.origin, "--client", stub.client_id, "--key", desk / "key.jwk"),
        *("--record", RECORD, "--purpose", "border_enforcement", "--legal-basis", "Customs Act, s. 4"),
        *("--out", desk / "answer.json", "--trust", desk / "trust.json"),
    ]


@pytest.mark.parametrize("alg", keyfile.ALGORITHMS)
def test_keygen_keeps_the_private_half_and_prints_the_public_one(run, tmp_path, alg):
    result = run("keygen", "--alg", alg, "--out", tmp_path / "key.jwk")

    printed = json.loads(result.stdout)
    assert result.exit_code == 0
    assert "d" not in printed
    assert printed["kid"] == keyfile.read_key(tmp_path / "key.jwk").kid


def test_keygen_never_overwrites(run, tmp_path):
    (tmp_path / "key.jwk").write_text("mine")

    result = run("keygen", "--out", tmp_path / "key.jwk")

    assert result.exit_code == 3
    assert "never overwritten" in result.stderr
    assert (tmp_path / "key.jwk").read_text() == "mine"


def test_request_shows_fields_by_group_and_what_is_withheld(run, request_arguments):
    result = run(*request_arguments)

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert f"Released: {RECORD}" in lines
    assert "trademark.biblio" in lines
    assert "  verbal_element  星砂 XINGSHA" in lines
    assert "  trademark.owner.contact  not_granted  no policy grants it" in lines
    assert any(line.startswith("log index") and line.endswith(" 0") for line in lines)
    assert "sealed by the gateway" in result.stdout


def test_request_keeps_the_answer_as_it_was_carried(stub, run, request_arguments, desk):
    run(*request_arguments)

    kept = json.loads((desk / "answer.json").read_bytes())
    assert kept == stub.stored[kept["request"]]


def test_request_speaks_json_to_machines(run, request_arguments):
    result = run(*request_arguments, "--json")

    printed = json.loads(result.stdout)
    assert printed["outcome"] == "released"
    assert printed["is_verified"] is True
    assert printed["withheld"] == [{"group": "trademark.owner.contact", "reason": "not_granted", "policy": None}]


def test_a_denial_is_an_answer_with_a_status_of_its_own(stub, run, request_arguments, desk):
    stub.answer = lambda request: stub.issuer.problem(request, "denied", 403, "denied")

    result = run(*request_arguments)

    assert result.exit_code == 1
    assert result.stdout.startswith("Denied: denied (because)\n  What to do next.")
    assert run("verify", desk / "answer.json", "--trust", desk / "trust.json").exit_code == 0


def test_a_failure_names_its_stage(stub, run, request_arguments):
    stub.answer = lambda request: stub.issuer.problem(request, "holder-timeout", 504, "failed", stage="holder")

    result = run(*request_arguments)

    assert result.exit_code == 1
    assert "Failed at stage holder" in result.stdout


def test_a_tampered_answer_is_kept_but_never_shown(stub, run, request_arguments, desk):
    stub.answer = lambda request: stub.issuer.released(request, withheld=[])

    result = run(*request_arguments)

    assert result.exit_code == 4
    assert result.stdout == ""
    assert "Do not use this answer" in result.stderr
    assert (desk / "answer.json").exists()


def test_a_problem_says_what_to_do_next(stub, run, request_arguments):
    stub.next("POST /v1/exchanges", stub.problem(400, "stale-request", "Set the clock."))

    result = run(*request_arguments)

    assert result.exit_code == 3
    assert "Next:  Set the clock." in result.stderr


def test_an_error_in_json_mode_is_json(stub, run, request_arguments):
    stub.next("POST /v1/exchanges", stub.problem(400, "stale-request", "Set the clock."))

    assert json.loads(run(*request_arguments, "--json").stdout)["next"] == "Set the clock."


def test_words_of_a_hostile_gateway_cannot_drive_the_terminal(stub, run, request_arguments):
    stub.next("POST /v1/exchanges", stub.problem(400, "stale-request", "\x1b[2J\u202eevil"))

    result = run(*request_arguments)

    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr


def test_an_rsa_key_signs_in_but_not_requests(stub, run, request_arguments, tmp_path):
    rsa = keyfile.generate("PS256")
    keyfile.write_key(tmp_path / "rsa.jwk", rsa)
    stub.register(rsa)

    refused = run(*request_arguments, "--key", tmp_path / "rsa.jwk")
    released = run(*request_arguments, "--sign-in-key", tmp_path / "rsa.jwk")

    assert refused.exit_code == 3
    assert "ipx keygen --alg Ed25519" in refused.stderr
    assert released.exit_code == 0


def test_a_gateway_that_is_no_gateway_is_said_so(stub, run, request_arguments):
    stub.metadata_changes["issuer"] = "https://other.example"

    result = run(*request_arguments)

    assert result.exit_code == 3
    assert "calls itself" in result.stderr


def test_a_place_that_cannot_take_the_answer_is_named_before_anything_is_asked(stub, run, request_arguments, tmp_path):
    result = run(*request_arguments, "--out", tmp_path / "nowhere" / "answer.json")

    assert result.exit_code == 2
    assert not stub.calls("POST /v1/exchanges")


def test_verify_says_in_sentences_what_was_checked(run, request_arguments, desk):
    run(*request_arguments)

    result = run("verify", desk / "answer.json", "--trust", desk / "trust.json")

    assert result.exit_code == 0
    assert result.stdout.startswith("Holds: exchange ")
    assert "entry 0 of the log" in result.stdout
    assert "no trusted time" in result.stdout


def test_verify_speaks_json_to_machines(run, request_arguments, desk):
    run(*request_arguments)

    printed = json.loads(run("verify", desk / "answer.json", "--trust", desk / "trust.json", "--json").stdout)

    assert (printed["holds"], printed["outcome"], printed["log_index"]) == (True, "released", 0)


def test_verify_refuses_a_flipped_byte_with_its_reason(run, request_arguments, desk):
    run(*request_arguments)
    raw = bytearray((desk / "answer.json").read_bytes())
    raw[raw.index(b'"record"') + 400] ^= 1
    (desk / "answer.json").write_bytes(raw)

    result = run("verify", desk / "answer.json", "--trust", desk / "trust.json")
    machine = run("verify", desk / "answer.json", "--trust", desk / "trust.json", "--json")

    assert result.exit_code == machine.exit_code == 1
    assert result.stdout.startswith("Refused: ")
    assert json.loads(machine.stdout)["holds"] is False


@pytest.mark.parametrize("content", [None, b"", b"{}", b"PK\x03\x04 no zip", b"\xff"])
def test_verify_refuses_what_is_no_answer(run, desk, content):
    if content is not None:
        (desk / "answer.json").write_bytes(content)

    assert run("verify", desk / "answer.json", "--trust", desk / "trust.json").exit_code == 1


def test_verify_needs_a_trust_file_that_can_be_used(run, desk):
    (desk / "answer.json").write_text("{}")
    (desk / "broken.json").write_text("{}")

    without = run("verify", desk / "answer.json")
    broken = run("verify", desk / "answer.json", "--trust", desk / "broken.json")

    assert without.exit_code == broken.exit_code == 2
    assert "ipx trust fetch" in without.stderr


def test_trust_fetch_shows_the_fingerprint_to_compare(stub, run, tmp_path):
    result = run("trust", "fetch", stub.origin, "--out", tmp_path / "trust.json")

    assert f"Fingerprint of its key: {stub.issuer.trust_key.kid}" in result.stdout
    assert "another channel" in result.stdout


def test_trust_fetch_again_keeps_the_pin(stub, run, desk):
    stub.issuer.version = 2
    again = run("trust", "fetch", stub.origin, "--out", desk / "trust.json")
    stub.issuer.version = 1
    older = run("trust", "fetch", stub.origin, "--out", desk / "trust.json")

    assert "signed by the pinned key; you had version 1" in again.stdout
    assert older.exit_code == 3
    assert "Keep the trust file you have" in older.stderr


def test_trust_fetch_with_the_wrong_fingerprint_writes_nothing(stub, run, tmp_path):
    result = run("trust", "fetch", stub.origin, "--out", tmp_path / "new.json", "--fingerprint", "x")

    assert result.exit_code == 3
    assert not (tmp_path / "new.json").exists()


def test_trust_show_lists_who_signs_what(stub, run, desk):
    result = run("trust", "show", desk / "trust.json")
    machine = json.loads(run("trust", "show", desk / "trust.json", "--json").stdout)

    assert ["seal", "ipo-xa", "Ed25519", stub.issuer.seal_key.kid, "no", "end"] in map(
        str.split, result.stdout.splitlines()
    )
    assert {key["role"] for key in machine["keys"]} == {"gateway", "seal", "requester"}
    assert ["witnesses", "none"] in map(str.split, result.stdout.splitlines())


def test_a_gateway_that_is_away_is_said_so(stub, run, tmp_path, monkeypatch):
    monkeypatch.setattr("ipx.commands.trust.Patience", lambda: __import__("ipx.waiting").waiting.Patience(tries=1))
    stub.close_listener()

    result = run("trust", "fetch", stub.origin, "--out", tmp_path / "trust.json")

    assert result.exit_code == 3
    assert "Check the address and the network" in result.stderr


@pytest.mark.parametrize(
    "command", [[], ["keygen"], ["request"], ["verify"], ["trust"], ["trust", "fetch"], ["trust", "show"]]
)
def test_help_teaches(run, command):
    result = run(*command, "--help")

    assert result.exit_code == 0
    assert command in ([], ["trust"]) or "Example" in result.stdout


def test_columns_line_up_with_chinese_characters():
    assert columns("星砂 X") == 6
    assert table([("星砂", "a"), ("abcd", "b")]) == ["  星砂  a", "  abcd  b"]
    assert printable("a\x07b\u200bc") == "a\ufffdb\ufffdc"


def test_long_values_are_wrapped_and_never_cut():
    text = "耳机、扬声器、充电器 " * 20 + "end"

    lines = wrapped(text, 40)

    assert max(map(columns, lines)) <= 40
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert wrapped("", 10) == [""]
    assert wrapped("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]
