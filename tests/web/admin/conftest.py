"""One gateway with people for a module of tests, and a browser of each of them."""

import shutil
from dataclasses import replace

import pytest

from tests.exchange.world import Gateway
from tests.web.people import browser, sign_in


@pytest.fixture(scope="module")
def shared(demo, peopled, tmp_path_factory):
    """A gateway for a module of tests that do not care what others of them changed."""
    folder = tmp_path_factory.mktemp("shared")
    for name in ("gateway.db", "checkpoints.db"):
        shutil.copy(peopled / name, folder / name)
    settings = replace(
        demo.settings,
        database_url=f"sqlite:///{folder / 'gateway.db'}",
        checkpoint_database_url=f"sqlite:///{folder / 'checkpoints.db'}",
    )
    gateway = Gateway(demo, settings)
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def person(shared):
    """`person("alice")`: her browser, signed in a moment ago; `fresh=False`: half an hour ago."""
    known = {}

    def of(username, *, fresh=True):
        if (username, fresh) not in known:
            client = known[username, fresh] = browser(shared)
            sign_in(shared.services, client, username, fresh=fresh)
        return known[username, fresh]

    return of
