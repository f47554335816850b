"""`ipx bundle`, `ipx verify`, `ipx mutual` and `ipx-gateway erase`, end to end over a whole gateway."""

import json
import shutil
import subprocess
import zipfile
from dataclasses import replace
from functools import partial

import httpx
import pytest
from click.testing import CliRunner

from gateway.cli import main as operator
from gateway.errors import SettingsError
from gateway.wiring import build
from ipx import asice, container, evidence, storedzip
from ipx.cli import main as agency
from ipx.client import Client
from ipx.errors import FormatError
from ipx.jws import dump_json
from ipx.problems import UnavailableError
from ipx.waiting import Patience
from tests.authority import Authority
from tests.exchange.world import COURT, CUSTOMS, Gateway

CASE = "IPC 118/2026"
DETENTION = {
    "agency": "customs-xa",
    "record_type": "detention",
    "number": "D2026-0007",
    "purpose": "court_proceeding",
}


@pytest.fixture
def run(gateway, tmp_path, monkeypatch):
    """Runs `ipx` as a client, in a folder with a trust file; its calls reach the gateway in this process."""
    return runner(gateway, tmp_path, monkeypatch)


def runner(gateway, folder, monkeypatch):
    http = httpx.Client(transport=httpx.WSGITransport(gateway.app), base_url=gateway.settings.origin)
    patience = Patience(total_seconds=20, tries=1)
    monkeypatch.setattr("ipx.commands.connection.Client", partial(Client, http=http, patience=patience))
    monkeypatch.setattr(http, "close", lambda: None)
    monkeypatch.chdir(folder)
    trust = {
        "pinned": gateway.http.get("/log/trust.jwk").json(),
        "trust": gateway.http.get("/log/trust.jws").text.strip(),
    }
    (folder / "trust.json").write_bytes(dump_json(trust))

    def run(*arguments, client_id=CUSTOMS, calls=True):
        key = str(gateway.demo.world.keys[client_id])
        who = ["--gateway", gateway.settings.origin, "--client", client_id, "--key", key] if calls else []
        return CliRunner().invoke(agency, [*arguments, *who], catch_exceptions=False)

    return run


def test_a_bundle_is_fetched_verified_and_refused_once_it_was_changed(gateway, run, tmp_path):
    exchange = gateway.ask().evidence.exchange

    fetched = run("bundle", "get", exchange, "--trust", "trust.json", "--out", "bundle.zip")
    verified = run("verify", "bundle.zip", "--trust", "trust.json", calls=False)
    data = (tmp_path / "bundle.zip").read_bytes()
    (tmp_path / "forged.zip").write_bytes(data.replace(b'"t":', b'"T":', 1))
    refused = run("verify", "forged.zip", "--trust", "trust.json", calls=False)

    assert (fetched.exit_code, verified.exit_code, refused.exit_code) == (0, 0, 1)
    assert "verified" in fetched.output
    assert f"Holds: exchange {exchange}, released." in verified.output
    assert "Refused:" in refused.output
    assert run("bundle", "get", "019ab2c0-0000-7000-8000-000000000001", "--out", "b.zip").exit_code == 3


def test_all_bundles_of_a_case_are_exported_verified_and_not_fetched_twice(gateway, run, tmp_path):
    asked = [gateway.ask(COURT, **DETENTION, case_ref=CASE).evidence.exchange for _ in range(3)]
    gateway.ask(COURT, **DETENTION)
    export = ("bundle", "export", "--case", CASE, "--trust", "trust.json", "--out", "case")

    first = run(*export, client_id=COURT)
    files = {path.name: path.read_bytes() for path in (tmp_path / "case").iterdir()}
    (tmp_path / "case" / f"{asked[1]}.zip").write_bytes(b"PK torn")
    again = run(*export, client_id=COURT)
    theirs = run(*export[:-1], "holder-case", "--role", "holder", client_id=CUSTOMS)

    assert (first.exit_code, again.exit_code, theirs.exit_code) == (0, 0, 0)
    assert set(files) == {*(f"{exchange}.zip" for exchange in asked), "bundles.json"}
    assert "3 exchanges, 3 bundles in case that hold" in first.output
    assert "[3] " in first.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "case").iterdir()} == files
    assert (tmp_path / "holder-case" / f"{asked[0]}.zip").read_bytes() == files[f"{asked[0]}.zip"]


