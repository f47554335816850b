"""What deploy/ says fits to what the program reads; container engines themselves do not run here."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = ROOT / "deploy" / "compose.yaml"
GATEWAYS = ("gateway-1", "gateway-2", "worker")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(COMPOSE.read_text("utf-8"))


def test_every_setting_that_it_names_exists(compose):
    documented = set(
        re.findall(r"^\| `(IPX_[A-Z0-9_]+)`", (ROOT / "docs" / "settings.md").read_text("utf-8"), re.MULTILINE)
    )
    named = {name for service in GATEWAYS for name in compose["services"][service]["environment"]}

    assert named <= documented
    assert {"IPX_ORIGIN", "IPX_KEY_ENCRYPTION_KEY", "IPX_RECEIPT_KEY", "IPX_LOG_KEY"} <= named


def test_no_secret_stands_in_it(compose):
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if name.endswith("PASSWORD") or name == "IPX_KEY_ENCRYPTION_KEY":
                assert value.startswith("${"), f"{name} has a value of its own"


def test_nodes_have_names_of_their_own_and_nothing_that_they_need_not(compose):
    services = compose["services"]

    assert len({services[name]["environment"]["IPX_NODE"] for name in GATEWAYS}) == len(GATEWAYS)
    for name in GATEWAYS:
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]
    assert all(service["deploy"]["resources"]["limits"] for service in services.values())
    assert compose["networks"]["inner"]["internal"]


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


@pytest.fixture(scope="module")
def manifests():
    folder = ROOT / "deploy" / "kubernetes"
    base = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    assert {path.name for path in folder.glob("*.yaml")} == {*base["resources"], "kustomization.yaml"}
    return base, [one for name in base["resources"] for one in yaml.safe_load_all((folder / name).read_text("utf-8"))]


def test_workloads_are_closed_limited_and_told_settings_that_exist(manifests):
    base, objects = manifests
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    named = {literal.partition("=")[0] for literal in base["configMapGenerator"][0]["literals"]}
    for one in objects:
        if one["kind"] not in {"Deployment", "StatefulSet"}:
            continue
        pod = one["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["resources"]["limits"]
            named |= {variable["name"] for variable in container.get("env", [])}
            assert all("valueFrom" in variable for variable in container.get("env", []))
            volumes = {volume["name"] for volume in pod.get("volumes", [])} | {"data"}
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes

    assert all(f"| `{name}` |" in page for name in named)
    assert {"PodDisruptionBudget", "NetworkPolicy", "Cluster", "Service"} <= {one["kind"] for one in objects}
