"""Records that cannot be served are kept and driven through again; sources are followed; a dead one delays nobody."""

import socket
import time

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from connectors.deadline import Deadline
from gateway.cli import main
from gateway.exchange.holders import SourceRef, Unavailable
from gateway.intake import following
from gateway.intake.quarantine import source_ref
from ipx.answers import Failed
from tests.exchange.world import MARK

NAME = "ipo-xa-trademarks"
SOURCE = """
source: {{name: ipo-xa-trademarks, holder: ipo-xa, record_type: trademark, schema_version: 1, kind: files}}
licence: {{name: made up, onward: none}}
freshness: {{expect: P7D, stale: P3000D}}
reach: {{location: "{place}", match: "*.json", ready: {{quiet_seconds: 0}}}}
read: {{format: json}}
key: application_number
revised: {{path: at, use: [{{datetime: UTC}}]}}
map:
  application_number: {{path: no, use: [trim], required: true}}
  office: {{const: XA}}
  application_date: {{path: filed, use: [{{date: ["%Y-%m-%d"]}}], required: true}}
  mark_status: {{path: status, use: [{{code: {codes}}}], required: true}}
"""
on_one_database = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


class Register:
    """A folder of marks of the IP office, in place of the demo's."""

    def __init__(self, gateway, place) -> None:
        self.gateway = gateway
        self.place = place
        place.mkdir()
        self.use("{R: registered}")

    def use(self, codes) -> None:
        text = SOURCE.format(place=self.place, codes=codes)
        self.gateway.services.sources.add(text, actor="test", replace=True)

    def put(self, number, status="R", filed="2024-01-10") -> None:
        body = f'{{"no": "{number}", "filed": "{filed}", "status": "{status}", "at": "2026-01-10T00:00:00Z"}}'
        (self.place / f"{number}.json").write_text(body)
        time.sleep(0.002)

    @property
    def intake(self):
        return self.gateway.services.intake

    def waiting(self):
        return self.intake.quarantine.listed(NAME)


@pytest.fixture
def register(gateway, tmp_path):
    return Register(gateway, tmp_path / "marks")


def soon():
    return Deadline.within(10)


def test_a_record_that_does_not_map_fails_the_exchange_and_is_kept_with_its_reasons(gateway, register):
    register.put(MARK, status="?", filed="10.1.2024")

    answers = [gateway.ask(), gateway.ask()]

    assert [(answer.stage, answer.reason) for answer in answers] == [("holder", "record_unreadable")] * 2
    (entry,) = register.waiting()
    assert (entry.times, sorted(why["reason"] for why in entry.reasons)) == (2, ["bad_date", "unknown_code"])
    kept = register.intake.quarantine.entry(entry.id)
    assert (kept.key, kept.raw) == (MARK, (register.place / f"{MARK}.json").read_bytes())


@on_one_database
def test_what_is_kept_of_it_is_encrypted(gateway, register):
    register.put(MARK, status="?")
    gateway.ask()

    with gateway.services.database.read() as session:
        row = session.execute(text("SELECT * FROM quarantined_record")).one()

    assert MARK not in repr(row)
    assert all(MARK.encode() not in value for value in row if isinstance(value, bytes))


def test_once_the_mapping_is_mended_the_entry_is_driven_through(gateway, register):
    register.put(MARK, status="?")
    gateway.ask()
    (entry,) = register.waiting()

    still = register.intake.redrive.run(entry.id, soon())
    register.use('{R: registered, "?": opposed}')
    mended = register.intake.redrive.run(entry.id, soon())

    assert (still.outcome, still.reasons) == ("quarantined", ("unknown_code",))
    assert mended.outcome == "mapped"
    assert register.waiting() == []
    assert not isinstance(gateway.ask(), Failed)


@on_one_database
def test_an_entry_whose_record_is_gone_or_wrong_otherwise_ends_as_such(gateway, register):
    for number in ("1", "2"):
        register.put(number, status="?")
    register.intake.following.run(NAME)
    ids = {register.intake.quarantine.entry(row.id).key: row.id for row in register.waiting()}
    (register.place / "1.json").unlink()
    register.put("2", filed="never")

    gone = register.intake.redrive.run(ids["1"], soon())
    other = register.intake.redrive.run(ids["2"], soon())

    assert (gone.outcome, other.outcome, other.reasons) == ("absent", "replaced", ("bad_date",))
    assert [row.id for row in register.waiting()] == [other.id]


def test_a_source_is_followed_and_the_next_run_brings_what_is_new(gateway, register):
    for number in range(3):
        register.put(number)
    brought = []

    first = register.intake.following.run(NAME, brought.append)
    register.put(7)
    second = register.intake.following.run(NAME, brought.append)

    assert (first.mapped, second.mapped, second.failure) == (3, 1, None)
    assert [record.key for record in brought] == ["0", "1", "2", "7"]
    health = register.intake.following.health(NAME)
    assert (health.state, health.quarantined, health.failure) == ("ok", 0, None)
    assert health.last_run is not None