def test_an_export_with_an_erased_exchange_says_so(gateway, run):
    kept, erased = (gateway.ask(COURT, **DETENTION, case_ref=CASE).evidence.exchange for _ in range(2))
    gateway.services.erasure.exchange(erased, legal_basis="art. 17", actor="operator:test")
    gateway.services.erasure.field(kept, "importer", legal_basis="art. 17", actor="operator:test")

    told = run("bundle", "export", "--case", CASE, "--trust", "trust.json", "--out", "case", "--json", client_id=COURT)

    rows = json.loads(told.stdout)["bundles"]
    # An erased exchange is found by no case any more; what is left of it, its parties find in their whole list.
    assert [(row["exchange"], row["state"]) for row in rows] == [(kept, "holds")]
    assert told.exit_code == 0


def test_a_case_without_exchanges_and_a_bundle_of_nobody_are_told_with_what_to_do(gateway, run):
    exported = run("bundle", "export", "--case", "another", "--trust", "trust.json", "--out", "case")
    stranger = run("bundle", "get", gateway.ask().evidence.exchange, "--out", "b.zip", client_id=COURT)

    assert exported.exit_code == 1
    assert "No exchange of the case another in which your agency was the requester" in exported.stderr
    assert "--role holder" in exported.stderr
    assert stranger.exit_code == 3
    assert "Check the id" in stranger.stderr


def test_receipts_are_kept_by_requests_and_checked_against_list_and_log(gateway, run):
    ask = ("request", "--record", gateway.urn(), "--purpose", "border_enforcement", "--store", "receipts",
           "--legal-basis", "XA Customs Cooperation Agreement 2025, art. 4", "--trust", "trust.json")  # fmt: skip
    check = ("mutual", "check", "--trust", "trust.json", "--store", "receipts")

    assert run(*ask).exit_code == 0
    agrees = run(*check)
    lost = gateway.ask().evidence.exchange
    differs, as_json = run(*check), run(*check, "--json")

    assert agrees.exit_code == 0
    assert "All agrees." in agrees.output
    assert (differs.exit_code, as_json.exit_code) == (1, 1)
    assert lost in differs.output.replace("\n", "")
    assert json.loads(as_json.stdout)["differences"][0]["kind"] == "missing_here"


def test_an_operator_erases_from_the_shell(gateway, settings, monkeypatch):
    first, second = (gateway.ask().evidence.exchange for _ in range(2))
    monkeypatch.setattr("gateway.commands.context.read_settings", lambda: settings)

    def erase(*arguments, basis="art. 17"):
        reason = [] if basis is None else ["--legal-basis", basis, "--yes"]
        return CliRunner().invoke(operator, ["erase", *arguments, *reason], catch_exceptions=False)

    listed = erase("classes", "--json", basis=None)
    month = json.loads(listed.stdout)["month"]

    assert erase("field", first, "owners").exit_code == 0
    assert erase("exchange", first).exit_code == 0
    assert "1 exchanges of ipo-xa, trademark" in erase("class", "ipo-xa", "trademark", month).output
    assert "erased" in erase("exchange", second).output
    assert erase("exchange", second).exit_code == 1
    assert CliRunner().invoke(operator, ["erase", "exchange", second], input="n\n").exit_code != 0


@pytest.fixture(scope="module")
def seal_files(tmp_path_factory):
    """A seal certificate under a root of its own, made with OpenSSL."""
    pytest.importorskip("pyhanko", reason="no pyHanko: pip install ipx-gateway[asice]")
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("seal")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    (folder / "extensions").write_text("keyUsage=critical,digitalSignature,nonRepudiation\nbasicConstraints=CA:FALSE\n")
    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")
    openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Root", "-days", "2")
    openssl("req", *ec, "-keyout", "seal.key", "-out", "seal.csr", "-subj", "/CN=Seal of the gateway")
    openssl("x509", "-req", "-in", "seal.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7", "-days", "2",
            "-extfile", "extensions", "-out", "seal.pem")  # fmt: skip
    return folder


@pytest.fixture
def sealing(demo, settings, seal_files):
    """A gateway with a seal certificate."""
    settings = replace(settings, container_key=seal_files / "seal.key", container_certificate=seal_files / "seal.pem")
    gateway = Gateway(demo, settings)
    yield gateway
    gateway.close()


