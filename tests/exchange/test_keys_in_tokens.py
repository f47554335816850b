"""A gateway whose keys are in a token: it signs with them, and asks nobody for anything once one is gone."""

from dataclasses import replace

import pytest

from gateway.evidence import token_signer
from ipx.ids import uuid7
from ipx.problems import UnavailableError
from tests.exchange.world import Gateway
from tests.softhsm import software_token


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    return software_token(tmp_path_factory)


@pytest.fixture
def gateway(demo, settings, token):
    label = uuid7()
    gateway = Gateway(demo, replace(settings, receipt_key=token.make("ES256", label)))
    gateway.lose_key = lambda: token.destroy(label)
    with gateway.services.database.write() as session:
        gateway.services.trust_lists.publish(session, "operator")
    yield gateway
    gateway.close()


def test_the_holder_is_asked_only_while_the_receipt_can_be_signed(gateway, monkeypatch):
    answer = gateway.ask()
    ready = gateway.http.get("/readyz")
    gateway.lose_key()
    monkeypatch.setattr(token_signer, "READY_SECONDS", 0)
    filed = gateway.count("exchange")

    with pytest.raises(UnavailableError) as refused:
        gateway.ask()

    assert (answer.evidence.report.outcome, ready.status_code) == ("released", 200)
    assert refused.value.problem.slug == "key-unavailable"
    assert gateway.count("exchange") == filed
    unready = gateway.http.get("/readyz")
    assert (unready.status_code, unready.json()) == (503, {"ready": False, "failing": "receipt key"})
