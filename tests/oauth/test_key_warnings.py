"""A key that ends soon says so where people and systems look: at 30 and at 7 days before, once each."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gateway.agencies.key_warnings import KeyWarnings
from gateway.agencies.models import ClientKey

DAY = timedelta(days=1).total_seconds()


@pytest.fixture
def warnings(world):
    return KeyWarnings(world.database, world.acts, world.clock)


@pytest.mark.both_databases
def test_a_key_is_warned_of_once_at_each_threshold(world, intake, warnings):
    said = []
    for _ in range(366):
        world.clock.advance(DAY)
        said.append(warnings.go_round())

    assert [day for day, count in enumerate(said, 1) if count] == [335, 358]
    entries = world.audit("client_key.ends_soon")
    assert [(row.actor, row.subject, row.detail["days"]) for row in entries] == [
        ("gateway", "customs-xa.intake", 30),
        ("gateway", "customs-xa.intake", 7),
    ]
    assert entries[0].detail == {"kid": intake.kid, "days": 30, "valid_until": "2027-11-25T08:00:00Z"}


@pytest.mark.both_databases
def test_workers_that_warn_at_once_warn_once(world, intake, warnings):
    world.clock.advance(336 * DAY)
    workers = [KeyWarnings(world.database, world.acts, world.clock) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda worker: worker.go_round(), workers))

    assert sum(counts) == len(world.audit("client_key.ends_soon")) == 1


def test_a_key_that_was_short_lived_from_the_start_is_warned_of_once(world, intake, warnings):
    world.set(ClientKey, ClientKey.kid == intake.kid, valid_until=world.clock() + timedelta(days=5))

    assert [warnings.go_round(), warnings.go_round()] == [1, 0]
    assert world.audit("client_key.ends_soon")[0].detail["days"] == 7


def test_a_revoked_key_is_not_warned_of(world, intake, warnings):
    world.set(ClientKey, ClientKey.kid == intake.kid, revoked_at=world.clock())
    world.clock.advance(360 * DAY)

    assert warnings.go_round() == 0


def test_a_warning_is_a_log_line(world, intake, warnings):
    world.clock.advance(336 * DAY)

    with capture_logs() as lines:
        warnings.go_round()

    (line,) = lines
    assert (line["log_level"], line["client"], line["kid"]) == ("warning", "customs-xa.intake", intake.kid)


@pytest.mark.parametrize(
    ("days", "header"), [(334, None), (335, "2027-11-25T08:00:00Z"), (364, "2027-11-25T08:00:00Z")]
)
def test_a_token_answer_names_the_end_of_the_key_that_signed(world, intake, days, header):
    world.clock.advance(days * DAY)

    assert intake.ask().headers.get("IPX-Key-Ends") == header
