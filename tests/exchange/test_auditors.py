"""docs/auditors.md does what it says: OpenSSL and a shell take real bundles, and refuse damaged ones."""

import asyncio
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import pytest

from gateway.evidence.containers import Containers, read_seal
from ipx import container, storedzip
from ipx.jws import dump_json
from tests.authority import Authority
from tests.exchange import approving
from tests.exchange.approving import put
from tests.exchange.querying import SEIZED, several
from tests.exchange.test_bundle_commands import seal_files
from tests.exchange.world import COURT, CUSTOMS, REGULATOR, Gateway

__all__ = ["seal_files"]

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "auditors.md"
BLOCK = re.compile(r"<!-- tested: (?P<name>[^>]+) -->\n```sh\n(?P<script>.*?)```", re.DOTALL)
STEPS = ("helpers", "trust list", "signatures", "record", "log entry", "inclusion", "time-stamp")
TOOLS = ("bash", "openssl", "jq", "unzip", "xxd", "basenc")
DETENTION = {
    "agency": "customs-xa",
    "record_type": "detention",
    "number": "D2026-0007",
    "purpose": "court_proceeding",
}

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs all of {', '.join(TOOLS)}"
)


@pytest.fixture
def audit(one_gateway, tmp_path):
    """Runs the page's commands on a bundle, in a folder with nothing but it and the trust file."""
    return auditor(one_gateway, tmp_path)


def auditor(gateway, folder):
    trust = {
        "pinned": gateway.http.get("/log/trust.jwk").json(),
        "trust": gateway.http.get("/log/trust.jws").text.strip(),
    }

    def audit(*steps, **files):
        fresh = Path(mkdtemp(dir=folder))
        (fresh / "trust.json").write_bytes(dump_json(trust))
        for name, data in files.items():
            (fresh / name.replace("_", ".")).write_bytes(data)
        scripts = {match["name"]: match["script"] for match in BLOCK.finditer(PAGE.read_text("utf-8"))}
        script = "\n".join(scripts[name] for name in steps or STEPS)
        return subprocess.run(["bash", "-c", script], cwd=fresh, capture_output=True, text=True, check=False)

    return audit


def test_every_block_of_the_page_is_run():
    named = {match["name"] for match in BLOCK.finditer(PAGE.read_text("utf-8"))}

    assert named == {*STEPS, "container"}


def test_the_console_prints_the_commands_of_this_page():
    scripts = {match["name"]: match["script"] for match in BLOCK.finditer(PAGE.read_text("utf-8"))}
    printed = (PAGE.parent.parent / "gateway" / "auditor" / "check.sh").read_text("utf-8")

    assert printed == "\n".join(scripts[name] for name in STEPS)


def test_openssl_and_a_shell_take_a_release_and_a_refusal(one_gateway, audit):
    released = one_gateway.ask()
    denied = one_gateway.ask(COURT, **DETENTION)

    told = audit(bundle_zip=one_gateway.client(CUSTOMS).bundle(released.evidence.exchange))
    refusal = audit(bundle_zip=one_gateway.client(COURT).bundle(denied.evidence.exchange))

    assert told.returncode == 0, told.stderr
    assert f"by {CUSTOMS}, as requester" in told.stdout
    assert "by ipo-xa, as seal" in told.stdout
    assert f"entry {released.evidence.log_index} of" in told.stdout
    assert "verbal_element: " in told.stderr
    assert refusal.returncode == 0, refusal.stderr
    assert f"by {COURT}, as requester" in refusal.stdout


def test_they_take_a_bundle_with_an_erased_field(one_gateway, audit):
    exchange = one_gateway.ask().evidence.exchange
    one_gateway.services.erasure.field(exchange, "owners", legal_basis="art. 17", actor="operator:test")

    told = audit(bundle_zip=one_gateway.client().bundle(exchange))

    assert told.returncode == 0, told.stderr
    assert "owners: " not in told.stderr


def test_they_take_the_records_of_a_query_each_with_its_own_signature(one_gateway, audit):
    put(one_gateway, SEIZED, owner="customs-xa")
    client = one_gateway.client(REGULATOR)
    answer = client.request(several())
    whole = client.bundle(answer.evidence.exchange)
    members = container.unpack(whole)
    swapped = b"\n".join(members["record.sd-jwt"].split(b"\n")[::-1])

    told = audit(bundle_zip=whole)
    forged = audit(bundle_zip=container.pack({**members, "record.sd-jwt": swapped}))

    assert told.returncode == 0, told.stderr
    assert told.stdout.count("by customs-xa, as seal") == len(answer.records) == 3
    assert "D2026-0012" in told.stderr
    assert forged.returncode != 0


