"""A gateway with the demo world and its people, and what signs a test client in."""

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.people import security
from tests.exchange.conftest import demo as demo  # noqa: PLC0414  (a fixture, found by its name)
from tests.exchange.world import Gateway
from tests.web.people import add_people, browser, sign_in


@pytest.fixture(scope="session", autouse=True)
def _passwords_are_cheap() -> Iterator[None]:
    """Passwords are kept as in service, with a thousandth of the work."""
    cost = {"argon2__time_cost": 1, "argon2__memory_cost": 64, "argon2__parallelism": 1}
    real = security.configuration
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            security, "configuration", lambda at: {**real(at), "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": cost}
        )
        yield


@pytest.fixture(scope="session")
def peopled(demo, tmp_path_factory):
    """The demo world's databases with people in them; only to be copied."""
    folder = tmp_path_factory.mktemp("peopled")
    shutil.copy(demo.directory / "gateway.db", folder / "gateway.db")
    shutil.copy(demo.directory / "checkpoints" / "checkpoints.db", folder / "checkpoints.db")
    gateway = Gateway(demo, _settings(demo, folder))
    add_people(gateway.services)
    gateway.close()
    return folder


def _settings(demo, folder):
    return replace(
        demo.settings,
        database_url=f"sqlite:///{folder / 'gateway.db'}",
        checkpoint_database_url=f"sqlite:///{folder / 'checkpoints.db'}",
    )


@pytest.fixture
def gateway(demo, peopled, tmp_path) -> Iterator[Gateway]:
    """A gateway of this test's own, on SQLite."""
    for name in ("gateway.db", "checkpoints.db"):
        shutil.copy(peopled / name, tmp_path / name)
    gateway = Gateway(demo, _settings(demo, tmp_path))
    yield gateway
    gateway.close()


@pytest.fixture
def client(gateway):
    """A browser without JavaScript, as far as a test client is one: it keeps cookies and follows where it is told."""
    return browser(gateway)


@pytest.fixture
def signed_in(gateway):
    """`signed_in(client, "alice")`: the client is alice's from now on; `fresh=False`: she signed in a while ago."""

    def put(client, username, *, fresh=True):
        sign_in(gateway.services, client, username, fresh=fresh)
        return client

    return put
