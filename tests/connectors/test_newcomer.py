"""A newcomer plugs in a database that the page's author did not lay out: other names, numbers, dates and codes."""

import sqlite3

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from gateway.cli import main
from tests.connectors.mariadb import mariadb_server
from tests.connectors.test_documented_sources import PAGE, _run, _server

TABLES = """
CREATE TABLE Dienststelle (Id INTEGER PRIMARY KEY, Name VARCHAR(80));
CREATE TABLE Vorgang (VorgangsNr INTEGER PRIMARY KEY, Aktenzeichen VARCHAR(20), DienststelleId INTEGER,
  Status SMALLINT, AufgegriffenAm VARCHAR(10), EingefuehrtAm VARCHAR(10), Q_Geändert Am_Q VARCHAR(19));
CREATE TABLE Ware (WareId INTEGER PRIMARY KEY, VorgangsNr INTEGER, Bezeichnung VARCHAR(80), Menge VARCHAR(12),
  Einheit CHAR(3), Wert VARCHAR(14), Q_产地_Q CHAR(2));
INSERT INTO Dienststelle VALUES (7, 'Zollamt Musterhafen'), (8, 'Hauptzollamt Beispielstadt');
INSERT INTO Vorgang VALUES
  (1, 'ZA-7/2026/0001', 7, 1, '03.02.2026', '01.02.2026', '2026-02-03 09:15:00'),
  (2, 'ZA-7/2026/0002', 7, 2, '14.02.2026', '12.02.2026', '2026-02-15 10:00:00'),
  (3, 'HZA-8/2026/0001', 8, 4, '28.02.2026', NULL, '2026-03-02 16:40:00');
INSERT INTO Ware VALUES (1, 1, 'Sportschuhe', '1.200', 'PAA', '18.000,50', 'CN'),
  (2, 1, 'Schuhkartons', '1.200', 'STK', '600,00', 'CN'), (3, 2, 'Handtaschen', '35', 'STK', '7.350,00', 'TR'),
  (4, 3, 'Uhren', '12', 'STK', '1.000,00', 'HK');
CREATE VIEW Auskunft AS SELECT v.*, d.Name AS Dienststelle FROM Vorgang v
  JOIN Dienststelle d ON d.Id = v.DienststelleId
""".strip().split(";\n")
SOURCE = """\
source: {name: zoll-vorgaenge, holder: zoll-yours, record_type: detention, schema_version: 1, kind: sql}
licence: {name: official use, onward: none}
freshness: {expect: PT1H, stale: P3000D, follow: PT15M}
reach:
  url: "${secret:ZOLL_DSN}"
  table: Auskunft
  key: Aktenzeichen
  children: {waren: {table: Ware, on: VorgangsNr, order: WareId}}
  watermark: {column: Geändert Am, zone: Europe/Berlin}
key: detention_number
revised: {path: Geändert Am, use: [{datetime: Europe/Berlin}]}
map:
  detention_number: {path: Aktenzeichen, use: [trim], required: true}
  authority: {path: Dienststelle, use: [trim], required: true}
  stage: {path: Status, use: [{code: {"1": suspended, "2": detained, "4": released}}], raw: true, required: true}
  suspended_on: {path: AufgegriffenAm, use: [{date: ["%d.%m.%Y"]}], required: true}
  importation_date: {path: EingefuehrtAm, use: [{date: ["%d.%m.%Y"]}]}
  goods:
    each: waren
    map:
      line: WareId
      description: {path: Bezeichnung, use: [trim], required: true}
      quantity: {path: Menge, use: [{decimal: {point: ",", group: "."}}], required: true}
      unit: {path: Einheit, use: [trim, {code: {PAA: pair, STK: piece}}], required: true}
      origin_country: {path: 产地, use: [trim, {code: iso3166-alpha2}]}
"""
COMMANDS = """\
ipx-gateway agency add zoll-yours --kind customs --name Zoll --jurisdiction XA
ipx-gateway source check zoll.yaml
ipx-gateway source test zoll.yaml --show 3
ipx-gateway source add zoll.yaml
ipx-gateway source follow --due
ipx-gateway source status
ipx-gateway source health zoll-vorgaenge
"""


@pytest.fixture(scope="module")
def mariadb():
    with mariadb_server() as address:
        yield address


