"""Figures for Prometheus: what is counted, who may read it, and that nobody's data is in it."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import yaml

from gateway import meters
from gateway.intake.following import State
from ipx.errors import EvidenceError
from tests.exchange.world import MARK, Gateway

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "t" * 32
ADDED = ("_total", "_created", "_bucket", "_sum", "_count")
PROMETHEUS_OWN = {"up"}


@pytest.fixture(scope="module")
def watched(demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    shutil.copy(demo.directory / "gateway.db", folder / "gateway.db")
    shutil.copy(demo.directory / "checkpoints" / "checkpoints.db", folder / "checkpoints.db")
    gateway = Gateway(
        demo,
        replace(
            demo.settings,
            database_url=f"sqlite:///{folder / 'gateway.db'}",
            checkpoint_database_url=f"sqlite:///{folder / 'checkpoints.db'}",
            has_consoles=False,
            metrics_token=TOKEN,
        ),
    )
    yield gateway
    gateway.close()


def figures(gateway) -> dict[str, float]:
    answer = gateway.http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_an_exchange_is_counted_by_outcome_and_agencies_with_its_stages(watched):
    counted = 'ipx_exchanges_total{holder="ipo-xa",outcome="released",requester="customs-xa"}'
    before = figures(watched)

    watched.ask()

    after = figures(watched)
    assert after[counted] == before.get(counted, 0) + 1
    for stage in ("auth", "policy", "holder", "verify", "sign", "log"):
        name = f'ipx_stage_seconds_count{{stage="{stage}"}}'
        assert after[name] == before[name] + 1
    assert after["ipx_log_size"] > before["ipx_log_size"]
    assert after['ipx_part_works{part="database"}'] == 1


def test_tokens_are_counted_by_result(watched):
    before = figures(watched)

    watched.http.post("/oauth/token", data={"grant_type": "client_credentials", "scope": "exchange:request"})

    after = figures(watched)
    name = 'ipx_token_requests_total{result="invalid_client"}'
    assert after[name] == before.get(name, 0) + 1


def test_only_who_holds_the_secret_reads_figures(watched, one_gateway):
    assert watched.http.get("/metrics").status_code == 401
    assert watched.http.get("/metrics", headers={"Authorization": "Bearer x"}).status_code == 401
    assert one_gateway.http.get("/metrics").status_code == 404


def test_no_figure_holds_an_address_an_identifier_or_a_record(watched):
    watched.http.get("/v1/exchanges/planted-name-of-somebody")
    watched.http.get("/planted-path?planted=query")
    watched.http.request("PLANTED", "/v1/exchanges")
    with suppress(EvidenceError):
        watched.ask(case_ref="planted-case", legal_basis="planted-basis")

    text = "\n".join(figures(watched))

    assert "planted" not in text.lower()
    assert MARK not in text
    assert "urn:ipx" not in text
    assert 'ipx_http_requests_total{method="GET",route="/v1/exchanges/<exchange_id>",status="401"}' in text
    assert 'ipx_http_requests_total{method="GET",route="none",status="404"}' in text


def test_processes_of_a_node_are_added_up(tmp_path):
    count = "from gateway import meters; meters.exchanged('released', 'a', 'b')"
    read = (
        "from prometheus_client import CollectorRegistry, generate_latest\n"
        "from prometheus_client.multiprocess import MultiProcessCollector\n"
        "registry = CollectorRegistry(); MultiProcessCollector(registry)\n"
        "print(generate_latest(registry).decode())"
    )
    environ = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PATH": ""}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", count], env=environ, cwd=ROOT, check=True)

    told = subprocess.run([sys.executable, "-c", read], env=environ, cwd=ROOT, check=True, capture_output=True)

    assert 'ipx_exchanges_total{holder="b",outcome="released",requester="a"} 2.0' in told.stdout.decode()


def known_metrics(gateway) -> set[str]:
    declared = {metric.name for metric in meters.REGISTRY.collect()}
    text = gateway.http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    return declared | set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))


def named_in(expression: str) -> set[str]:
    return set(re.findall(r"\bipx_[a-z_]+", expression))


def base(name: str, known: set[str]) -> str:
    return next((name.removesuffix(end) for end in ADDED if name.removesuffix(end) in known), name)


def test_every_figure_of_the_dashboard_exists(watched):
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text("utf-8"))
    known = known_metrics(watched)
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    named = set().union(*map(named_in, expressions))

    assert len(expressions) >= 10
    assert all(named_in(one) for one in expressions)
    assert {one for one in named if one not in known and base(one, known) not in known} == set()
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


SELECTED = re.compile(r"(ipx_\w+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
CLOSED = ("ipx_part_works", "ipx_evidence_state", "ipx_stage_seconds_bucket", "ipx_exchanges_oldest_seconds")
"""Figures that show all values of their labels from the start."""


def labels_of(gateway) -> dict[str, dict[str, set[str]]]:
    """The labels of each figure with the values that are seen."""
    found = {}
    for name, inner in SELECTED.findall("\n".join(figures(gateway))):
        for label, _, value in MATCHER.findall(inner):
            found.setdefault(name, {}).setdefault(label, set()).add(value)
    for metric in (meters.EXCHANGES, meters.TOKENS, meters.CALLS, meters.TASKS, meters.CONNECTIONS):
        [described] = metric.describe()
        for name in (described.name, f"{described.name}_total"):
            for label in metric._labelnames:
                found.setdefault(name, {}).setdefault(label, set())
    found["ipx_source_state"] = {"source": set(), "state": set(get_args(State))}
    return found


def test_labels_that_alarms_and_dashboard_ask_for_exist_with_their_values(watched):
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text("utf-8"))
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text("utf-8"))
    watched.ask()
    known = labels_of(watched)
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    asked += [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]

    for expression in asked:
        assert expression.count("(") == expression.count(")"), expression
        for name, inner in SELECTED.findall(expression):
            for label, _, value in MATCHER.findall(inner):
                assert label in known[name], expression
                if name in CLOSED or name == "ipx_source_state":
                    assert set(value.split("|")) <= known[name][label], expression


def test_every_alarm_has_a_figure_and_a_section_that_says_what_to_do(watched):
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text("utf-8"))
    guide = (ROOT / "docs" / "operators.md").read_text("utf-8")
    anchors = {heading.lower() for heading in re.findall(r"^#+ (\w+)$", guide, re.MULTILINE)}
    known = known_metrics(watched)
    alarms = [rule for group in rules["groups"] for rule in group["rules"]]

    assert len(alarms) >= 10
    for alarm in alarms:
        named = named_in(alarm["expr"]) or PROMETHEUS_OWN & set(re.findall(r"\w+", alarm["expr"]))
        assert named, alarm["alert"]
        assert all(one in known | PROMETHEUS_OWN or base(one, known) in known for one in named), alarm["alert"]
        page, _, anchor = alarm["annotations"]["runbook"].partition("#")
        assert page == "docs/operators.md"
        assert anchor in anchors, alarm["alert"]
