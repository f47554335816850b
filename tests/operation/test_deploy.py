"""What deploy/ says fits to what the program reads. `make compose` runs it on a container engine.

The manifests of Kubernetes are in test_kubernetes.py.
"""

import base64
import re
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from gateway.cli import main
from gateway.doctor.surroundings import DESCRIPTORS
from gateway.evidence.signers import write_signer
from gateway.settings import read_settings
from ipx.keys import generate_signer
from tests.operation import guide

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = ROOT / "deploy" / "compose.yaml"
GATEWAYS = ("gateway-1", "gateway-2", "worker")
ALL = (*GATEWAYS, "witness")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(COMPOSE.read_text("utf-8"))


@pytest.mark.parametrize("name", ALL)
def test_what_a_service_is_told_is_read_by_the_program(compose, name, monkeypatch, tmp_path):
    documented = set(
        re.findall(r"^\| `(IPX_[A-Z0-9_]+)`", (ROOT / "docs" / "settings.md").read_text("utf-8"), re.MULTILINE)
    )
    given = {
        "IPX_ORIGIN": "https://gw.example",
        "IPX_METRICS_TOKEN": "t" * 32,
        "IPX_KEY_ENCRYPTION_KEY": base64.b64encode(b"k" * 32).decode(),
        "IPX_WITNESS_KEY_ENCRYPTION_KEY": base64.b64encode(b"w" * 32).decode(),
    }
    told = compose["services"][name]["environment"]
    for setting, value in told.items():
        text = re.sub(r"\$\{(\w+)(?::-([^}]*))?[^}]*\}", lambda found: given.get(found[1], found[2] or "abc"), value)
        if text.startswith("/etc/ipx/keys/"):
            text = str(tmp_path / Path(text).name)
            write_signer(Path(text), generate_signer("Ed25519"))
        monkeypatch.setenv(setting, "" if setting == "IPX_WITNESSED_LOGS" else text)

    settings = read_settings()

    assert told.keys() <= documented
    assert settings.node == told["IPX_NODE"]
    assert name == "witness" or settings.redis_url == "redis://:abc@redis:6379/0"


