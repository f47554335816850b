"""The stub of a gateway, a client that it knows, and time that passes only when somebody sleeps."""

from datetime import UTC, datetime

import pytest

from ipx.keys import generate_signer
from ipx.waiting import Patience, Time
from tests.client.stub_gateway import DROP, Canned, StubGateway


@pytest.fixture
def stub():
    gateway = StubGateway()
    yield gateway
    gateway.close()


class FakeTime:
    """Time that passes only when somebody sleeps; the naps are kept."""

    def __init__(self):
        self.naps = []
        self._seconds = 0.0

    def faculties(self):
        return Time(now=lambda: datetime.now(UTC), monotonic=lambda: self._seconds, sleep=self.sleep)

    def sleep(self, seconds):
        self.naps.append(seconds)
        self._seconds += seconds

    def pass_seconds(self, seconds):
        self._seconds += seconds


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def patience():
    return Patience(total_seconds=60, connect_seconds=2, read_seconds=2)


@pytest.fixture
def key(stub):
    signer = generate_signer("ES256")
    stub.register(signer)
    return signer


@pytest.fixture
def canned():
    """Makes an answer of the stub: status, body, headers."""
    return Canned


@pytest.fixture
def drop():
    return DROP
