"""Every block of commands in docs/operators.md is run or says why not; keys are rotated so and what is old verifies."""

import base64
import json
import re
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clock import utc_now
from gateway.db.engine import Database
from gateway.evidence.root_key import make_root, read_root, rewrap_root
from gateway.evidence.signers import read_signer
from gateway.keywrap import KeyWrapError
from gateway.worker import publish_trust
from ipx.bundle import verify
from ipx.errors import SignatureError
from ipx.keyfile import read_key
from ipx.keys import generate_signer, public_key
from tests.exchange.servers import environment
from tests.exchange.world import Gateway
from tests.operation import guide
from tests.operation.front import Authority
from tests.operation.test_restore import tools

RUN = {
    *("back up", "restore", "back up PostgreSQL", "restore PostgreSQL"),  # test_restore.py
    *("make keys", "upgrade the tables", "what fills the disk"),
    *("rotate token keys", "end a token key at once", "make a receipt key", "publish the receipt key"),
    *("rotate the log key", "rotate the trust key", "renew a seal key", "change a holder's own key"),
    "change the key-encryption key",
    *("change a client's key", "end a client's key at once", "end a holder's key at once"),
}


def test_every_block_of_the_guide_is_run_or_says_why_not():
    excused = [mark for mark in guide.blocks() if not mark.startswith(("tested: ", guide.MADE_BY_COMPOSE))]
    told = (Path(guide.PAGE).parent.parent / "tests" / "compose" / "__main__.py").read_text("utf-8")

    assert guide.names() == RUN
    assert guide.names(guide.MADE_BY_COMPOSE) == set(re.findall(r'place\.guide\("([^"]+)"\)', told))
    assert all(mark.startswith("not run: ") and len(mark) > 30 for mark in excused)


CLASSES = (
    *("aborts before headers", "mid-body", "drips", "wrong record", "wrong signature", "redirects", "oversized"),
    *("database down", "read-only", "full", "replay store", "clock skew", "worker", "time-stamp service", "witness"),
)


def test_each_class_of_fault_says_what_names_it_and_which_test_plays_it(one_gateway):
    page = guide.PAGE.read_text("utf-8").partition("## Faults and what happens")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"][2:]
    parts = {part["part"] for part in one_gateway.http.get("/health").json()["parts"]}
    asks = re.compile(r"failing\(|health\(|/health|/readyz")

    assert [name for name in CLASSES if not any(name in row[0] for row in rows)] == []
    for fault, _, named, _, _, tests in rows:
        names = set(re.findall(r"`([^`]+)`", named))
        files = [guide.PAGE.parent.parent / "tests" / name for name in re.findall(r"`([^`]+)`", tests)]
        assert names <= parts, fault
        assert files, fault
        assert all(file.is_file() for file in files), fault
        assert not names or any(asks.search(file.read_text("utf-8")) for file in files), fault


@pytest.fixture
def kept(demo, settings, tmp_path):
    """A gateway with an answer from before, and the environment of its commands."""
    gateway = Gateway(demo, settings)
    old = gateway.ask()
    bundle = gateway.client().bundle(old.evidence.exchange)
    yield gateway, bundle, environment(demo, settings)
    gateway.close()