def test_the_image_has_all_that_a_gateway_may_need_and_nothing_of_its_developers():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = re.search(r"^ARG IPX_EXTRAS=(\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)[1]

    assert extras.split(",") == sorted(project["optional-dependencies"].keys() - {"dev"})


def test_no_secret_stands_in_it(compose):
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if name.endswith(("PASSWORD", "TOKEN", "AUTH")) or name == "IPX_KEY_ENCRYPTION_KEY":
                assert value.startswith("${"), f"{name} has a value of its own"


def test_nodes_have_names_of_their_own_and_nothing_that_they_need_not(compose):
    services = compose["services"]

    assert len({services[name]["environment"]["IPX_NODE"] for name in GATEWAYS}) == len(GATEWAYS)
    for name in GATEWAYS:
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
    opened = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert opened.keys() == {"nginx", "witness"}
    assert all(port.startswith("127.0.0.1:") for port in opened["witness"])
    assert services["witness"]["profiles"] == ["witness"]
    assert all("healthcheck" in services[name] for name in services.keys() - {"gateway-1", "gateway-2", "witness"})
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text("utf-8")  # of all others, as the image has it
    assert all(service["deploy"]["resources"]["limits"] for service in services.values())
    assert compose["networks"]["inner"]["internal"]


def test_nodes_keep_their_addresses_and_commands_run_where_none_is_kept(compose):
    """A fixed address serves one container: beside a node that runs, `compose run` of the same service would fail."""
    kept = {name for name, one in compose["services"].items() if "ipv4_address" in str(one["networks"])}
    commands = [
        service
        for mark, script in guide.blocks().items()
        if mark.startswith(guide.MADE_BY_COMPOSE)
        for service in re.findall(r"docker compose (?:--profile \w+ )?run --rm (?:-e \S+ )?(\S+)", script)
    ]

    assert kept == {"gateway-1", "gateway-2", "nginx"}
    assert "worker" in commands
    assert kept.isdisjoint(commands)


def test_what_containers_say_does_not_fill_the_disk(compose):
    for name, service in compose["services"].items():
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name
    assert "ln -sf /dev/stdout /var/log/nginx/ipx.log" in compose["services"]["nginx"]["command"][-1]


def test_the_nodes_believe_the_proxy_and_nobody_else(compose):
    services = compose["services"]
    proxy = services["nginx"]["networks"]["inner"]["ipv4_address"]
    configuration = (ROOT / "deploy" / "nginx" / "gateway.conf").read_text("utf-8")

    assert {services[name]["environment"]["IPX_TRUSTED_PROXIES"] for name in GATEWAYS} == {proxy}
    assert set(re.findall(r"server (\S+):8080", configuration)) == {"gateway-1", "gateway-2"}
    assert "proxy_set_header Client-Cert $ssl_client_escaped_cert;" in configuration


def test_every_volume_and_network_is_declared(compose):
    for service in compose["services"].values():
        used = {text.split(":")[0] for text in service.get("volumes", []) if not text.startswith(".")}
        assert used <= compose["volumes"].keys()
        assert set(service.get("networks", [])) <= compose["networks"].keys()


def test_nodes_get_the_time_that_they_take_to_end(compose, manifests):
    lasts = 30 + 5  # IPX_EXCHANGE_SECONDS where nothing is said, and what gunicorn_conf adds
    base, objects = manifests
    literals = dict(literal.split("=", 1) for literal in base["configMapGenerator"][0]["literals"])
    pods = [one["spec"]["template"]["spec"] for one in objects if one["kind"] == "Deployment"]

    for name in GATEWAYS:
        service = compose["services"][name]
        assert _seconds(service["stop_grace_period"]) > float(service["environment"]["IPX_DRAIN_SECONDS"]) + lasts
    for pod in pods:
        assert pod["terminationGracePeriodSeconds"] > float(literals["IPX_DRAIN_SECONDS"]) + lasts


def _seconds(text):
    return float(text.removesuffix("s"))


def test_every_process_fits_into_the_connections_of_the_server(compose):
    settings = compose["services"]["worker"]["environment"]
    each = int(settings["IPX_DATABASE_POOL"]) + int(settings["IPX_DATABASE_OVERFLOW"])
    most = re.search(r"max_connections=(\d+)", " ".join(compose["services"]["postgres"]["command"]))

    assert (2 * 2 + 1) * each < int(most[1])


def test_the_pooler_gives_each_transaction_a_connection_and_no_more_than_the_server_has(compose):
    file = ConfigParser(comment_prefixes=(";",))
    file.read(ROOT / "deploy" / "pgbouncer" / "pgbouncer.ini", "utf-8")
    most = re.search(r"max_connections=(\d+)", " ".join(compose["services"]["postgres"]["command"]))

    assert file["pgbouncer"]["pool_mode"] == "transaction"
    assert int(file["pgbouncer"]["default_pool_size"]) < int(most[1]) - 3
    assert file["pgbouncer"]["auth_type"] == "scram-sha-256"


@pytest.mark.parametrize(("name", "word"), [("ipx-gateway", "serve"), ("ipx-worker", "worker")])
def test_units_run_commands_that_there_are_without_rights_and_let_them_end(name, word):
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read(ROOT / "deploy" / "systemd" / f"{name}.service", "utf-8")
    service = unit["Service"]
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")

    assert service["ExecStart"] == f"/opt/ipx/bin/ipx-gateway {word}"
    assert word in main.commands
    assert all(f"| `{named}` |" in page for named in re.findall(r"IPX_[A-Z_]+", service["Environment"]))
    assert (service["KillMode"], service["User"], service["CapabilityBoundingSet"]) == ("mixed", "ipx", "")
    assert int(service["TimeoutStopSec"]) > 10 + 30 + 5  # as in the base: to drain, an exchange, and a rest
    assert int(service["LimitNOFILE"]) >= DESCRIPTORS


@pytest.fixture(scope="module")
def manifests():
    folder = ROOT / "deploy" / "kubernetes"
    base = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    assert {path.name for path in folder.glob("*.yaml")} == {*base["resources"], "kustomization.yaml"}
    return base, [one for name in base["resources"] for one in yaml.safe_load_all((folder / name).read_text("utf-8"))]
