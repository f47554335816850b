"""What `make load --write` puts into the page."""

import pytest

from tests.bench.servers import Memory
from tests.load import report
from tests.load.steps import Row, Step

PAGE = """# Speed

<!-- load sqlite -->
old
<!-- end of load sqlite -->

<!-- load postgresql -->
<!-- end of load postgresql -->
"""


def row(connections, per_second, errors=0):
    return Row(connections, 100, per_second, 10.0, 20.0, 30.0, errors, 0, 1.0)


@pytest.fixture
def run():
    steps = [Step(row(1, 1000.0), row(1, 100.0)), Step(row(1000, 2000.0), row(1000, 150.0, errors=2))]
    return report.Run(steps, 100.0, row(1000, 99.5), Memory(225.0, 140.0, 260.0), 1_000_000, 32, 0.93)


@pytest.fixture
def page(tmp_path, monkeypatch):
    page = tmp_path / "performance.md"
    page.write_text(PAGE, "utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "PLOTS", tmp_path / "pictures")
    return page


def test_the_table_has_every_step_and_the_paced_one(run):
    lines = report.table(run, "some machine", "postgresql", "load-postgresql.svg").splitlines()

    assert "| 1000 | 2000 | 150 | 0.075 | 10 | 20 | 30 | 2 | 0 |" in lines
    assert "| 1000, at an even 100/s | | 100 | | 10 | 20 | 30 | 0 | 0 |" in lines
    assert {line.count("|") for line in lines if line.startswith("|")} == {10}
    assert any("1,000,000 exchanges" in line and "0.93" in line for line in lines)
    assert any("225 MB" in line and "140 MB" in line and "260 MB" in line for line in lines)


def test_it_goes_between_the_marks_of_its_database_and_again_in_the_place_of_the_old_one(run, page):
    pytest.importorskip("matplotlib")

    for database in ("sqlite", "sqlite", "postgresql"):
        report.write(run, "some machine", database)

    text = page.read_text("utf-8")
    assert "old" not in text
    assert text.count("some machine") == 2
    for database in ("sqlite", "postgresql"):
        part = text.partition(f"<!-- load {database} -->")[2].partition(f"<!-- end of load {database} -->")[0]
        assert f"](pictures/load-{database}.svg)" in part
        plot = (page.parent / "pictures" / f"load-{database}.svg").read_text("utf-8")
        assert str(page.parent) not in plot