def unzip(data, folder):
    (folder / "c.asice").write_bytes(data)
    with zipfile.ZipFile(folder / "c.asice") as archive:
        assert archive.infolist()[0].filename == "mimetype"
        assert archive.infolist()[0].compress_type == 0
        archive.extractall(folder / "c")
    return folder / "c" / "META-INF"


def openssl_verifies(meta, root):
    command = ["openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", meta / "signature001.p7s",
               "-content", meta / "ASiCManifest001.xml", "-CAfile", root, "-purpose", "any", "-out", "-"]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.returncode == 0 and "CAdES Verification successful" in ran.stderr


def test_a_container_for_courts_is_taken_by_openssl_and_its_files_by_us(sealing, seal_files, tmp_path, monkeypatch):
    run = runner(sealing, tmp_path, monkeypatch)
    exchange = sealing.ask().evidence.exchange

    fetched = run("bundle", "get", exchange, "--asice", "--trust", "trust.json", "--out", "court.asice")
    verified = run("verify", "court.asice", "--trust", "trust.json", calls=False)

    data = (tmp_path / "court.asice").read_bytes()
    meta = unzip(data, tmp_path)
    assert (fetched.exit_code, verified.exit_code) == (0, 0)
    assert "openssl cms" in verified.output
    assert openssl_verifies(meta, seal_files / "ca.pem")
    (meta / "ASiCManifest001.xml").write_bytes((meta / "ASiCManifest001.xml").read_bytes() + b" ")
    assert not openssl_verifies(meta, seal_files / "ca.pem")


def test_a_changed_container_is_refused(sealing):
    data = sealing.client().bundle(sealing.ask().evidence.exchange, asice=True)
    members = storedzip.read(data)

    def packed(**changed):
        return storedzip.write({name: part for name, part in {**members, **changed}.items() if part is not None})

    for forged in (
        packed(**{"entry.json": members["entry.json"] + b" "}),
        packed(**{"manifest.json": members["manifest.json"] + b" "}),
        packed(**{asice.MANIFEST: members[asice.MANIFEST] + b" "}),
        packed(**{asice.SIGNATURE: None}),
        packed(**{"note.txt": b"x"}),
        data[:-1],
    ):
        with pytest.raises(FormatError):
            evidence.verify(forged, sealing.trust, now=sealing.services.clock())


def test_a_signature_is_time_stamped_where_there_is_an_authority(demo, settings, seal_files, tmp_path):
    cms = pytest.importorskip("asn1crypto.cms")
    authority = Authority(tmp_path)
    with authority.serving() as address:
        gateway = Gateway(
            demo,
            replace(
                settings,
                container_key=seal_files / "seal.key",
                container_certificate=seal_files / "seal.pem",
                tsa_url=address,
                tsa_roots=tmp_path / "ca.pem",
            ),
        )
        data = gateway.services.containers.make(dict.fromkeys(container.REQUIRED, b"x"))
        gateway.close()

    meta = unzip(data, tmp_path)
    [signer] = cms.ContentInfo.load((meta / "signature001.p7s").read_bytes())["content"]["signer_infos"]
    [attribute] = signer["unsigned_attrs"]
    (tmp_path / "value").write_bytes(signer["signature"].native)
    (tmp_path / "token").write_bytes(attribute["values"][0].dump())
    verify = ["openssl", "ts", "-verify", "-token_in", "-in", "token", "-data", "value", "-CAfile", "ca.pem"]
    stamped = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert openssl_verifies(meta, seal_files / "ca.pem")
    assert attribute["type"].native == "signature_time_stamp_token"
    assert "Verification: OK" in stamped.stdout, stamped.stderr


def test_a_gateway_without_a_seal_certificate_says_how_to_get_one(gateway):
    exchange = gateway.ask().evidence.exchange

    with pytest.raises(UnavailableError, match="signed containers"):
        gateway.client().bundle(exchange, asice=True)


def test_a_seal_certificate_that_cannot_be_used_keeps_the_server_from_starting(settings, seal_files, tmp_path):
    (tmp_path / "empty.pem").write_text("")

    for key, certificate, told in (
        ("seal.key", None, "go together"),
        ("ca.key", "seal.pem", "not for the key"),
        ("seal.key", tmp_path / "empty.pem", "no certificate"),
        ("none.key", "seal.pem", "cannot be read"),
    ):
        with pytest.raises(SettingsError, match=told):
            build(
                replace(
                    settings,
                    container_key=seal_files / key,
                    container_certificate=certificate and seal_files / certificate,
                )
            )
