"""Records as ST.96: valid by the official schemas where they are at hand, and the same record when read again."""

import copy
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from connectors.formats.document import Limits
from connectors.mapping import Mapped, RecordMapping
from connectors.mapping_packs import read_pack, shipped, shipped_names
from connectors.protocol import Found
from connectors.source_file import read_source
from gateway.records.codes import code
from gateway.wiring import mapping_tools
from ipx import st96
from ipx.cli import main
from ipx.encoding import b64url
from ipx.st96 import NotExpressibleError, convert
from ipx.st96.design import STATUS as DESIGN_STATUS
from ipx.st96.indication import CATEGORY as GI_CATEGORY
from ipx.st96.schemas import SchemasError, faults
from ipx.st96.trademark import CATEGORY, FEATURE, STATUS

FIXTURES = Path(__file__).parent.parent / "connectors" / "fixtures"
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
READERS = {
    "trademark": "st96-trademark",
    "patent": "st96-patent",
    "design": "st96-design",
    "geographical_indication": "st96-gi",
}
ROLES = {"owners": "owner", "representatives": "representative", "inventors": "inventor", "designers": "designer"}
SOURCE = """\
source: {{name: made-up, holder: office-xa, record_type: {record_type}, schema_version: 1, kind: files}}
licence: {{name: made up, onward: none}}
freshness: {{expect: P1D, stale: P1D}}
reach: {{location: /nowhere, match: '*'}}
pack: {name}
"""


@pytest.fixture(scope="module")
def packs():
    """Every pack of a type that ST.96 has a document for; signed ones are read elsewhere."""
    tools = mapping_tools(lambda: NOW)
    found = {}
    for name in shipped_names():
        pack = read_pack(name, shipped)
        if pack.record_type in READERS and "signature" not in pack.parts["read"]:
            text = SOURCE.format(record_type=pack.record_type, name=name)
            found[name] = (pack.record_type, RecordMapping(read_source(text), tools, Limits()))
    return found


