"""Each alarm sounds when it should, after its time, and not for what looks alike: by Prometheus itself."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from tests.exchange.servers import serving
from tests.exchange.world import Gateway
from tests.observing import prometheus

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "m" * 32
RULES = {
    rule["alert"]: rule for group in yaml.safe_load(prometheus.RULES.read_text())["groups"] for rule in group["rules"]
}
pytestmark = pytest.mark.skipif(
    not prometheus.is_here(), reason="Prometheus is not installed: apt-get install prometheus"
)

Series = dict[str, str]
"""Figures by the minute in promtool's words: `0+6x40` is six more each minute, `_x5` nothing for five of them."""


@dataclass(frozen=True)
class Case:
    """What an alarm sees."""

    bad: Series
    """It sounds at the minute `by`, and not yet at `not_at`."""
    fine: Series
    """It never sounds."""
    by: int
    not_at: int


def part(name: str, values: str) -> Series:
    return {f'ipx_part_works{{part="{name}",instance="a"}}': values}


def exchanges(failed: str, released: str) -> Series:
    counted = 'ipx_exchanges_total{{outcome="{}",holder="ipo-a",requester="customs-a"}}'
    return {counted.format("failed"): failed, counted.format("released"): released}


def logged(within_a_second: str) -> Series:
    bucket = 'ipx_stage_seconds_bucket{{stage="log",le="{}"}}'
    return {bucket.format("1.0"): within_a_second, bucket.format("2.5"): "0+60x60", bucket.format("+Inf"): "0+60x60"}


def connections(used: int) -> Series:
    return {
        'ipx_database_connections{database="gateway"}': f"{used}x40",
        'ipx_database_connections_max{database="gateway"}': "30x40",
    }


def answers(values: str, status: str = "500", route: str = "/v1/exchanges") -> Series:
    return {f'ipx_http_requests_total{{status="{status}",route="{route}",method="POST"}}': values}


CASES = {
    "NodeDown": Case(
        {'up{job="ipx-gateway",instance="b"}': "0x9"}, {'up{job="ipx-gateway",instance="b"}': "1 0 1 1 0 1 1"}, 3, 1
    ),
    "PartFailing": Case(part("log", "1 0x9"), part("holders", "0x9"), 3, 1),
    "ExchangesFailing": Case(exchanges("0+6x40", "0+6x40"), exchanges("0+6x40", "0+60x40"), 25, 9),
    "SlowExchanges": Case(logged("0+30x60"), logged("0+59x60"), 30, 14),
    "ClockWrong": Case(part("clock", "1 0x9"), part("clock", "1x9"), 4, 2),
    "ServerErrors": Case(answers("0+1x40"), answers("0+9x40", status="503"), 20, 4),
    "TokensRefused": Case(
        {'ipx_token_requests_total{result="invalid_client"}': "0+120x40"},
        {
            'ipx_token_requests_total{result="invalid_client"}': "0+30x40",
            'ipx_token_requests_total{result="issued"}': "0+900x40",
        },
        25,
        9,
    ),
    "CheckpointOld": Case(
        {"ipx_checkpoint_age_seconds": "1000x40", **exchanges("0x40", "0+1x40")},
        {"ipx_checkpoint_age_seconds": "1000x40", **exchanges("0x40", "7x40")},
        20,
        4,
    ),
    "Unwitnessed": Case(
        {'ipx_evidence_state{state="unwitnessed"}': "1x30"}, {'ipx_evidence_state{state="confirmed"}': "1x30"}, 20, 14
    ),
    "TimestampsLate": Case({"ipx_timestamp_wait_seconds": "301x30"}, {"ipx_timestamp_wait_seconds": "300x30"}, 15, 9),
    "LogContradicted": Case(
        {'ipx_evidence_state{state="contradicted"}': "0 0 1x9"},
        {'ipx_evidence_state{state="contradicted"}': "0x9"},
        3,
        1,
    ),
    "WorkerSilent": Case(
        {'ipx_worker_beat_age_seconds{node="a"}': "121x9", 'ipx_worker_beat_age_seconds{node="b"}': "500x9"},
        {'ipx_worker_beat_age_seconds{node="a"}': "121x9", 'ipx_worker_beat_age_seconds{node="b"}': "3x9"},
        4,
        1,
    ),
    "BackgroundFailing": Case(
        {'ipx_background_tasks_total{task="settling",result="failed"}': "0+1x90"},
        {'ipx_background_tasks_total{task="settling",result="done"}': "0+1x90"},
        60,
        29,
    ),
    "ExchangesStuck": Case(
        {'ipx_exchanges_oldest_seconds{state="received"}': "301x20"},
        {'ipx_exchanges_oldest_seconds{state="pending"}': "99999x20"},
        8,
        4,
    ),
    "RecallsOverdue": Case(
        {'ipx_acknowledgements_overdue{holder="ipo-a"}': "1x99"},
        {'ipx_acknowledgements_overdue{holder="ipo-a"}': "0x99"},
        70,
        59,
    ),
    "SourceDown": Case(
        {'ipx_source_state{source="s",state="down"}': "1x40"},
        {'ipx_source_state{source="s",state="down"}': "0x40", 'ipx_source_state{source="s",state="stale"}': "1x40"},
        20,
        14,
    ),
    "QuarantineGrows": Case(
        {'ipx_source_quarantined{source="s"}': "101x60"}, {'ipx_source_quarantined{source="s"}': "100x60"}, 40, 29
    ),
    "PoolExhausted": Case(connections(28), connections(27), 15, 9),
}


