"""A record type that an operator declares, without code: the example of the docs, through a whole gateway."""

import json
import os
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from gateway.records.catalogue import Catalogue
from gateway.records.codes import code_table, table_names
from gateway.records.declarations import DeclarationError
from policies.cards import _ADDED, add_labels, labels
from tests.conftest import ROOT

TYPES = resources.files("gateway.records").joinpath("types")
PAGE = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
(DECLARED,) = re.findall(r"<!-- tested: own type -->\n```toml\n(.*?)```", PAGE, re.DOTALL)
CODES = """\
version = "1"
source = "made up"

[words]
dyeing = {label = "dyeing", also = ["DYE"]}
healing = {label = "healing", also = ["HEAL"]}
"""


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "types"
    (folder / "codes").mkdir(parents=True)
    (folder / "knowledge_entry.toml").write_text(DECLARED, encoding="utf-8")
    (folder / "codes" / "field-of-use.toml").write_text(CODES, encoding="utf-8")
    return folder


@pytest.fixture
def here(own, monkeypatch):
    """Code lists beside own declarations are found in this process too; the catalogue stays what it is."""
    monkeypatch.setenv("IPX_RECORD_TYPES", str(own))
    code_table.cache_clear()
    yield
    monkeypatch.undo()
    code_table.cache_clear()


@pytest.fixture
def run(own):
    """Runs Python in a process of its own that has declared the type: the catalogue is read once, at start."""

    def started(*arguments):
        environment = os.environ | {"IPX_RECORD_TYPES": str(own), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
        )

    return started


def test_a_declared_type_is_mapped_decided_released_and_verified_like_any_other(run, tmp_path):
    ran = run(str(Path(__file__).with_name("own_type_story.py")), str(tmp_path))

    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["record"] == "urn:ipx:ipo-xa:knowledge_entry:TK-7"
    assert told["fields"] == {
        "office": "XA",
        "entry_number": "TK-7",
        "title": [{"text": "Dyeing with river lichen", "lang": "en"}],
        "recorded_on": "2019-05-02",
        "field_of_use": "dyeing",
        "field_of_use_raw": "DYE",
    }
    assert told["verified"][0] == "released"
    assert {"knowledge_entry.custodians", "knowledge_entry.secret_use"} <= {*told["withheld"]}
    assert told["broken"] == ["Failed", "record_unreadable"]


def test_a_declared_type_stands_in_policies_consoles_and_docs(run, tmp_path):
    ran = run(str(Path(__file__).with_name("own_type_story.py")), str(tmp_path), "--only-words")

    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["is_in_schema"]
    (line,) = told["page"]
    assert line.split(" | ")[1:] == ["A traditional knowledge entry, as a community's register keeps it", "9 |"]
    assert told["labels"] == ["traditional knowledge entry", "传统知识登记", "custodians"]
    assert told["api"]["label"] == {"en": "traditional knowledge entry", "zh": "传统知识登记"}
    assert told["api"]["groups"][2] == {
        "group": "knowledge_entry.secret_use",
        "label": {"en": "secret use", "zh": "knowledge_entry.secret_use"},
        "class": "sealed",
        "personal": False,
        "fields": [{"field": "secret_use", "kind": "text", "list": False, "required": False}],
    }
    assert "what the register publishes" in told["card"]
    assert "traditional knowledge entry" in told["card"]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("trademark.toml", DECLARED, "trademark: is a declaration of this project"),
        ("_right.toml", "[groups.x]", "_right: is a declaration of this project"),
        ("_shapes.toml", '[party]\nmembers = {name = "text"}', "shapes of this project are declared again: party"),
        ("other.toml", DECLARED.replace('is = "text!"', 'is = "verse!"'), "no kind of value is called verse"),
        ("other.toml", DECLARED.replace("[labels.zh]", "[labels.fr]"), "labels are in en or zh, not in fr"),
        ("other.toml", DECLARED.replace('custodians = "custodians"', 'custodian = "x"'), "a group that is not there"),
        ("other.toml", "schema_version = ", "other.toml"),
    ],
)
def test_a_declaration_at_fault_is_not_taken(own, here, name, text, fault):
    (own / name).write_text(text, encoding="utf-8")

    with pytest.raises(DeclarationError, match=re.escape(fault)):
        Catalogue.read(TYPES, own)


def test_a_declaration_at_fault_stops_the_start_with_one_line(own, run):
    (own / "trademark.toml").write_text(DECLARED, encoding="utf-8")

    ran = run("-c", "import gateway.records.catalogue")

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"IPX_RECORD_TYPES ({own}): trademark: is a declaration of this project\n"


def test_a_code_list_of_this_project_cannot_be_replaced(own, here):
    (own / "codes" / "unit.toml").write_text(CODES, encoding="utf-8")

    with pytest.raises(ValueError, match="code table unit is one of this project"):
        table_names()


def test_a_folder_that_is_not_there_is_told(own, run):
    for path in sorted(own.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    own.rmdir()

    assert run("-c", "import gateway.records.catalogue").stderr.startswith("IPX_RECORD_TYPES (")


def test_shapes_of_ones_own_stand_beside_those_of_this_project(tmp_path):
    (tmp_path / "_shapes.toml").write_text('[stanza]\nmembers = {n = "integer!", verse = "text"}', encoding="utf-8")
    (tmp_path / "song.toml").write_text(
        'schema_version = 1\n[groups.text]\nclass = "public"\nfields = {stanzas = {is = ["stanza"]}}\n'
        '[facts]\nstage = [{is = "registered"}]\n',
        encoding="utf-8",
    )

    catalogue = Catalogue.read(TYPES, tmp_path)

    assert catalogue.types["song"].schema.load({"stanzas": [{"n": 1, "verse": "la"}]})
    assert catalogue.types["trademark"].schema_version == 1


def test_words_of_ones_own_never_replace_those_of_the_bundles():
    before = labels("en")["type"]["trademark"]
    try:
        add_labels("en", {"trademark": "something else", "song": "song"})

        assert (labels("en")["type"]["trademark"], labels("en")["type"]["song"]) == (before, "song")
    finally:
        _ADDED.clear()
        labels.cache_clear()