@pytest.fixture(scope="module")
def schemas(ipdata, tmp_path_factory):
    folder = tmp_path_factory.mktemp("schemas")
    with tarfile.open(ipdata / "st96" / "xsd" / "ST96XMLSchema_V6_0_Flattened.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def records(packs, paths):
    for name, (record_type, mapping) in packs.items():
        for path in paths(name):
            found = Found(path.read_bytes(), "", path.name, None, None, NOW)
            outcome = mapping.apply(found)
            if isinstance(outcome, Mapped):
                fields = {key: value for key, value in outcome.fields.items() if key not in ("extensions", "language")}
                yield f"{name} {path.name}", record_type, outcome, fields


def fixtures(name):
    return [path for path in FIXTURES.glob(f"{name}.*") if path.stem == name]


def without(fields, left_out):
    """The fields less what the export says that it left out, on whichever side."""
    rest = copy.deepcopy(fields)

    def cut(objects, path):
        name, _, below = path.partition("[].")
        for one in objects:
            if below:
                cut(one.get(name, []), below)
            else:
                one.pop(name, None)

    for path in left_out:
        cut([rest], path)
    return {name: [*filter(None, value)] if isinstance(value, list) else value for name, value in rest.items()}


def placed(fields):
    """What the place of a party in the document says is said of every party: its role, and its number."""
    said = {name: value for name, value in fields.items() if value != []}
    for name, role in ROLES.items():
        parties = [{"role": role} | party for party in said.get(name, [])]
        if parties and name != "representatives":
            parties = [{"party_no": number} | party for number, party in enumerate(parties, start=1)]
        if parties:
            said[name] = parties
    return said


def comes_back(packs, record_type, outcome, fields):
    """Convert, read again, compare; gives what was left out."""
    converted = convert(record_type, fields, number=outcome.key, language=outcome.fields.get("language"))
    _, reader = packs[READERS[record_type]]
    again = reader.apply(Found(converted.xml, "", "", None, None, NOW))
    assert isinstance(again, Mapped), again
    read = {
        name: value
        for name, value in again.fields.items()
        if name not in ("extensions", "language") and not name.endswith("_raw")
    }
    assert placed(without(read, converted.left_out)) == placed(without(fields, converted.left_out))
    assert again.key == outcome.key
    return converted


def test_every_record_of_every_pack_comes_back_from_st_96_as_it_was(packs):
    done = set()
    for what, record_type, outcome, fields in records(packs, fixtures):
        try:
            comes_back(packs, record_type, outcome, fields)
        except NotExpressibleError:
            continue
        done.add(what.partition(" ")[0])

    assert done >= {"tsdr-st96", "tsdr-st66", "euipo-tm-xml", "us-redbook", "cnipa-xml", "euipo-ds-xml", "st96-gi"}


@pytest.mark.parametrize(
    ("name", "folder", "match"),
    [
        ("tsdr-st96", "trademark/tsdr", "*-ST96.xml"),
        ("tsdr-st66", "trademark/tsdr", "*-ST66.xml"),
        ("euipo-tm-xml", "trademark/euipo", "*1.xml"),
        ("euipo-ds-xml", "design/euipo", "*-0001.xml"),
        ("cnipa-xml", "patent/cnipa", "c*_new*.xml"),
        ("us-redbook", "patent/uspto_xml", "*B2.xml"),
        ("st96-patent", "st96/instances", "Patent*.xml"),
        ("st96-trademark", "st96/instances", "Trademark*.xml"),
        ("st96-gi", "st96/instances", "GI*.xml"),
    ],
)
def test_real_records_make_valid_documents_that_come_back_as_they_were(packs, schemas, ipdata, name, folder, match):
    counted = 0
    paths = sorted((ipdata / folder).glob(match))
    for _, record_type, outcome, fields in records({name: packs[name]}, lambda _: paths):
        converted = comes_back(packs, record_type, outcome, fields)
        assert faults(converted.xml, schemas) == []
        counted += 1

    assert counted >= min(len(paths), 1)


MARK = {
    "office": "EM",
    "application_number": "018222197",
    "application_date": "2020-04-08",
    "mark_status": "registered",
    "mark_status_raw": "Registered",
    "verbal_element": "VELMORA",
    "owners": [{"party_no": 1, "role": "owner", "name": "维尔莫拉公司", "name_latin": "Velmora", "country": "CN"}],
    "owner_contacts": [{"party_no": 1, "address": "14 Harbour Terrace", "country": "CN", "email": "a@velmora.example"}],
}


def test_what_the_standard_has_no_place_for_is_named():
    converted = convert("trademark", MARK | {"well_known": True, "images": [{"reference": "a.png", "sha256": "00"}]})

    assert converted.left_out == ("images[].sha256", "mark_status_raw", "well_known")


def test_only_what_was_disclosed_is_written_and_the_number_comes_from_the_name():
    converted = convert("trademark", {"verbal_element": "VELMORA"}, number="018222197")

    assert b"018222197" in converted.xml
    assert b"VELMORA" in converted.xml
    assert b"ApplicantBag" not in converted.xml


def test_a_contact_stands_with_its_party_and_goes_nowhere_without_one():
    assert b"14 Harbour Terrace" in convert("trademark", MARK).xml
    alone = convert("trademark", {name: value for name, value in MARK.items() if name != "owners"})
    assert b"Harbour" not in alone.xml
    assert "owner_contacts[].address" in alone.left_out


@pytest.mark.parametrize(
    ("record_type", "fields", "why"),
    [
        ("detention", {"stage": "seized"}, "no document for detention"),
        ("trademark", {}, "nothing"),
        ("trademark", {"application_number": "1", "verbal_element": "a\x0bb"}, "cannot carry"),
        ("patent", {"office": "US", "application_number": "16123456"}, "a patent needs"),
        ("design", {"office": "EM"}, "a design needs"),
        ("geographical_indication", {"office": "EU"}, "an indication needs"),
    ],
)
def test_what_makes_no_document_is_refused_with_what_is_missing(record_type, fields, why):
    with pytest.raises(NotExpressibleError, match=why):
        convert(record_type, fields)


def test_a_folder_without_the_schema_is_told(tmp_path):
    with pytest.raises(SchemasError, match="TrademarkApplication_V6_0"):
        faults(convert("trademark", MARK).xml, tmp_path)


def test_a_document_that_breaks_the_schemas_is_told_line_by_line(schemas):
    xml = convert("trademark", MARK).xml.replace(b"2020-04-08", b"8 April")

    assert [line for line in faults(xml, schemas) if "8 April" in line]


def kept(folder, fields):
    """An answer as `ipx request --out` keeps it, with a record that nobody signed: converting is not verifying."""
    claims = {"sub": "urn:ipx:ipo-xa:trademark:018222197", "record_type": "trademark", "language": "en"}
    disclosures = [b64url(json.dumps(["salt", *pair]).encode()) for pair in fields.items()]
    record = "~".join([f"e30.{b64url(json.dumps(claims).encode())}.e30", *disclosures, ""])
    (folder / "answer.json").write_text(json.dumps({"record": record}), encoding="utf-8")
    return str(folder / "answer.json")


def test_a_valid_document_is_written_and_what_it_lacks_is_named(schemas, tmp_path):
    ran = CliRunner().invoke(main, ["convert", kept(tmp_path, MARK), "--schemas", str(schemas)])

    assert ran.exit_code == 0
    assert ran.stderr == "ST.96 has no place for: mark_status_raw\n"
    assert "<tmk:MarkVerbalElementText>VELMORA</tmk:MarkVerbalElementText>" in ran.stdout


def test_a_document_that_breaks_the_schemas_is_not_written(schemas, tmp_path):
    answer, out = kept(tmp_path, MARK | {"office": "XA"}), tmp_path / "mark.xml"

    ran = CliRunner().invoke(main, ["convert", answer, "--schemas", str(schemas), "--out", str(out)])

    assert (ran.exit_code, out.exists(), "'XA' is not a valid value" in ran.stderr) == (2, False, True)


def test_of_several_records_one_is_chosen(tmp_path):
    answer = Path(kept(tmp_path, MARK))
    one = json.loads(answer.read_text(encoding="utf-8"))
    answer.write_text(json.dumps({"records": [one, one]}), encoding="utf-8")

    assert "--record 1 to 2 says which" in CliRunner().invoke(main, ["convert", str(answer)]).output
    assert CliRunner().invoke(main, ["convert", str(answer), "--record", "2"]).exit_code == 0


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("st96-mark-category", {word: ", ".join(said) for word, said in CATEGORY.items()}),
        ("st96-mark-feature", FEATURE),
        ("st96-mark-status", STATUS),
        ("st96-gi-type", GI_CATEGORY),
    ],
)
def test_a_word_that_is_written_is_read_as_the_same_word(table, words):
    assert {word: code(table, said) for word, said in words.items()} == {word: word for word in words}


def test_the_words_that_are_written_are_words_of_the_catalogue():
    assert {word: code("design-status", word) for word in DESIGN_STATUS} == {word: word for word in DESIGN_STATUS}
    assert set(st96.TYPES) == set(READERS)
