"""The manifests of deploy/kubernetes have the shapes of their kinds, and all that they name is there."""

import base64
import copy
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from gateway.cli import main
from gateway.evidence.signers import write_signer
from gateway.settings import read_settings
from gateway.wiring import own_signers
from ipx.keys import generate_signer
from tests.operation import shapes

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "deploy" / "kubernetes"
GUIDE = ROOT / "docs" / "operators.md"
MADE_BY_THE_OPERATOR = {"ipx-postgres-app": {"uri", "username", "password"}, "ipx-checkpoints-app": {"uri"}}
"""Secrets of CloudNativePG: `<cluster>-app`."""
OVERLAY = re.compile(r"```yaml\n((?:(?!```).)*kind: Kustomization.*?)```", re.DOTALL)


def read(folder):
    described = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    named = [*described["resources"], *(one["path"] for one in described.get("patches", []))]
    assert {path.name for path in folder.glob("*.yaml")} == {*named, "kustomization.yaml"}
    return [one for name in described["resources"] for one in yaml.safe_load_all((folder / name).read_text("utf-8"))]


OBJECTS = [one for folder in (FOLDER, FOLDER / "pooler", FOLDER / "upgrade") for one in read(folder)]
WORKLOADS = {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] in {"Deployment", "StatefulSet", "Job"}}
PODS = {name: one["spec"]["template"]["spec"] for name, one in WORKLOADS.items()}
CLUSTERS = [one["metadata"]["name"] for one in OBJECTS if one["kind"] == "Cluster"]
POOLERS = [one["metadata"]["name"] for one in OBJECTS if one["kind"] == "Pooler"]
LABELS = [
    *(one["spec"]["template"]["metadata"]["labels"] for one in WORKLOADS.values()),
    *({"cnpg.io/cluster": name} for name in CLUSTERS),
    *({"cnpg.io/poolerName": name} for name in POOLERS),
]
MAPS = {
    one["name"]: one for one in yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))["configMapGenerator"]
}
NAMED = [f"{one['kind']}/{one['metadata']['name']}" for one in OBJECTS]


def containers(name):
    return [*PODS[name]["containers"], *PODS[name].get("initContainers", [])]


def matches(selector, labels):
    wanted = selector.get("matchLabels", {})
    expressions = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(one["key"]) in one["values"] for one in expressions
    )


@pytest.mark.parametrize("thing", OBJECTS, ids=NAMED)
def test_each_object_has_the_shape_of_its_kind(thing):
    shapes.check(thing)


def test_a_mistyped_member_is_noticed():
    [gateway] = [one for one in OBJECTS if (one["kind"], one["metadata"]["name"]) == ("Deployment", "ipx-gateway")]
    mistyped = copy.deepcopy(gateway)
    container = mistyped["spec"]["template"]["spec"]["containers"][0]
    container["readynessProbe"] = container.pop("readinessProbe")

    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        shapes.check(mistyped)


@pytest.mark.parametrize("name", PODS)
def test_nothing_runs_with_rights_or_without_limits(name):
    pod = PODS[name]

    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(name):
        rights = container["securityContext"]
        assert (rights["readOnlyRootFilesystem"], rights["allowPrivilegeEscalation"]) == (True, False)
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]


def test_all_that_runs_is_there_once():
    assert len(set(NAMED)) == len(NAMED)
    assert {"ipx-gateway", "ipx-worker", "ipx-redis", "ipx-witness", "ipx-nginx", "ipx-upgrade"} == WORKLOADS.keys()
    assert (CLUSTERS, POOLERS) == (["ipx-postgres", "ipx-checkpoints"], ["ipx-pooler"])
    for name, one in WORKLOADS.items():
        selector, labels = one["spec"].get("selector"), one["spec"]["template"]["metadata"]["labels"]
        assert selector is None or matches(selector, labels), name


def test_selectors_find_pods_and_ports_that_these_have():
    for one in OBJECTS:
        spec = one["spec"]
        if one["kind"] == "Service":
            [name] = [n for n, w in WORKLOADS.items() if matches({"matchLabels": spec["selector"]}, labels_of(w))]
            ports = {port["name"] for c in containers(name) for port in c.get("ports", [])}
            assert {port["targetPort"] for port in spec["ports"]} <= ports
        if one["kind"] == "PodDisruptionBudget":
            [name] = [n for n, w in WORKLOADS.items() if matches(spec["selector"], labels_of(w))]
            assert WORKLOADS[name]["spec"]["replicas"] > spec["minAvailable"]
    services = {one["metadata"]["name"] for one in OBJECTS if one["kind"] == "Service"}
    assert {w["spec"]["serviceName"] for w in WORKLOADS.values() if w["kind"] == "StatefulSet"} <= services


