import re
from datetime import timedelta
from pathlib import Path

import pytest

from connectors import mapping_packs
from connectors.errors import SourceFileError
from connectors.formats.document import Limits
from connectors.mapping import RecordMapping
from connectors.mapping_packs import read_pack, shipped, shipped_names
from connectors.references import Resolver
from connectors.source_file import parse_duration, read_source

BODY = """
reach: {location: "${IPX_SOURCES}/marks", match: "*.xml", ready: {quiet_seconds: 30}}
read: {format: xml, namespaces: {t: "urn:made-up"}, records: "//t:Mark"}
key: number
map:
  number: {path: "t:Number", use: [trim], required: true}
  office: {path: "t:Office", use: [trim, {code: st3}]}
on_error: {default: quarantine, office: flag}
"""


def faults_of(text):
    with pytest.raises(SourceFileError) as caught:
        read_source(text)
    return {fault.pointer: fault.detail for fault in caught.value.faults}


def test_a_source_file_becomes_a_checked_value(write_source):
    file = read_source(write_source(BODY))

    assert (file.name, file.holder, file.kind, file.key) == ("test-source", "office-xa", "files", "number")
    assert file.freshness.stale == timedelta(days=2)
    assert (file.remedy("office"), file.remedy("number")) == ("flag", "quarantine")
    assert file.reach["location"] == "${IPX_SOURCES}/marks"


def test_every_unknown_key_is_an_error_wherever_it_stands(write_source):
    text = write_source(BODY).replace("match:", "macth: '*', match:").replace("use: [trim], required", "requird")

    faults = faults_of(text + "extra: 1\n")

    assert faults[""] == "unknown key: extra"
    assert faults["/reach"] == "unknown key: macth"
    assert "requird" in faults["/map/number"]


