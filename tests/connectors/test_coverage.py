"""Every file of a folder is read by a pack, or it is said why not; and the table in the docs is what the files give."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from connectors.coverage import UNEXPLAINED, cover, read_notes, render
from connectors.errors import SourceFileError
from connectors.mapping_packs import shipped_names
from gateway.cli import main
from tests.conftest import ROOT

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 11, 25, tzinfo=UTC)
TABLE = ROOT / "docs" / "coverage.md"
NOTES = ROOT / "docs" / "coverage.toml"


@pytest.fixture
def folder(tmp_path):
    for name in ("euipo-tm-xml.xml", "us-pap.xml", "customs-csv.csv"):
        shutil.copy(FIXTURES / name, tmp_path)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "letter.txt").write_text("Dear office")
    return tmp_path


def test_a_file_is_read_by_every_pack_that_knows_it(folder, catalogue_tools):
    covered = cover(folder, read_notes(""), catalogue_tools, NOW)

    top, below = covered.folders
    assert (top.name, top.files, top.read) == (".", 3, 3)
    assert {name: (reading.files, reading.mapped, reading.says_absent) for name, reading in top.packs.items()} == {
        "customs-csv": (1, 1, 0),
        "euipo-event-xml": (1, 1, 0),
        "euipo-opposition-xml": (1, 1, 0),
        "euipo-tm-xml": (1, 1, 0),
        "us-pap": (1, 1, 0),
    }
    assert (below.name, below.files, below.read, dict(below.unread)) == ("below", 1, 0, {UNEXPLAINED: 1})
    assert not covered.is_explained


def test_a_file_that_is_not_read_is_explained_or_tells_what_is_wrong_with_it(folder, catalogue_tools):
    (folder / "broken.xml").write_text("<open>")
    notes = read_notes(
        '[[unread]]\nmatch = "below/*"\nwhy = "a letter"\n[[unread]]\nmatch = "broken.xml"\npack = "us-pap"\n'
    )

    covered = cover(folder, notes, catalogue_tools, NOW)

    assert covered.is_explained
    assert covered.folders[1].unread == {"a letter": 1}
    assert covered.folders[0].packs["us-pap"].quarantined == {"not_parseable": 1}


def test_one_record_twice_in_a_file_counts_once(folder, catalogue_tools):
    text = (FIXTURES / "customs-csv.csv").read_text(encoding="utf-8")
    header, *lines = text.splitlines()
    (folder / "customs-csv.csv").write_text("\n".join([header, *lines, lines[0]]), encoding="utf-8")

    covered = cover(folder, read_notes(""), catalogue_tools, NOW)

    assert covered.folders[0].packs["customs-csv"].quarantined == {"duplicate_in_batch": 1}


@pytest.mark.parametrize(
    "notes",
    [
        "[[unread",
        '[[unread]]\nmatch = "x"\n',
        '[[unread]]\nmatch = "x"\nwhy = "y"\npack = "smd"\n',
        '[[unread]]\nmatch = "x"\npack = "unheard-of"\n',
        "[other]\n",
    ],
)
def test_notes_that_say_nothing_or_too_much_are_refused(notes):
    with pytest.raises(SourceFileError):
        read_notes(notes)


def test_the_command_says_by_its_exit_status_whether_all_is_explained(folder):
    ran = CliRunner().invoke(main, ["source", "coverage", str(folder)])

    assert (ran.exit_code, UNEXPLAINED in ran.output) == (1, True)
    shutil.rmtree(folder / "below")
    assert CliRunner().invoke(main, ["source", "coverage", str(folder)]).exit_code == 0


def test_the_table_in_the_docs_is_what_the_files_give(ipdata, catalogue_tools):
    covered = cover(ipdata, read_notes(NOTES.read_text(encoding="utf-8")), catalogue_tools, NOW)

    assert covered.is_explained
    assert TABLE.read_text(encoding="utf-8").endswith(render(covered)), (
        "docs/coverage.md is behind: make coverage-table"
    )


def test_the_table_in_the_docs_names_every_pack():
    named = set(re.findall(r"`([a-z0-9-]+)`", TABLE.read_text(encoding="utf-8")))

    assert set(shipped_names()) <= named
