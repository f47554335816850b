"""Upgrades without a pause: a program works on with tables that were expanded, and says why where it cannot."""

import ast
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.db import migrate
from gateway.db.engine import Database
from gateway.db.migrate import Fit
from gateway.errors import SettingsError, StoreUnavailableError
from gateway.wiring import services
from gateway.wiring.tables import require_tables
from ipx.answers import Released
from tests.exchange.world import Gateway
from tests.operation.test_restore import Traffic

CONTRACTING = {
    "drop_table",
    "drop_column",
    "alter_column",
    "rename_table",
    "drop_constraint",
    "create_unique_constraint",
}


@pytest.fixture
def database(empty_database_url):
    database = Database(empty_database_url)
    yield database
    database.dispose()


def set_to(database, revision, oldest):
    """Let the tables look as a later program would leave them."""
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
        session.execute(text("UPDATE schema_floor SET oldest = :to"), {"to": oldest})


def test_tables_fit_exactly_are_too_old_expanded_or_changed_beyond_this_program(database):
    assert migrate.fit(database) is Fit.TOO_OLD
    migrate.upgrade(database, "0014")
    assert migrate.fit(database) is Fit.TOO_OLD
    with pytest.raises(SettingsError, match="run `ipx-gateway db upgrade`"):
        require_tables(database)

    migrate.upgrade(database)
    assert migrate.fit(database) is Fit.EXACT

    set_to(database, "9001", oldest=migrate.newest())
    assert migrate.fit(database) is Fit.NEWER
    require_tables(database)

    set_to(database, "9002", oldest="9002")
    assert migrate.fit(database) is Fit.TOO_NEW
    with pytest.raises(SettingsError, match="run the later version, or restore a backup"):
        require_tables(database)


def test_who_refuses_to_start_holds_no_connection(demo, empty_database_url, monkeypatch):
    made = []

    class Watched(Database):
        def __init__(self, *given, **more):
            super().__init__(*given, **more)
            made.append(self)

    monkeypatch.setattr(services, "Database", Watched)
    with pytest.raises(SettingsError, match="run `ipx-gateway db upgrade`"):
        services.build(replace(demo.settings, database_url=empty_database_url))

    assert [engine.pool.checkedin() for database in made for engine in (database.writer, database.reader)] == [0, 0]


FOLLOWING = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, works_with = "9001", "{newest}", "{newest}"
branch_labels = depends_on = None


def upgrade():
    op.add_column("exchange", sa.Column("following", sa.String(16), nullable=True))
    op.create_index("ix_exchange_following", "exchange", ["following"])
    op.create_table("following", sa.Column("id", sa.Integer(), primary_key=True))
"""


def test_tables_are_expanded_while_exchanges_run_and_the_version_before_goes_on_and_starts_again(
    demo, settings, tmp_path, monkeypatch
):
    newest = migrate.newest()
    shutil.copytree(migrate.MIGRATIONS, tmp_path / "later")
    (tmp_path / "later" / "versions" / "9001_following.py").write_text(FOLLOWING.format(newest=newest))
    gateway = Gateway(demo, settings)
    database = Database(settings.database_url)

    with Traffic(gateway) as traffic:
        traffic.await_more()
        with monkeypatch.context() as later:  # as `db upgrade` of a later version does
            later.setattr(migrate, "MIGRATIONS", tmp_path / "later")
            migrate.upgrade(database)
            assert migrate.fit(database) is Fit.EXACT
        traffic.await_more()

    assert migrate.fit(database) is Fit.NEWER
    assert len(traffic.answers) >= 6
    assert {type(answer) for answer in traffic.answers} == {Released}
    gateway.close()
    database.dispose()
    again = Gateway(demo, settings)
    assert isinstance(again.ask(), Released)
    again.services.log.audit()
    again.close()


def test_the_floor_follows_the_migrations_up_and_down(database):
    migrate.upgrade(database)
    with database.read() as session:
        assert session.scalar(text("SELECT oldest FROM schema_floor")) == migrate.oldest_for(migrate.newest())

    migrate.downgrade(database, "0014")
    assert migrate.fit(database) is Fit.TOO_OLD


def test_a_migration_gives_up_soon_where_a_table_is_in_use(postgres_template, monkeypatch):
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 0.2)
    admin = postgres_template
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS ipx_locked"))
        connection.execute(text("CREATE DATABASE ipx_locked"))
    url = admin.url.set(database="ipx_locked").render_as_string(hide_password=False)
    database, other = Database(url), Database(url)
    migrate.upgrade(database, "0014")
    with other.write() as session:
        session.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreUnavailableError, match="nothing was changed"):
            migrate.upgrade(database)

    assert migrate.current(database) == "0014"
    for each in (database, other):
        each.dispose()
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE ipx_locked WITH (FORCE)"))


def test_a_migration_that_says_that_earlier_programs_work_on_takes_nothing_away():
    """The rule of docs/operators.md, as far as a program can see it."""
    for path in sorted((migrate.MIGRATIONS / "versions").glob("*.py")):
        named, calls = _declared(path)
        if named is not None:
            assert not calls & CONTRACTING, f"{path.name} works with {named}, and takes something away"


def _declared(path: Path):
    tree = ast.parse(path.read_text("utf-8"))
    named = None
    calls = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "works_with":
            named = ast.literal_eval(node.value)
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade":
            calls = {
                call.func.attr for call in ast.walk(node) if isinstance(call, ast.Call) and hasattr(call.func, "attr")
            }
    return named, calls
