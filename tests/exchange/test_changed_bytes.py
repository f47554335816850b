"""One changed byte, anywhere in a bundle that a real server has made: it is refused, in a sentence that says what."""

import shutil
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.clock import utc_now
from ipx import container, evidence, storedzip
from ipx.client import Client
from ipx.errors import EvidenceError, FormatError
from tests.authority import POLICY, Authority
from tests.exchange import approving
from tests.exchange.servers import Rewired, serving
from tests.exchange.world import CUSTOMS, Gateway

LOCAL, CENTRAL, END = 30, 46, 22
EVERY_FILE = {
    "manifest.json", "request.jws", "receipt.jws", "record.sd-jwt", "opening.json", "entry.json", "proof.tlog-proof",
    "checkpoint.tsr", "pending.zip", "erased.json",
}  # fmt: skip


@pytest.fixture(scope="module")
def full(demo, tmp_path_factory):
    """A bundle with every file that there can be, as gunicorn served it: filed, approved, stamped, a field erased."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("full")
    authority = Authority(folder)
    shutil.copy(demo.directory / "gateway.db", folder / "gateway.db")
    shutil.copy(demo.directory / "checkpoints" / "checkpoints.db", folder / "checkpoints.db")
    with authority.serving() as address:
        stamped = replace(
            demo.settings,
            database_url=f"sqlite:///{folder / 'gateway.db'}",
            checkpoint_database_url=f"sqlite:///{folder / 'checkpoints.db'}",
            tsa_url=address,
            tsa_roots=folder / "ca.pem",
            tsa_policy=POLICY,
        )
        gateway = Gateway(demo, stamped)
        with gateway.services.database.write() as session:
            gateway.services.trust_lists.publish(session, "operator")
        approving.put(gateway)
        request = gateway.sign(CUSTOMS, groups=[approving.CONTACT])
        exchange = gateway.client(verified=False).send(request).evidence.exchange
        approving.grant(gateway, approving.only_task(gateway))
        gateway.services.erasure.field(exchange, "owner_contacts", legal_basis="Data Protection Act", actor="operator")
        gateway.services.confirmations.go_round()
        trust = gateway.trust
        gateway.close()
        more = {"IPX_TSA_URL": address, "IPX_TSA_ROOTS": str(folder / "ca.pem"), "IPX_TSA_POLICY": POLICY}
        with serving(demo, stamped, **more) as (served, _), httpx.Client(transport=Rewired(served)) as http:
            client = Client(stamped.origin, CUSTOMS, gateway.key(CUSTOMS), trust=None, http=http)
            return client.bundle(exchange), trust, utc_now()


def refusal(data, trust, now) -> str:
    """Verify, and give the sentence with which it is refused."""
    with pytest.raises(EvidenceError) as refused:
        evidence.verify(data, trust, now=now)
    return str(refused.value)


def flipped(data, at, by):
    return data[:at] + bytes([data[at] ^ by]) + data[at + 1 :]


def files(data):
    """Where each file of a bundle lies in the zip: name, start of its header, of its content, end of its content."""
    at = 0
    for name, content in storedzip.read(data).items():
        begin = at + LOCAL + len(name)
        yield name, at, begin, begin + len(content)
        at = begin + len(content)


def test_the_bundle_has_every_file_that_there_can_be_and_holds(full):
    data, trust, now = full

    report = evidence.verify(data, trust, now=now)

    assert storedzip.read(data).keys() == EVERY_FILE
    assert (report.outcome, report.erased, report.time_source) == ("released", 1, "time-stamp")
    assert report.filed_at <= report.trusted_at <= report.filed_at + timedelta(minutes=2)


@pytest.mark.parametrize("by", [0x01, 0x20, 0x80, 0xFF])
def test_a_changed_byte_of_any_file_is_refused_and_the_file_is_named(full, by):
    """Contents, and of each header all but the magic number and the name: times, sizes, checksum, extra field."""
    data, trust, now = full

    step = 1 if by == 1 else 11
    for name, header, begin, end in files(data):
        for at in (*range(header + 4, header + 26), *range(header + 28, header + LOCAL), *range(begin, end, step)):
            said = refusal(flipped(data, at, by), trust, now)
            assert f"the file {name!r}" in said, at
            assert said.endswith(".")


@pytest.mark.parametrize("by", [0x01, 0x20, 0x80, 0xFF])
def test_a_changed_name_is_refused_and_told(full, by):
    data, trust, now = full

    for name, header, begin, _ in files(data):
        for at in (header + 26, header + 27, *range(header + LOCAL, begin)):
            changed = flipped(data, at, by)
            length = int.from_bytes(changed[header + 26 : header + 28], "little")
            told = changed[header + LOCAL : header + LOCAL + length].decode("latin-1")[:64]
            assert repr(told) in refusal(changed, trust, now), (name, at)


@pytest.mark.parametrize("by", [0x01, 0x20, 0x80, 0xFF])
def test_a_changed_byte_between_the_files_or_in_the_directory_is_refused_and_told(full, by):
    """The magic numbers of the files; the directory at the end with its names, attributes, places, its comment."""
    data, trust, now = full
    [first, *others] = list(files(data))
    behind = others[-1][3]

    at = behind
    for name, *_ in (first, *others):
        for changed in range(at, at := at + CENTRAL + len(name)):
            said = refusal(flipped(data, changed, by), trust, now)
            assert f"Its directory says something else of the file {name!r}" in said, changed
    assert len(data) - at == END
    for changed in range(at, len(data)):
        assert "What follows its directory" in refusal(flipped(data, changed, by), trust, now), changed
    for (name, *_), (_, header, *_) in zip((first, *others), others, strict=False):
        for changed in range(header, header + 4):
            assert "Its directory says" in refusal(flipped(data, changed, by), trust, now), name
    for changed in range(4):
        assert refusal(flipped(data, changed, by), trust, now).endswith(".")


def packed(members):
    """Pack files again as whoever forges a bundle would: manifest, checksums and directory all fit."""
    return container.pack(members)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_is_refused_even_where_everything_around_it_fits(full, data):
    """Also inside the pending receipt's own bundle. Only what JSON may spell in another way is the same evidence."""
    whole, trust, now = full
    members = container.unpack(whole)
    name = data.draw(st.sampled_from(sorted(members)), label="file")
    inner = container.unpack(members["pending.zip"]) if name == "pending.zip" else members
    file = data.draw(st.sampled_from(sorted(inner)), label="inner") if name == "pending.zip" else name
    at = data.draw(st.integers(0, len(inner[file]) - 1), label="at")
    changed = inner | {file: flipped(inner[file], at, data.draw(st.integers(1, 255), label="by"))}
    if name == "pending.zip":
        changed = members | {"pending.zip": packed(changed)}

    said = refusal(packed(changed), trust, now)

    assert said.endswith(".")
    assert len(said) > 25


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_bundle_cut_off_or_with_more_behind_it_is_refused(full, data):
    whole, trust, now = full
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    more = whole + data.draw(st.binary(min_size=1, max_size=40))

    for changed in (cut, more):
        with pytest.raises(FormatError):
            evidence.verify(changed, trust, now=now)
