"""The whole gateway with the demo world registered, on either database."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.db.engine import Database
from gateway.demo.run import Demo
from gateway.settings import Settings
from ipx.ids import uuid7
from tests.exchange.world import Gateway, demo_of_the_run


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Demo:
    """The demo world's files, and a SQLite database in which it is registered; both only to be copied."""
    return demo_of_the_run(tmp_path_factory)


@pytest.fixture(scope="session")
def postgres_world(demo, postgres_template, tmp_path_factory) -> Iterator[tuple[Database, Path, str]]:
    """The same world registered in PostgreSQL; tests clone it."""
    admin = postgres_template
    folder = tmp_path_factory.mktemp("world")
    name = f"world_{uuid7().replace('-', '')}"  # other folders' tests have a world of their own, with other keys
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    original = demo.settings
    demo.settings = replace(
        original,
        database_url=admin.url.set(database=name).render_as_string(hide_password=False),
        checkpoint_database_url=f"sqlite:///{folder / 'checkpoints.db'}",
    )
    demo.prepare()
    demo.settings = original
    yield admin, folder / "checkpoints.db", name
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


@contextmanager
def settings_over(kind: str, request, demo, folder: Path) -> Iterator[Settings]:
    """Give settings over a database of one's own, in which the demo world is registered."""
    checkpoints = folder / "checkpoints.db"
    if kind == "sqlite":
        shutil.copy(demo.directory / "gateway.db", folder / "gateway.db")
        shutil.copy(demo.directory / "checkpoints" / "checkpoints.db", checkpoints)
        yield replace(
            demo.settings,
            database_url=f"sqlite:///{folder / 'gateway.db'}",
            checkpoint_database_url=f"sqlite:///{checkpoints}",
            has_consoles=False,
        )
        return
    admin, source, world = request.getfixturevalue("postgres_world")
    shutil.copy(source, checkpoints)
    name = f"ipx_{uuid7().replace('-', '')}"
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Files are copied in a fifth of the time that it takes to write each page to the log as well.
        strategy = "STRATEGY FILE_COPY" if connection.dialect.server_version_info >= (15,) else ""
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {world} {strategy}"))
    yield replace(
        demo.settings,
        database_url=admin.url.set(database=name).render_as_string(hide_password=False),
        checkpoint_database_url=f"sqlite:///{checkpoints}",
        has_consoles=False,
    )
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, demo, tmp_path) -> Iterator[Settings]:
    """Settings over a database of this test's own, in which the demo world is registered."""
    with settings_over(request.param, request, demo, tmp_path) as settings:
        yield settings


@pytest.fixture
def gateway(demo, settings) -> Iterator[Gateway]:
    gateway = Gateway(demo, settings)
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def one_gateway(request, demo, tmp_path_factory) -> Iterator[Gateway]:
    """A gateway on SQLite for a whole module of tests, which do not care what others of them asked."""
    with settings_over("sqlite", request, demo, tmp_path_factory.mktemp("gateway")) as settings:
        gateway = Gateway(demo, settings)
        yield gateway
        gateway.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def each_gateway(request, demo, tmp_path_factory) -> Iterator[Gateway]:
    """The same on either database."""
    with settings_over(request.param, request, demo, tmp_path_factory.mktemp("gateway")) as settings:
        gateway = Gateway(demo, settings)
        yield gateway
        gateway.close()