@pytest.fixture(params=["sqlite", "mariadb"])
def holder(request, tmp_path):
    """Gives what runs statements in the holder's database, and the address of an account that only reads it."""
    if request.param == "sqlite":
        place = tmp_path / "zoll.sqlite"

        def run(*statements):
            database = sqlite3.connect(place)
            for statement in statements:
                database.execute(statement.replace("Q_", '"').replace("_Q", '"'))
            database.commit()
            database.close()

        yield run, f"sqlite:///{place}"
        return
    server = request.getfixturevalue("mariadb")
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")

    def run_there(*statements):
        with admin.connect() as connection:
            connection.exec_driver_sql("USE zoll")
            for statement in statements:
                connection.exec_driver_sql(statement.replace("Q_", "`").replace("_Q", "`"))

    with admin.connect() as connection:
        for statement in (
            "CREATE DATABASE zoll CHARACTER SET utf8mb4",
            "CREATE OR REPLACE USER zoll_leser@localhost IDENTIFIED BY 'change-me'",
            "GRANT SELECT, SHOW VIEW ON zoll.* TO zoll_leser@localhost",
        ):
            connection.exec_driver_sql(statement)
    reader = server.set(drivername="mysql", database="zoll", username="zoll_leser", password="change-me")
    yield run_there, reader.render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE zoll")
    admin.dispose()


def test_a_database_of_another_making_is_plugged_in(holder, tmp_path):
    run, address = holder
    run(*TABLES)
    (tmp_path / "zoll.yaml").write_text(SOURCE, "utf-8")

    ran = _run(COMMANDS, tmp_path, _server(tmp_path) | {"IPX_SECRET_ZOLL_DSN": address})

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "mapped 3   quarantined 0" in ran.stdout
    assert "zoll-vorgaenge   mapped 3   quarantined 0   deleted 0" in ran.stdout
    assert "ZA-7/2026/0001  detention" in ran.stdout
    assert "change-me" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('{"1": suspended', "{1: suspended", "put it in quotes"),
        ('code: {"1": suspended, ', "code: {", "stage  unknown_code   Auskunft.Status   not among 2, 4"),
        ("Dienststelle, use", "Dienst, use", "has no column Dienst"),
        ("table: Auskunft", "table: Auskünfte", "there is no table Auskünfte, or the account may not see it"),
        (
            "code: {PAA: pair, STK: piece}",
            "code: unit",
            "unknown_code   Auskunft.waren.Einheit   not in the code table",
        ),
        ('["%d.%m.%Y"]', '["%Y-%m-%d"]', "suspended_on  bad_date   Auskunft.AufgegriffenAm"),
        ("column: Geändert Am", 'column: "a.b"', "needs a view that renames it"),
        ("follow: PT15M", "follow: 15 minutes", "/freshness/follow  must be a duration: P7D, PT15M"),
        ('"${secret:ZOLL_DSN}"', "jdbc:mysql://h/x", "is no database address; write postgresql://"),
        ('"${secret:ZOLL_DSN}"', "postgres://h/x", "no kind of database; write postgresql://"),
        ('"${secret:ZOLL_DSN}"', "sqlite:///zoll.sqlite", "by its absolute path, so with four slashes"),
        ("record_type: detention", "record_type: detentions", "detention"),
    ],
)
def test_what_newcomers_get_wrong_is_told_so_that_they_can_mend_it(tmp_path, old, new, said):
    database = sqlite3.connect(tmp_path / "zoll.sqlite")
    for statement in TABLES:
        database.execute(statement.replace("Q_", '"').replace("_Q", '"'))
    database.commit()
    database.close()
    assert old in SOURCE
    (tmp_path / "zoll.yaml").write_text(SOURCE.replace(old, new), "utf-8")
    command = "check" if "record_type" in old else "test"

    ran = CliRunner().invoke(
        main,
        ["source", command, str(tmp_path / "zoll.yaml")],
        env={"IPX_SECRET_ZOLL_DSN": f"sqlite:///{tmp_path / 'zoll.sqlite'}"},
    )

    assert ran.exit_code in (1, 2)
    assert said in ran.output
    assert isinstance(ran.exception, SystemExit)


def test_the_page_tells_of_what_this_database_has():
    for word in ("VorgangsNr", "Geändert Am", 'point: ","', "%d.%m.%Y", "source codes unit", "sqlite:////"):
        assert word in PAGE
