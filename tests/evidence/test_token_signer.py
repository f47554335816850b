"""Keys in a token (PKCS#11, here SoftHSM2): they sign what files sign, and their loss is noticed."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.evidence import token_signer
from gateway.evidence.errors import KeyFileError, SignerUnavailableError
from gateway.evidence.leaf import Leaf
from gateway.evidence.signers import read_signer, require_ready
from gateway.evidence.token_signer import TokenSigner
from gateway.keyplace import TokenKey, read_place
from ipx import jws
from ipx.keys import KeyRing, TrustedKey
from ipx.note import NoteSigner, open_note
from tests.softhsm import software_token

SHORT = "pkcs11:token=ipx;object=k?module-path=/m&pin-source=/p"


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    return software_token(tmp_path_factory)


@pytest.fixture(scope="module")
def ed25519(token):
    return token.make("Ed25519", "log")


@pytest.fixture(scope="module")
def es256(token):
    return token.make("ES256", "receipts")


@pytest.mark.parametrize("name", ["ed25519", "es256"])
def test_a_document_signed_in_a_token_is_like_any_other(request, name):
    signer = read_signer(request.getfixturevalue(name))
    document = jws.sign({"iss": "gw"}, signer, typ="ipx-receipt+jwt")
    ring = KeyRing([TrustedKey("gateway", signer.kid, "gw", signer.public)])

    assert signer.alg.lower() == name
    assert jws.verify(document, ring, roles=frozenset({"gateway"}), typ="ipx-receipt+jwt").payload == {"iss": "gw"}


def test_a_log_is_signed_in_a_token(new_log, ed25519):
    signer = NoteSigner("gw.example/log", read_signer(ed25519, "Ed25519"))
    log = new_log(signer=signer)
    log.open()
    log.ready()

    logged = log.append(Leaf("exchange:1:final", b"1"))

    assert signer.key in open_note(logged.checkpoint_note, [signer.key]).valid


def test_a_key_for_another_algorithm_than_is_needed_is_refused(es256):
    with pytest.raises(KeyFileError, match="Ed25519 is needed"):
        read_signer(es256, "Ed25519")


def test_a_session_that_broke_is_opened_anew(es256):
    import pkcs11  # noqa: PLC0415

    signer = TokenSigner(es256)
    pkcs11.lib(str(es256.module)).reinitialize()

    assert signer.public.verify(signer.sign(b"x"), b"x") is None
    require_ready(signer)


def test_a_key_that_is_gone_is_noticed_before_and_while_signing(token, monkeypatch):
    signer = TokenSigner(token.make("ES256", "lost"))
    require_ready(signer)
    token.destroy("lost")
    require_ready(signer)  # looked up a moment ago
    monkeypatch.setattr(token_signer, "READY_SECONDS", 0)

    with pytest.raises(SignerUnavailableError):
        require_ready(signer)
    with pytest.raises(SignerUnavailableError):
        signer.sign(b"x")


def test_after_a_fork_the_child_signs_by_a_session_of_its_own(token, es256, ed25519):
    program = f"""
import os
from gateway.evidence.token_signer import TokenSigner
from gateway.keyplace import TokenKey
signers = [TokenSigner(TokenKey.parse(uri)) for uri in {[token.uri("receipts"), token.uri("log")]!r}]
child = os.fork()
for _ in range(3):
    for signer in signers:
        signer.public.verify(signer.sign(b"x"), b"x")
        signer.ready()
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr


def test_what_stands_in_the_way_of_a_key_is_named(token, es256, tmp_path):
    token.make("RSA", "rsa")
    loose = tmp_path / "loose"
    loose.write_text("1234")
    loose.chmod(0o644)

    for key, said in (
        (token.key("rsa"), "neither Ed25519 nor P-256"),
        (token.key("absent"), "names no key"),
        (token.key("receipts", token="else"), "cannot be used now"),
        (token.key("receipts", module=tmp_path / "absent.so"), "cannot be used now"),
    ):
        with pytest.raises((KeyFileError, SignerUnavailableError), match=said):
            read_signer(key)
    token_signer._sessions.clear()
    for key, said in (
        (token.key("receipts", pin_file=loose), "chmod 600"),
        (token.key("receipts", pin_file=tmp_path / "none"), "cannot be read"),
    ):
        with pytest.raises(KeyFileError, match=said):
            read_signer(key)


def test_an_address_names_token_and_key():
    key = TokenKey.parse(
        "pkcs11:serial=ab%20c;id=%01%02;type=private?module-path=/usr/lib/x.so&pin-source=file:/etc/ipx/pin"
    )

    assert (key.serial, key.id, key.token, key.label) == ("ab c", b"\x01\x02", None, None)
    assert (key.module, key.pin_file) == (Path("/usr/lib/x.so"), Path("/etc/ipx/pin"))
    assert read_place("keys/log.pem") == Path("keys/log.pem")
    assert str(read_place(SHORT)) == "pkcs11:token=ipx;object=k"


@pytest.mark.parametrize(
    "address",
    [
        SHORT.replace("token=ipx;", ""),
        SHORT.replace(";object=k", ""),
        SHORT.replace("module-path=/m&", ""),
        SHORT.replace("&pin-source=/p", ""),
        SHORT.replace("object=k", "object=k;object=l"),
        SHORT.replace("object=k", "object="),
        SHORT.replace("object=k", "object=k;type=public"),
        SHORT.replace("object=k", "object=k;slot-id=1"),
        SHORT + "&pin-value=1234",
    ],
)
def test_an_address_that_is_not_whole_is_refused(address):
    with pytest.raises(ValueError, match=r"it |not known"):
        read_place(address)