@pytest.mark.parametrize(
    ("old", "new", "pointer"),
    [
        ("required: true}", "required: yes}", "/map/number/required"),
        ("quiet_seconds: 30", "quiet_seconds: soon", "/reach/ready/quiet_seconds"),
        ('match: "*.xml"', 'match: "../*.xml"', "/reach/match"),
        ("expect: P1D", "expect: 1 day", "/freshness/expect"),
        ("kind: files", "kind: telepathy", "/source/kind"),
        ("holder: office-xa", "holder: 'office xa'", "/source/holder"),
        ("format: xml", "format: xml, encoding: guess", "/read/encoding"),
        ("  number:", "  Number:", "/map"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(write_source, old, new, pointer):
    text = write_source(BODY)
    assert old in text

    assert pointer in faults_of(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("key: number", "key: office", "must name a field of /map"),
        ("office: flag}", "colour: flag}", "is no field of /map"),
        ("stale: P2D", "stale: PT1H", "shorter than what is expected"),
        ("format: xml, ", "", "is missing"),
        ("office: {path", "extensions: {path", "cannot be mapped"),
        ("${IPX_SOURCES}", "${secret:}", "is no reference"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(write_source, old, new, said):
    assert said in " ".join(faults_of(write_source(BODY).replace(old, new)).values())


@pytest.mark.parametrize(
    ("old", "new", "pointer"),
    [
        ('"t:Office"', '"t:Office["', "/map/office/path"),
        ('"t:Office"', "\"document('http://elsewhere.example/')//t:Office\"", "/map/office/path"),
        ('"t:Office"', '"x:Office"', "/map/office/path"),
        ("{code: st3}", "{code: nowhere}", "/map/office/use"),
        ("[trim, ", "[trimm, ", "/map/office/use"),
        ('"//t:Mark"', '"//t:Mark["', "/read"),
    ],
)
def test_paths_and_transforms_that_do_not_exist_are_refused_when_the_mapping_is_compiled(
    write_source, tools, old, new, pointer
):
    text = write_source(BODY)
    assert old in text

    with pytest.raises(SourceFileError) as caught:
        RecordMapping(read_source(text.replace(old, new)), tools, Limits())

    assert [fault.pointer for fault in caught.value.faults] == [pointer]


def test_a_secret_written_in_the_wrong_place_is_not_repeated_by_the_error(write_source):
    text = write_source(BODY).replace("ready: {quiet_seconds: 30}", "password: hunter2, ready: hunter2")

    with pytest.raises(SourceFileError) as caught:
        read_source(text)

    assert "hunter2" not in str(caught.value)


def test_references_are_resolved_late_and_secrets_never_print():
    resolver = Resolver({"DSN": "s3cret"}, {"HOME": "/srv"})

    resolved = resolver.resolve("postgresql://${secret:DSN}@host")

    assert resolved == "postgresql://s3cret@host"
    assert (repr(resolved), resolver.resolve("${HOME}/x")) == ("•••", "/srv/x")
    assert resolver.blot_out("could not log in with s3cret") == "could not log in with •••"


def test_references_without_value_are_all_named():
    missing = Resolver({}, {}).missing({"a": "${secret:ONE}", "b": ["${TWO}"]})

    assert [(place, str(reference)) for place, reference in missing] == [("/a", "${secret:ONE}"), ("/b/0", "${TWO}")]


def test_a_secret_does_not_stand_in_for_a_variable():
    with pytest.raises(SourceFileError, match="IPX_SOURCES"):
        Resolver({"IPX_SOURCES": "/x"}, {}).resolve("${IPX_SOURCES}")


def test_a_pack_gives_the_mapping_and_the_file_may_override_entries(write_source):
    body = """
    reach: {location: /srv/marks, match: "*.xml"}
    pack: euipo-tm-xml
    map: {verbal_element: {path: "t:Verbal", use: [trim]}}
    on_error: {verbal_element: flag}
    """

    file = read_source(write_source(body))

    assert (file.pack, file.key, file.read.format) == ("euipo-tm-xml", "application_number", "xml")
    assert file.fields["verbal_element"] == {"path": "t:Verbal", "use": ["trim"]}
    assert "goods_services" in file.fields
    assert (file.remedy("verbal_element"), file.remedy("vienna_codes")) == ("flag", "flag")


def test_a_pack_of_another_record_type_is_refused(write_source):
    body = "reach: {location: /srv, match: '*'}\npack: euipo-tm-xml\n"

    assert faults_of(write_source(body, record_type="patent"))["/pack"] == "maps to trademark 1"


def test_another_text_or_pack_gives_another_digest(write_source):
    text = write_source(BODY)

    assert read_source(text).sha256 == read_source(text).sha256
    assert read_source(text).sha256 != read_source(text + "# a word\n").sha256


def test_an_unknown_pack_is_refused_and_cannot_leave_its_folder(write_source):
    for name in ("no-such-pack", "../source_file"):
        assert "/pack" in faults_of(write_source(f"reach: {{location: /srv, match: '*'}}\npack: {name}\n"))


def test_every_shipped_pack_is_read():
    shelf = Path(mapping_packs.__file__).parent / "packs"

    assert set(shipped_names()) == {path.stem for path in shelf.glob("*.yaml")}
    assert {"euipo-tm-xml", "tsdr-st66", "tsdr-st96", "tsdr-st96-old"} <= set(shipped_names())
    for name in shipped_names():
        assert read_pack(name, shipped)


@pytest.mark.parametrize(("text", "seconds"), [("P7D", 604_800), ("PT5M", 300), ("P1DT1H", 90_000), ("P2W", 1_209_600)])
def test_durations_are_iso_8601(text, seconds):
    assert parse_duration(text).total_seconds() == seconds


def test_the_examples_of_the_design_page_are_source_files():
    page = Path(__file__).resolve().parents[3] / "shared" / "design" / "connectors.md"
    if not page.is_file():
        pytest.skip("the design page is not part of the project")
    examples = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)

    files, sql = read_source(examples[0]), read_source(examples[1])

    assert (files.name, sql.name) == ("euipo-trademarks", "customs-x-detentions")