def labels_of(workload):
    return workload["spec"]["template"]["metadata"]["labels"]


def test_every_pod_has_a_network_policy_and_each_policy_names_pods_and_ports_that_there_are():
    policies = [one["spec"] for one in OBJECTS if one["kind"] == "NetworkPolicy"]
    listening = {port["containerPort"] for name in PODS for c in containers(name) for port in c.get("ports", [])}

    for labels in LABELS:
        assert labels.get("app") == "ipx-upgrade" or any(matches(one["podSelector"], labels) for one in policies)
    for one in policies:
        assert any(matches(one["podSelector"], labels) for labels in LABELS)
        for rule in [*one.get("ingress", []), *one.get("egress", [])]:
            for peer in [*rule.get("from", []), *rule.get("to", [])]:
                assert "podSelector" not in peer or any(matches(peer["podSelector"], labels) for labels in LABELS)
            assert {port["port"] for port in rule["ports"]} <= listening | {5432, 8000, 9127, 53}


def test_probes_ask_addresses_that_there_are_and_everything_that_stays_is_probed(one_gateway):
    routes = {rule.rule for rule in one_gateway.app.url_map.iter_rules()}
    for name, pod in PODS.items():
        for container in pod["containers"]:
            probes = [container.get(f"{kind}Probe") for kind in ("startup", "liveness", "readiness")]
            assert WORKLOADS[name]["kind"] == "Job" or all(probes), name
            ports = {port["name"] for port in container.get("ports", [])}
            for probe in filter(None, probes):
                asked = probe.get("httpGet") or probe.get("tcpSocket") or {}
                assert asked.get("port") in {*ports, None}
                assert asked.get("path") in {*routes, None}


def test_commands_are_those_of_the_program():
    told = [c["args"] for name in PODS for c in containers(name) if c["image"] == "ipx-gateway" and "args" in c]
    for words in told:
        command = main
        for place, word in enumerate(words):
            if not hasattr(command, "commands"):
                assert command.make_context(word, list(words[place:]))
                break
            command = command.commands[word]
    assert ["serve"] in told


def told_of():
    """The Secrets that the guide has made, with their keys."""
    return {
        name: set(re.findall(r"`([a-z.-]+)`", keys))
        for name, keys in re.findall(r"^\| `(ipx[a-z-]*)` \| (.+?) \|", GUIDE.read_text("utf-8"), re.MULTILINE)
    }


def test_every_secret_and_configuration_that_is_named_is_told_of_with_its_keys():
    told = told_of()
    for name, pod in PODS.items():
        for volume in pod.get("volumes", []):
            if "secret" in volume:
                assert volume["secret"]["secretName"] in told
            if "configMap" in volume:
                assert volume["configMap"]["name"] in MAPS
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in WORKLOADS[name]["spec"].get("volumeClaimTemplates", [])}
        for container in containers(name):
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
            assert {one["configMapRef"]["name"] for one in container.get("envFrom", [])} <= MAPS.keys()
            before = set()
            for variable in container.get("env", []):
                key = variable.get("valueFrom", {}).get("secretKeyRef")
                assert key is None or key["key"] in {**told, **MADE_BY_THE_OPERATOR}[key["name"]], variable
                assert set(re.findall(r"\$\((\w+)\)", variable.get("value", ""))) <= before
                before.add(variable["name"])


