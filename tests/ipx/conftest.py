"""The small world of exchanges, made once, and the examination of what it makes."""

from datetime import timedelta

import pytest

from ipx import bundle
from ipx.errors import EvidenceError
from tests.ipx.world import ABSENT, NOW, World


@pytest.fixture(scope="session")
def world():
    return World()


@pytest.fixture(scope="session")
def now():
    return NOW


@pytest.fixture(scope="session")
def absent():
    """Stands for a member that is taken out."""
    return ABSENT


@pytest.fixture(scope="session")
def minute():
    return timedelta(minutes=1)


@pytest.fixture
def judge(world, now):
    """Examines the files of an exchange, damaged as told, by a trust list, damaged as told."""

    def judged(*arguments, trust=None, keys=None, **damage):
        list_ = trust or world.trust(keys=keys or {})
        return bundle.verify_members(world.members(*arguments, **damage), list_, now=now)

    return judged


@pytest.fixture
def refuses(judge):
    def refused(error, reason, *arguments, **damage):
        with pytest.raises(EvidenceError, match=reason) as caught:
            judge(*arguments, **damage)
        assert type(caught.value) is error

    return refused
