"""A node behind PgBouncer in transaction mode works without prepared statements; with them the doctor speaks up."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from gateway.db import migrate
from gateway.db.engine import Database
from gateway.doctor import stores
from gateway.doctor.finding import Level
from ipx.answers import Released
from tests.exchange.world import Gateway
from tests.operation import pooler

pytestmark = pytest.mark.skipif(not pooler.is_present(), reason="no pgbouncer on this machine")


@pytest.fixture(scope="module")
def through(postgres_server):
    """Three connections of the server for everybody."""
    with pooler.pgbouncer(postgres_server, default_pool_size=3) as address:
        yield address


def pooled(settings, url, *, is_prepared):
    pool = replace(settings.pool, is_prepared=is_prepared)
    return replace(settings, database_url=url, pool=pool)


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_exchanges_of_many_threads_over_three_connections(demo, settings, through):
    settings = pooled(settings, through(settings.database_url), is_prepared=False)
    gateway = Gateway(demo, settings)
    gateway.client()
    try:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: gateway.ask(), range(24)))
        gateway.services.log.audit()
        [found] = stores.pooled(settings)

        assert all(isinstance(answer, Released) for answer in answers)
        assert gateway.count("exchange") == len(answers)
        assert (found.level, found.found) == (Level.OK, "there is one, in transaction mode")
    finally:
        gateway.close()


def test_prepared_statements_are_found_out(demo, postgres_server, postgresql_url):
    with pooler.pgbouncer(postgres_server, default_pool_size=1) as address:
        [found] = stores.pooled(pooled(demo.settings, address(postgresql_url), is_prepared=True))

    assert found.level is Level.ERROR
    assert "IPX_DATABASE_PREPARED=false" in found.remedy
    assert list(stores.pooled(pooled(demo.settings, postgresql_url, is_prepared=True))) == []


def test_session_mode_needs_nothing(demo, postgres_server, postgresql_url):
    with pooler.pgbouncer(postgres_server, pool_mode="session") as address:
        settings = pooled(demo.settings, address(postgresql_url), is_prepared=True)
        [found] = stores.pooled(settings)

    assert (found.level, found.found) == (Level.OK, "there is one, in session mode")


@pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)
def test_migrations_go_through_it(empty_database_url, demo, through):
    settings = pooled(demo.settings, through(empty_database_url), is_prepared=False)
    database = Database(settings.database_url, pool=settings.pool)
    migrate.upgrade(database)
    fit = migrate.fit(database)
    database.dispose()

    assert fit is migrate.Fit.EXACT