@pytest.mark.parametrize("name", ["ipx-gateway", "ipx-worker", "ipx-witness", "ipx-upgrade"])
def test_what_a_pod_is_told_is_read_by_the_program(name, monkeypatch, tmp_path):
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    secrets = {
        "key-encryption-key": base64.b64encode(b"k" * 32).decode(),
        "metrics-token": "t" * 32,
        "redis-password": "abc",
        "uri": "postgresql://ipx:abc@ipx-postgres-rw:5432/ipx",
        "witnessed-logs": "",
    }
    [container] = PODS[name]["containers"]
    told = dict(one.split("=", 1) for one in MAPS[container["envFrom"][0]["configMapRef"]["name"]]["literals"])
    for variable in container["env"]:
        given = variable.get("valueFrom", {})
        value = secrets[given["secretKeyRef"]["key"]] if "secretKeyRef" in given else variable.get("value", "a-pod")
        told[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda found: told[found[1]], value)
    kept = {
        file
        for volume in PODS[name]["volumes"]
        if "secret" in volume
        for file in told_of()[volume["secret"]["secretName"]]
    }
    for setting, value in told.items():
        place = tmp_path / Path(value).name
        if value.startswith("/run/ipx/"):
            assert Path(value).name in kept
            write_signer(place, generate_signer("Ed25519"))
        assert setting == "REDIS_PASSWORD" or f"| `{setting}` |" in page
        monkeypatch.setenv(setting, str(place) if value.startswith("/run/ipx/") else value)

    settings = read_settings()

    assert {"/run/ipx", "/tmp"} <= {mount["mountPath"] for mount in container["volumeMounts"]}
    assert own_signers(settings).log
    assert name == "ipx-witness" or settings.database_url == secrets["uri"]


def test_the_proxy_does_what_the_one_outside_does():
    """Its file is the other one, with the Service for its nodes, and its log where containers have it."""
    outside = (ROOT / "deploy" / "nginx" / "gateway.conf").read_text("utf-8")
    nodes = outside[outside.index("    # `resolve`") : outside.index("    keepalive 64;")]
    service = "    server ipx-gateway:8080;  # the Service, whose address stays; it knows which nodes are ready\n"
    made = outside.replace(nodes, service).replace("/var/log/nginx/ipx.log", "/dev/stdout")

    assert (FOLDER / "gateway.conf").read_text("utf-8") == made
    mounts = {mount["mountPath"] for mount in PODS["ipx-nginx"]["containers"][0]["volumeMounts"]}
    assert "/etc/nginx/tls" in mounts
    assert set(re.findall(r"/etc/nginx/tls/(\S+);", made)) <= set(re.findall(r"`([a-z.-]+)`", GUIDE.read_text("utf-8")))


def test_nodes_believe_the_proxy_and_only_the_proxy_reaches_them():
    told = dict(one.split("=", 1) for one in MAPS["ipx"]["literals"])
    [policy] = [
        one["spec"] for one in OBJECTS if (one["kind"], one["metadata"]["name"]) == ("NetworkPolicy", "ipx-gateway")
    ]

    assert told["IPX_CLIENT_CERTIFICATE_HEADER"] == "Client-Cert"
    assert told["IPX_TRUSTED_PROXIES"]
    assert policy["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {"app": "ipx-nginx"}}}]
    assert len(policy["ingress"]) == 2


def test_kustomize_builds_the_overlay_of_the_guide(tmp_path):
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl on this machine")
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    (tmp_path / "overlay").mkdir()
    overlay = OVERLAY.search(GUIDE.read_text("utf-8"))[1].replace("../deploy/kubernetes", "../kubernetes")
    (tmp_path / "overlay" / "kustomization.yaml").write_text(overlay)
    command = ["kubectl", "kustomize", str(tmp_path / "overlay")]
    built = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})
    assert built.returncode == 0, built.stderr
    made = list(yaml.safe_load_all(built.stdout))

    assert len(made) == len(OBJECTS) + len(MAPS)
    for one in made:
        shapes.check(one)
    [gateway] = [one for one in made if (one["kind"], one["metadata"]["name"]) == ("Deployment", "ipx-gateway")]
    [container] = gateway["spec"]["template"]["spec"]["containers"]
    names = [variable["name"] for variable in container["env"]]
    assert names[:3] == ["DATABASE_USER", "DATABASE_PASSWORD", "IPX_DATABASE_URL"]
    assert len(set(names)) == len(names)
    assert container["image"] == "registry.example/ipx-gateway:0.1.0"
    [settings] = [
        one
        for one in made
        if one["kind"] == "ConfigMap" and "IPX_LOG_KEY" in one["data"] and "IPX_DATABASE_POOL" in one["data"]
    ]
    assert settings["data"]["IPX_DATABASE_PREPARED"] == "false"
    assert settings["data"]["IPX_TRUSTED_PROXIES"] == "10.244.0.0/16"
    assert container["envFrom"][0]["configMapRef"]["name"] == settings["metadata"]["name"]
