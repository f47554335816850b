"""The operator's page: each example is a source file that holds, and the fifteen minutes take place."""

import re
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.formats.document import Limits
from connectors.mapping import RecordMapping
from connectors.protocol import FailReason
from connectors.source_file import read_source
from gateway.db import migrate
from gateway.db.engine import Database
from gateway.records.catalogue import CATALOGUE
from gateway.wiring import mapping_tools
from tests import programs

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "sources.md").read_text("utf-8")
SOURCES = dict(re.findall(r"<!-- source: (\w+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL))
BLOCKS = dict(re.findall(r"<!-- tested: (\w+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL))


@pytest.mark.parametrize("kind", SOURCES)
def test_each_example_is_a_source_file_of_its_kind_whose_fields_exist(kind):
    file = read_source(SOURCES[kind])

    assert file.kind == kind
    assert set(file.fields) <= set(CATALOGUE.types[file.record_type].fields)
    assert file.key in CATALOGUE.types[file.record_type].fields
    if kind != "push":
        RecordMapping(file, mapping_tools(), Limits())


def test_there_is_an_example_of_every_kind_and_a_line_for_every_failure():
    assert set(SOURCES) == {"sql", "files", "upload", "rest", "soap", "drop", "store", "push", "queue", "office"}
    assert [reason for reason in FailReason if f"`{reason}`" not in PAGE and reason != "unsupported"] == []


TABLES = (
    "CREATE TABLE cases (case_no TEXT, office TEXT, decided DATE, state TEXT, changed_at TIMESTAMP, decision_no TEXT)",
    "CREATE TABLE case_parties (party_id INTEGER PRIMARY KEY, case_no TEXT, party_name TEXT)",
    "INSERT INTO cases VALUES ('A-1', 'Regulator', '2026-01-10', 'D', now() AT TIME ZONE 'UTC', 'R/7')",
    "INSERT INTO cases VALUES ('A-2', 'Regulator', NULL, 'O', now() AT TIME ZONE 'UTC', NULL)",
    "INSERT INTO case_parties VALUES (1, 'A-1', 'Some  firm')",
)


def test_a_newcomer_plugs_in_a_database_as_the_page_says(postgres_server, tmp_path):
    server = sa.make_url(postgres_server).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE IF EXISTS registry WITH (FORCE)")
        connection.exec_driver_sql("DROP ROLE IF EXISTS ipx_reader_of_page")
        connection.exec_driver_sql("CREATE DATABASE registry")
    owner = sa.create_engine(server.set(database="registry"), isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        for statement in (*TABLES, *BLOCKS["account"].replace("ipx_reader", "ipx_reader_of_page").split(";\n")):
            if statement.strip():
                connection.exec_driver_sql(statement)
        connection.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    reader = server.set(database="registry", username="ipx_reader_of_page", password="change-me")
    (tmp_path / "cases.yaml").write_text(SOURCES["sql"], "utf-8")
    environment = _server(tmp_path) | {
        "IPX_SECRET_CASES_DSN": reader.render_as_string(hide_password=False).replace("+psycopg", "")
    }

    ran = _run(
        f"ipx-gateway agency add regulator-yours --kind regulator --name R --jurisdiction XA\n{BLOCKS['commands']}",
        tmp_path,
        environment,
    )

    owner.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE registry WITH (FORCE)")
        connection.exec_driver_sql("DROP ROLE ipx_reader_of_page")
    admin.dispose()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "mapped 2   quarantined 0" in ran.stdout
    assert "A-1  admin_case" in ran.stdout
    assert "serves admin_case records" in ran.stdout
    assert re.search(r"regulator-cases +ok", ran.stdout)
    assert "change-me" not in ran.stdout + ran.stderr


def test_the_form_of_an_upload_source_is_made_by_the_command(tmp_path):
    (tmp_path / "port.yaml").write_text(SOURCES["upload"], "utf-8")

    ran = _run("ipx-gateway source template port.yaml --output port.xlsx", tmp_path, {})
    played = tmp_path / "api.yaml"
    played.write_text(SOURCES["rest"], "utf-8")
    faults = _run(
        "ipx-gateway source test api.yaml --fault 403 --fault redirect",
        tmp_path,
        {"IPX_SECRET_REG_ID": "id", "IPX_SECRET_REG_KEY": "a-secret-key"},
    )

    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "port.xlsx").read_bytes().startswith(b"PK")
    assert faults.returncode == 0, faults.stdout
    assert faults.stdout.splitlines() == [
        "ok   403       fetch → throttled, ask again in 30 s",
        "ok   redirect  fetch → bad_answer",
    ]


def _server(folder):
    """Settings and tables of a gateway of this test's own."""
    ran = _run("ipx-gateway keys init --dir keys", folder, {})
    settings = dict(re.findall(r"export (IPX_\w+)='?([^'\n]*)'?", ran.stdout))
    environment = settings | {"IPX_VAR": str(folder / "var"), "IPX_ORIGIN": "https://gw.example"}
    database = Database(f"sqlite:///{folder / 'var' / 'gateway.db'}")
    migrate.upgrade(database)
    database.dispose()
    return environment


def _run(script, folder, environment):
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": programs.path(), "HOME": str(folder), "LANG": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