def test_every_alarm_has_its_case():
    assert CASES.keys() == RULES.keys()


def sounding(alarm: str, minute: int, count: int) -> dict:
    """Expect so many of the alarm at a minute."""
    expected = [{"labels": "{}", "value": count}] if count else []
    sounds = f'count(ALERTS{{alertname="{alarm}",alertstate="firing"}})'
    return {"expr": sounds, "eval_time": f"{minute}m", "exp_samples": expected}


def scenario(series: Series, *expected: dict) -> dict:
    given = [{"series": name, "values": values} for name, values in series.items()]
    return {"interval": "1m", "input_series": given, "promql_expr_test": list(expected)}


def played(folder: Path, *scenarios: dict) -> str:
    """Play them against the shipped rules; what promtool has against them."""
    file = folder / "scenarios.yaml"
    told = {"rule_files": [str(prometheus.RULES)], "evaluation_interval": "1m", "tests": list(scenarios)}
    file.write_text(yaml.safe_dump(told))
    ran = prometheus.promtool("test", "rules", file.name, folder=folder)
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


@pytest.mark.parametrize("alarm", CASES)
def test_it_sounds_after_its_time_and_not_for_what_looks_alike(alarm, tmp_path):
    case = CASES[alarm]
    minutes = range(0, case.by + 10, 3)

    said = played(
        tmp_path,
        scenario(case.bad, sounding(alarm, case.not_at, 0), sounding(alarm, case.by, 1)),
        scenario(case.fine, *(sounding(alarm, minute, 0) for minute in minutes)),
    )

    assert said == ""


def test_the_very_first_call_that_ends_in_500_sounds_though_its_figure_has_never_grown(tmp_path):
    """A counter shows up with its first count, from which `rate` makes nothing."""
    seen = scenario(answers("_x20 1x60"), sounding("ServerErrors", 19, 0), sounding("ServerErrors", 27, 1))
    over = scenario(answers("_x20 1x60"), sounding("ServerErrors", 45, 0))
    old = scenario(answers("7x60"), sounding("ServerErrors", 30, 0), sounding("ServerErrors", 50, 0))
    again = scenario(answers("7x9 _x3 1x60"), sounding("ServerErrors", 18, 1))

    assert played(tmp_path, seen, over, old, again) == ""


def test_each_alarm_names_who_is_called_and_gives_one_sentence():
    for name, rule in RULES.items():
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        assert rule["annotations"]["summary"].strip(), name


@pytest.fixture(scope="module")
def scraped(demo, tmp_path_factory):
    """Prometheus by the guide's own configuration, asking a real server; with it, a client of that server."""
    folder = tmp_path_factory.mktemp("prometheus")
    page = (ROOT / "docs" / "operators.md").read_text("utf-8")
    [told] = re.findall(r"```yaml\n(scrape_configs:.*?)```", page, re.DOTALL)
    (folder / "ipx-metrics-token").write_text(TOKEN)
    settings = replace(demo.settings, metrics_token=TOKEN, has_consoles=False)
    with serving(demo, settings, workers=2, IPX_METRICS_TOKEN=TOKEN) as (address, _):
        told = told.replace("/etc/prometheus/ipx-metrics-token", str(folder / "ipx-metrics-token"))
        told = told.replace('"node-1:8080", "node-2:8080"', f'"{address.removeprefix("http://")}"')
        configuration = yaml.safe_load(told.replace("deploy/prometheus/alerts.yaml", str(prometheus.RULES)))
        gateway = Gateway(demo, settings)
        gateway.ask()
        with prometheus.serving(folder, configuration) as server:
            yield server, address
        gateway.close()


def test_prometheus_reads_a_node_by_the_guides_configuration_and_takes_every_alarm(scraped):
    server, address = scraped

    [up] = server.await_result('up{job="ipx-gateway"} == 1')
    assert up["metric"]["instance"] == address.removeprefix("http://")
    assert set(server.alarms()) == RULES.keys()


def test_every_panel_of_the_dashboard_is_a_question_that_prometheus_understands(scraped):
    server, _ = scraped
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text("utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]

    server.await_result("ipx_log_size")
    shown = {expression for expression in asked if server.query(expression)}

    assert {"max(ipx_log_size)", "min by (part) (ipx_part_works)"} <= shown
