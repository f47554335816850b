"""The server is killed at each of the ten steps: nothing acknowledged is lost, nothing unlogged was released."""

import httpx
import pytest

from gateway.exchange.steps import Step
from ipx.answers import Failed, Released
from ipx.client import Client
from ipx.problems import UnreachableError
from ipx.waiting import Patience
from tests.exchange.servers import Rewired, serving
from tests.exchange.world import CUSTOMS, Gateway

STEPS = list(Step)
FILED = STEPS[STEPS.index(Step.WRITE_AHEAD) :]
LOGGED = STEPS[STEPS.index(Step.LOG) :]


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_server_killed_at_a_step_leaves_an_exchange_that_is_closed_or_was_never_opened(demo, settings, step):
    gateway = Gateway(demo, settings)
    request = gateway.sign()
    with serving(demo, settings, f"tests.exchange.dying:application('{step}')") as (address, server):
        with (
            Client(
                settings.origin,
                CUSTOMS,
                gateway.key(CUSTOMS),
                http=httpx.Client(transport=Rewired(address)),
                patience=Patience(total_seconds=20, tries=1),
            ) as client,
            pytest.raises(UnreachableError),
        ):
            client.send(request)
        server.wait()

    restarted = Gateway(demo, settings)
    closed = restarted.services.recovery.close_own()
    answer = restarted.client().send(request)

    assert closed == (step in FILED and step not in LOGGED)
    if step in FILED and step not in LOGGED:
        assert isinstance(answer, Failed)
        assert answer.reason == "interrupted"
    else:
        assert isinstance(answer, Released)
    assert answer.evidence.is_replayed == (step in FILED)
    assert restarted.count("log_entry WHERE step_id LIKE 'exchange:%'") == 1
    assert restarted.count("exchange WHERE state = 'received'") == 0
    restarted.services.log.audit()
    restarted.close()
    gateway.close()


def test_a_restarted_server_closes_what_a_crash_left_open_by_itself(demo, settings):
    gateway = Gateway(demo, settings)
    request = gateway.sign()
    with serving(demo, settings, "tests.exchange.dying:application('fetch')") as (address, server):
        with (
            Client(
                settings.origin,
                CUSTOMS,
                gateway.key(CUSTOMS),
                http=httpx.Client(transport=Rewired(address)),
                patience=Patience(tries=1),
            ) as client,
            pytest.raises(UnreachableError),
        ):
            client.send(request)
        server.wait()
    assert gateway.count("exchange WHERE state = 'received'") == 1

    with serving(demo, settings) as (address, _):
        assert httpx.get(f"{address}/readyz").status_code == 200

    assert gateway.count("exchange WHERE state = 'received'") == 0
    assert gateway.count("exchange WHERE state = 'failed' AND reason = 'interrupted'") == 1
    gateway.close()