def test_they_take_the_bundle_of_a_filing_inside_the_one_that_ended_it(one_gateway, audit):
    approving.put(one_gateway)
    exchange = approving.ask_contact(one_gateway).evidence.exchange
    approving.grant(one_gateway, approving.only_task(one_gateway))
    whole = one_gateway.client().bundle(exchange)

    told = audit(bundle_zip=whole)
    filed = audit(bundle_zip=container.unpack(whole)["pending.zip"])

    assert told.returncode == 0, told.stderr
    assert filed.returncode == 0, filed.stderr
    assert "owner_contacts: " in told.stderr


def test_they_refuse_what_was_changed(one_gateway, audit):
    whole = one_gateway.client().bundle(one_gateway.ask().evidence.exchange)
    other = container.unpack(one_gateway.client().bundle(one_gateway.ask().evidence.exchange))
    members = container.unpack(whole)
    unpacked = storedzip.read(whole)
    record = members["record.sd-jwt"].split(b"~")
    proof = members["proof.tlog-proof"].split(b"\n")
    forged = {
        "a file beside the manifest": storedzip.write({**unpacked, "entry.json": b"{}"}),
        "another request": container.pack({**members, "request.jws": other["request.jws"]}),
        "a field left out": container.pack({**members, "record.sd-jwt": b"~".join([*record[:1], *record[2:]])}),
        "a field changed": container.pack({**members, "record.sd-jwt": b"~".join([*record[:1], b"X", *record[1:]])}),
        "another opening": container.pack({**members, "opening.json": other["opening.json"]}),
        "another place": container.pack({**members, "proof.tlog-proof": other["proof.tlog-proof"]}),
        "a hash changed": container.pack(
            {**members, "proof.tlog-proof": b"\n".join([*proof[:2], b"A" * 43 + b"=", *proof[3:]])}
        ),
    }  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        ran = dict(zip(forged, pool.map(lambda data: audit(bundle_zip=data), forged.values()), strict=True))

    assert [name for name, told in ran.items() if told.returncode == 0] == []


def test_openssl_takes_the_container_that_the_page_shows(one_gateway, audit, seal_files):
    seal = read_seal(seal_files / "seal.key", seal_files / "seal.pem")
    members = container.unpack(one_gateway.client().bundle(one_gateway.ask().evidence.exchange))
    data = Containers(seal, one_gateway.services.clock).make(members)

    told = audit("helpers", "container", bundle_asice=data, authority_pem=(seal_files / "ca.pem").read_bytes())

    assert told.returncode == 0, told.stderr
    assert "record.sd-jwt" in told.stdout


def test_they_take_the_time_stamp_of_an_authority_and_no_other(demo, stamping_settings, tmp_path):
    gateway = Gateway(demo, stamping_settings)
    with gateway.services.database.write() as session:
        gateway.services.trust_lists.publish(session, "operator:test")
    exchange = gateway.ask().evidence.exchange
    gateway.services.confirmations.go_round()
    whole = gateway.client(verified=False).bundle(exchange)
    members = container.unpack(whole)
    forged = container.pack({**members, "checkpoint.tsr": members["checkpoint.tsr"][:-9] + bytes(9)})

    audit = auditor(gateway, tmp_path)
    told, refused = audit(bundle_zip=whole), audit(bundle_zip=forged)
    gateway.close()

    assert told.returncode == 0, told.stderr
    assert "Time stamp: " in told.stdout
    assert refused.returncode != 0


@pytest.fixture
def stamping_settings(demo, tmp_path):
    """Settings on SQLite with a real authority."""
    for name in ("gateway.db", "checkpoints/checkpoints.db"):
        shutil.copy(demo.directory / name, tmp_path / Path(name).name)
    (tmp_path / "authority").mkdir()
    authority = Authority(tmp_path / "authority")
    with authority.serving() as address:
        yield replace(
            demo.settings,
            database_url=f"sqlite:///{tmp_path / 'gateway.db'}",
            checkpoint_database_url=f"sqlite:///{tmp_path / 'checkpoints.db'}",
            tsa_url=address,
            tsa_roots=tmp_path / "authority" / "ca.pem",
        )


def test_a_container_is_made_for_a_caller_that_has_an_event_loop_too(one_gateway, seal_files):
    seal = read_seal(seal_files / "seal.key", seal_files / "seal.pem")
    members = container.unpack(one_gateway.client().bundle(one_gateway.ask().evidence.exchange))

    async def call():
        return Containers(seal, one_gateway.services.clock).make(members)

    with ThreadPoolExecutor(1) as apart:  # browsers of other tests may have left this thread with a loop
        made = apart.submit(lambda: asyncio.run(call())).result()
    assert b"META-INF" in made