def still_verifies(gateway, bundle):
    """Check what is old and what is new by the trust list as it is now."""
    gateway._clients.clear()
    verify(bundle, gateway.trust, now=utc_now())
    verify(gateway.client().bundle(gateway.ask().evidence.exchange), gateway.trust, now=utc_now())


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_token_and_seal_keys_change_while_the_gateway_serves(kept, tmp_path):
    gateway, bundle, environ = kept
    before = gateway.services.sign_in.keys.signer().kid
    seal = gateway.services.holder_keys.seal("ipo-xa").kid

    assert before in guide.run("rotate token keys", tmp_path, environ)
    guide.run("end a token key at once", tmp_path, environ | {"KID": before})
    said = guide.run("renew a seal key", tmp_path, environ)
    gateway.services.holder_keys._forget()  # five seconds later
    gateway.services.sign_in.keys._load()  # half a second later

    assert gateway.services.holder_keys.seal("ipo-xa").kid != seal
    assert seal in said
    assert gateway.services.sign_in.keys.signer().kid != before
    still_verifies(gateway, bundle)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_keys_of_clients_and_holders_change_by_files_that_they_send(kept, tmp_path):
    gateway, bundle, environ = kept
    for name in ("intake-2", "records-2"):
        (tmp_path / f"{name}.public.jwk").write_text(json.dumps(dict(generate_signer().public_jwk)))
    certificate, _ = Authority(tmp_path, "ca").issue("intake", is_server=False)
    certificate.rename(tmp_path / "intake-2.pem")

    used = read_key(gateway.demo.world.keys["customs-xa.intake"]).kid
    signer = public_key(json.loads((tmp_path / "records-2.public.jwk").read_text()))

    assert used in guide.run("change a client's key", tmp_path, environ)
    assert signer.kid in guide.run("change a holder's own key", tmp_path, environ)
    still_verifies(gateway, bundle)

    guide.run("end a client's key at once", tmp_path, environ | {"KID": used})
    guide.run("end a holder's key at once", tmp_path, environ | {"KID": signer.kid})
    with pytest.raises(SignatureError, match="revoked, and no trusted time proves"):
        verify(bundle, gateway.trust, now=utc_now())


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_receipt_log_and_trust_keys_change_between_two_starts(kept, demo, settings, tmp_path):
    _, bundle, environ = kept
    (tmp_path / "keys").mkdir()
    guide.run("make a receipt key", tmp_path, environ)
    settings = replace(settings, receipt_key=tmp_path / "keys" / "receipt-2.pem")
    environ = environment(demo, settings)
    guide.run("publish the receipt key", tmp_path, environ)
    guide.run("rotate the log key", tmp_path, environ)
    settings = replace(settings, log_key=tmp_path / "keys" / "log-2.pem")
    guide.run("rotate the trust key", tmp_path, environment(demo, settings))
    settings = replace(settings, trust_key=tmp_path / "keys" / "trust-2.pem")

    after = Gateway(demo, settings)
    publish_trust(after.services)
    still_verifies(after, bundle)
    assert public_key(after.http.get("/log/trust.jwk").json()).kid == read_signer(settings.trust_key).kid
    after.services.log.audit()
    after.close()


def test_the_key_encryption_key_changes_while_the_gateway_serves(kept, demo, settings, tmp_path):
    gateway, bundle, environ = kept
    request = gateway.sign()
    old = gateway.client().send(request)
    if shutil.which("openssl") is None:
        pytest.skip("openssl not present")
    guide.run("change the key-encryption key", tmp_path, environ)

    still_verifies(gateway, bundle)
    with pytest.raises(KeyWrapError, match="root-key"):
        Gateway(demo, settings)
    after = Gateway(
        demo, replace(settings, key_encryption_key=base64.b64decode((tmp_path / "kek-2").read_text("ascii")))
    )
    assert after.client().send(request).evidence.receipt == old.evidence.receipt
    assert after.urn() == gateway.urn()
    still_verifies(after, bundle)
    after.close()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_new_tables_are_under_a_root_key_of_their_own(demo, settings, empty_database_url, tmp_path):
    settings = replace(settings, database_url=empty_database_url)
    guide.run("upgrade the tables", tmp_path, environment(demo, settings))
    database = Database(empty_database_url)
    kek = settings.key_encryption_key
    root = read_root(database, kek)
    make_root(database, kek)
    again = read_root(database, kek)
    with database.write() as session, pytest.raises(ValueError, match="is the old one"):
        rewrap_root(session, kek, kek)
    database.dispose()

    assert root == again != kek
    assert len(root) == len(kek)


def test_keys_are_made_and_readable_by_their_owner_alone(tmp_path):
    said = guide.run("make keys", tmp_path)

    assert said.count("export IPX_") == 4
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in (tmp_path / "keys").iterdir())


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_tables_are_upgraded_and_the_largest_are_named(demo, settings, tmp_path):
    environ = environment(demo, settings)

    assert "tables are at" in guide.run("upgrade the tables", tmp_path, environ)
    assert "log_entry" in guide.run("what fills the disk", tmp_path, tools(settings.database_url))
