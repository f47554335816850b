"""The bundle as a file: one form, any zip tool opens it, any changed byte is refused."""

import hashlib
import hmac
import io
import json
import shutil
import subprocess
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipx import bundle, evidence, storedzip
from ipx.encoding import b64url
from ipx.errors import BindingError, EvidenceError, FormatError

same_world = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def packed(world):
    return bundle.write(world.members())


def repacked(data, change=lambda members: members, **options):
    """The same files in a zip by Python's own tool, with the manifest made to fit."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members = change(members)
    members["manifest.json"] = manifest(members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def manifest(members):
    digests = {
        name: hashlib.sha256(data).hexdigest() for name, data in sorted(members.items()) if name != "manifest.json"
    }
    return json.dumps(digests, separators=(",", ":")).encode()


def test_a_bundle_holds_in_whatever_outcome(world, now):
    for outcome in ("released", "denied", "failed", "pending", "withdrawn"):
        report = bundle.verify(bundle.write(world.members(outcome)), world.trust(), now=now)
        assert report.outcome == outcome


def test_the_same_files_give_the_same_bytes(world):
    members = world.members()

    assert bundle.write(members) == bundle.write(dict(reversed(members.items())))


def test_any_zip_tool_opens_a_bundle(packed, tmp_path):
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(archive.namelist())
        assert archive.read("request.jws").count(b".") == 2
    unzip = shutil.which("unzip")
    if unzip:
        (tmp_path / "bundle.zip").write_bytes(packed)
        subprocess.run([unzip, "-tq", "bundle.zip"], cwd=tmp_path, check=True, capture_output=True)


@same_world
@given(data=st.data())
def test_any_changed_byte_of_a_bundle_is_refused(packed, world, now, data):
    at = data.draw(st.integers(0, len(packed) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda drawn: drawn != packed[at]))
    changed = packed[:at] + bytes([byte]) + packed[at + 1 :]

    with pytest.raises(EvidenceError):
        bundle.verify(changed, world.trust(), now=now)


@same_world
@given(data=st.data())
def test_any_bundle_cut_off_or_longer_is_refused(packed, world, now, data):
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]

    for changed in (cut, packed + b"\0", b"\0" + packed):
        with pytest.raises(FormatError):
            bundle.verify(changed, world.trust(), now=now)


@same_world
@given(data=st.data())
def test_any_changed_byte_of_a_file_is_refused_even_with_a_fitting_manifest(world, now, data):
    members = world.members()
    name = data.draw(st.sampled_from(sorted(members)))
    at = data.draw(st.integers(0, len(members[name]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda drawn: drawn != members[name][at]))
    members[name] = members[name][:at] + bytes([byte]) + members[name][at + 1 :]

    if name == "opening.json" and still_opens(members[name], world.members()[name]):
        return
    with pytest.raises(EvidenceError):
        bundle.verify(bundle.write(members), world.trust(), now=now)


def still_opens(changed, original):
    """A space for another space between the members of `opening.json` opens the same commitment."""
    try:
        return json.loads(changed) == json.loads(original)
    except ValueError:
        return False


@given(st.binary())
def test_garbage_is_refused_as_a_format_error(data):
    for attempt in (data, b"PK\x03\x04" + data):
        with pytest.raises(FormatError):
            storedzip.read(attempt)


def test_files_packed_again_by_another_tool_are_refused_in_words(packed, world, now):
    for options in ({}, {"compression": zipfile.ZIP_DEFLATED}):
        with pytest.raises(FormatError, match="packed again"):
            bundle.verify(repacked(packed, **options), world.trust(), now=now)


def test_a_zip_with_a_comment_or_something_in_front_is_refused(packed, world, now):
    commented = packed[:-2] + b"\x02\x00hi"

    for changed in (commented, b"#!/bin/sh\n" + packed, packed + packed):
        with pytest.raises(FormatError):
            bundle.verify(changed, world.trust(), now=now)


def test_a_file_twice_is_refused():
    one = storedzip.write({"a": b"first"})
    local = one[: one.index(b"PK\x01\x02")]

    with pytest.raises(FormatError):
        storedzip.read(local + one)


def test_a_file_of_fifteen_mebibytes_fits_and_a_larger_one_does_not():
    assert storedzip.read(storedzip.write({"a": bytes(15 << 20)})) == {"a": bytes(15 << 20)}
    with pytest.raises(FormatError, match="15 MiB"):
        storedzip.write({"a": bytes((15 << 20) + 1)})


def test_a_bundle_of_24_mebibytes_is_read_and_a_larger_one_is_not():
    room = (24 << 20) - len(storedzip.write({"a": bytes(15 << 20), "b": b""}))

    assert len(storedzip.read(storedzip.write({"a": bytes(15 << 20), "b": bytes(room)}))) == 2
    with pytest.raises(FormatError, match="24 MiB"):
        storedzip.read(storedzip.write({"a": bytes(15 << 20), "b": bytes(room + 1)}))


def test_sixteen_files_are_read_and_no_more():
    members = {f"{number:02}": b"" for number in range(17)}
    last = members.popitem()

    assert storedzip.read(storedzip.write(members)) == members
    with pytest.raises(FormatError, match="16 files"):
        storedzip.write(dict([*members.items(), last]))


def test_a_zip_of_very_many_files_is_refused_at_once():
    one = storedzip.write({"a": b""})
    local = one[: one.index(b"PK\x01\x02")]

    with pytest.raises(FormatError):
        storedzip.read(local * 100_000)


def test_a_zip_of_nothing_is_refused():
    with pytest.raises(FormatError):
        storedzip.read(storedzip.write({}))


@given(st.dictionaries(st.text("abc.", min_size=1), st.binary(max_size=50), min_size=1, max_size=16))
def test_a_zip_reads_back_as_written(members):
    assert storedzip.read(storedzip.write(members)) == members


def test_a_name_that_is_not_ascii_is_not_written():
    with pytest.raises(FormatError):
        storedzip.write({"é": b""})


@pytest.mark.parametrize("name", ["trust.jws", "answer.json", "request.jws.bak", "../request.jws", "manifest.json"])
def test_a_foreign_file_is_neither_written_nor_read(world, now, name):
    members = {**world.members(), name: b"x"}

    with pytest.raises(FormatError, match="beside its own"):
        bundle.write(members)
    if name != "manifest.json":
        packed = storedzip.write({**members, "manifest.json": manifest(members)})
        with pytest.raises(FormatError, match="beside its own"):
            bundle.verify(packed, world.trust(), now=now)


def test_a_bundle_that_lacks_a_file_is_neither_written_nor_read(world, now):
    for name in world.members().keys() - {"record.sd-jwt"}:
        members = world.members()
        del members[name]
        with pytest.raises(FormatError, match=f"lacks {name}"):
            bundle.write(members)
        with pytest.raises(FormatError, match=f"lacks {name}"):
            bundle.verify(storedzip.write({**members, "manifest.json": manifest(members)}), world.trust(), now=now)


@pytest.mark.parametrize(
    "change",
    [lambda text: b"", lambda text: text + b"\n", lambda text: text.replace(b",", b", ", 1), lambda text: b"{}"],
)
def test_a_manifest_in_another_form_is_refused(world, now, change):
    members = world.members()
    packed = storedzip.write({**members, "manifest.json": change(manifest(members))})

    with pytest.raises(FormatError, match="manifest"):
        bundle.verify(packed, world.trust(), now=now)


def test_a_bundle_without_a_manifest_is_refused(world, now):
    with pytest.raises(FormatError, match="manifest"):
        bundle.verify(storedzip.write(world.members()), world.trust(), now=now)


def test_bundles_inside_each_other_many_times_are_refused_at_the_second(world, now):
    inner = bundle.write(world.members("denied"))
    for _ in range(200):
        inner = bundle.write(world.members("denied", receipt={"prior": b64url(bytes(32))}, **{"pending.zip": inner}))

    with pytest.raises(BindingError, match=r"bundle of the pending receipt does not hold\. A pending receipt follows"):
        bundle.verify(inner, world.trust(), now=now)


def test_an_entry_is_written_in_one_form_only():
    assert (
        bundle.entry(bytes(32), "released", 1_790_000_000)
        == b'{"c":"' + b"A" * 43 + b'","o":"released","t":1790000000,"v":1}'
    )


def test_the_commitment_is_the_one_the_design_page_writes_down():
    parts = [hashlib.sha256(text).digest() for text in (b"request", b"", b"receipt")]
    expected = hmac.new(b"k" * 32, b"ipx-exchange/v1\0" + b"".join(parts), "sha256").digest()

    assert bundle.commitment(b"k" * 32, "request", "", "receipt") == expected


def test_an_act_commits_under_a_label_of_its_own():
    expected = hmac.new(b"k" * 32, b"ipx-act/v1\0" + hashlib.sha256(b"audit entry").digest(), "sha256").digest()

    assert bundle.act_commitment(b"k" * 32, b"audit entry") == expected


@pytest.mark.parametrize("salt", [b"", b"k" * 31, b"k" * 33])
def test_a_commitment_needs_a_salt_of_32_bytes(salt):
    with pytest.raises(FormatError):
        bundle.commitment(salt, "request", "", "receipt")
    with pytest.raises(FormatError):
        bundle.act_commitment(salt, b"audit entry")


def test_a_document_that_is_not_ascii_cannot_be_committed_to():
    with pytest.raises(FormatError):
        bundle.commitment(b"k" * 32, "réquest", "", "receipt")


def test_a_file_is_verified_as_what_it_is(packed, world, now):
    answer = json.dumps(world.answer(world.members())).encode()

    assert evidence.verify(packed, world.trust(), now=now).outcome == "released"
    assert evidence.verify(answer, world.trust(), now=now).outcome == "released"
    for neither in (b"", b"PK", b"{}", b"[]", b"null", b"\xff"):
        with pytest.raises(EvidenceError):
            evidence.verify(neither, world.trust(), now=now)