@on_one_database
def test_a_run_that_breaks_off_comes_again_with_what_it_had_not_stored(gateway, register):
    for number in range(3):
        register.put(number)

    def break_off(record):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        register.intake.following.run(NAME, break_off)
    again = register.intake.following.run(NAME)

    assert again.mapped == 3


@on_one_database
def test_another_source_file_begins_from_the_beginning(gateway, register):
    register.put(1)
    register.intake.following.run(NAME)
    register.use('{R: registered, "?": opposed}')

    assert register.intake.following.run(NAME).mapped == 1


@on_one_database
def test_when_most_records_do_not_map_the_run_stops_and_the_watermark_stays(gateway, register):
    for number in range(12):
        register.put(number, status="?" if number else "R")

    stopped = register.intake.following.run(NAME)
    health = register.intake.following.health(NAME)
    register.use('{R: registered, "?": opposed}')
    mended = register.intake.following.run(NAME)

    assert (stopped.quarantined, stopped.failure) == (11, following.TOO_MANY)
    assert (health.state, health.quarantined) == ("degraded", 11)
    assert (mended.mapped, mended.failure) == (12, None)


@on_one_database
def test_a_few_records_that_do_not_map_make_a_source_degraded(gateway, register):
    for number in range(12):
        register.put(number, status="R" if number else "?")

    ran = register.intake.following.run(NAME)

    assert (ran.mapped, ran.quarantined, ran.failure) == (11, 1, None)
    assert register.intake.following.health(NAME).state == "degraded"


@on_one_database
def test_the_health_of_a_source_that_is_down_is_told_with_its_failure(gateway):
    ran = gateway.services.intake.following.run("ipo-xb-trademarks")

    assert ran.failure in ("unreachable", "unsupported")
    assert gateway.services.intake.following.health("ipo-xb-trademarks").state in ("down", "degraded")


@on_one_database
def test_a_source_that_is_opened_slowly_delays_only_those_who_ask_for_it(gateway):
    with socket.socket() as swallowing:  # listens and never answers: a network that swallows packets
        swallowing.bind(("127.0.0.1", 0))
        swallowing.listen(1)
        address = f"postgresql://reader:x@127.0.0.1:{swallowing.getsockname()[1]}/register"
        services = gateway.services
        held = services.sources.source("ipo-xb-trademarks").text
        services.holders._secrets = {**services.holders._secrets, "IPO_XB_DSN": address}
        assert "${secret:IPO_XB_DSN}" in held or pytest.skip("the demo names its secret otherwise")
        slow = source_ref(services.database, "ipo-xb-trademarks")
        quick = source_ref(services.database, NAME)
        began = time.monotonic()

        first = services.holders.opened(slow, Deadline.within(0.2))
        second = services.holders.opened(slow, Deadline.within(0.1))
        other = services.holders.opened(quick, Deadline.within(30))

        assert first == second == Unavailable("holder", "timeout")
        assert not isinstance(other, Unavailable)
        assert time.monotonic() - began < 9


@on_one_database
def test_a_source_that_cannot_be_opened_says_so_each_time(gateway, register):
    register.use("no-such-table")
    source = source_ref(gateway.services.database, NAME)

    assert isinstance(source, SourceRef)
    for _ in range(2):
        assert gateway.services.holders.opened(source, soon()) == Unavailable("holder", "misconfigured")


@on_one_database
def test_an_operator_lists_shows_and_drives_from_the_shell(gateway, register):
    register.put(MARK, status="?")
    gateway.ask()
    (entry,) = register.waiting()

    def run(*words):
        return CliRunner().invoke(main, words, obj=gateway.services)

    listed, shown = run("quarantine", "list"), run("quarantine", "show", entry.id)
    raw = run("quarantine", "show", entry.id, "--raw")
    waits = run("quarantine", "redrive", "--source", NAME)
    register.use('{R: registered, "?": opposed}')
    driven, nothing = run("quarantine", "redrive", entry.id), run("quarantine", "redrive", "--source", NAME)
    followed, health = run("source", "follow", NAME), run("source", "health", NAME)

    assert "unknown_code" in listed.output
    assert MARK not in listed.output
    assert f"key  {MARK}" in shown.output
    assert "mark_status  unknown_code" in shown.output
    assert raw.stdout_bytes == (register.place / f"{MARK}.json").read_bytes()
    assert (waits.exit_code, driven.exit_code, nothing.exit_code) == (1, 0, 1)
    assert "mapped 1" in followed.output
    assert (health.exit_code, "ok" in health.output) == (0, True)
