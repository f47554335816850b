"""`ipx-gateway source compare`: an operator holds the records of several sources against each other."""

import json
import sqlite3

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.demo import world


@pytest.fixture
def compare(tmp_path, monkeypatch):
    """Compares the demo's trademarks, recordals and detentions."""
    made = world.build(tmp_path)
    monkeypatch.setenv("IPX_SOURCES", str(made.sources_root))
    for name, value in made.secrets.items():
        monkeypatch.setenv(f"IPX_SECRET_{name}", value)
    kinds = ("ipo-xa-trademarks", "customs-xa-recordals", "customs-xa-detentions")
    files = [str(path) for path in made.sources if path.stem in kinds]

    def run(*options):
        return CliRunner(catch_exceptions=False).invoke(main, ["source", "compare", *files, *options])

    run.customs = next(tmp_path.rglob("customs*.db"))
    return run


def test_sources_that_fit_each_other_exit_with_0(compare):
    done = compare()

    assert done.exit_code == 0, done.output
    assert "ipo-xa-trademarks: 12 records of type trademark" in done.stderr


def test_a_recordal_that_ended_before_goods_were_stopped_is_told(compare):
    with sqlite3.connect(compare.customs) as customs:
        customs.execute("UPDATE RECORDAL SET VALID_TO = '20260301' WHERE REC_NO = 'R2025-0031'")

    done = compare("--json")

    assert done.exit_code == 1
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    kinds = {one["kind"] for one in (found or json.loads(done.stdout))}
    assert "recordal_expired" in kinds


def test_a_source_that_cannot_be_reached_exits_with_2(compare):
    compare.customs.unlink()

    done = compare()

    assert done.exit_code == 2
    assert "customs" in done.output or "reach" in done.output
