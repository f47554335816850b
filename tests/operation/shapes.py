"""The shapes of the Kubernetes objects that deploy/ has: which members there are, as the API's reference lists them.

A client without a cluster checks none of this, and a mistyped member is dropped without a word. Only what deploy/ uses
is listed: a new member is looked up in the reference and entered.
"""

from typing import Any

STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
TEXT, NUMBER, YES = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
TEXTS = {"type": "array", "items": TEXT}


def members(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object with these members and no others."""
    names = required.split()
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": names}


def each(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


METADATA = members("name", name=NAME, namespace=NAME, labels=STRINGS, annotations=STRINGS)
SELECTOR = members(
    matchLabels=STRINGS,
    matchExpressions=each(
        members("key operator", key=TEXT, operator={"enum": ["In", "NotIn", "Exists", "DoesNotExist"]}, values=TEXTS)
    ),
)
QUANTITIES = {"type": "object", "additionalProperties": {"type": "string", "pattern": r"^[0-9.]+(m|Ki|Mi|Gi)?$"}}
RESOURCES = members("limits", requests=QUANTITIES, limits=QUANTITIES)
PORT = {"type": ["string", "integer"]}
KEY = members("name key", name=NAME, key=TEXT)
ENV = each(
    {
        "oneOf": [
            members("name value", name=TEXT, value=TEXT),
            members(
                "name valueFrom",
                name=TEXT,
                valueFrom=members(secretKeyRef=KEY, fieldRef=members("fieldPath", fieldPath=TEXT)),
            ),
        ]
    }
)
EXEC = members("command", command=TEXTS)
PROBE = members(
    exec=EXEC,
    httpGet=members("path port", path=TEXT, port=PORT),
    tcpSocket=members("port", port=PORT),
    periodSeconds=NUMBER,
    timeoutSeconds=NUMBER,
    failureThreshold=NUMBER,
)
CONTAINER = members(
    "name image securityContext resources",
    name=NAME,
    image=TEXT,
    command=TEXTS,
    args=TEXTS,
    env=ENV,
    envFrom=each(members("configMapRef", configMapRef=members("name", name=NAME))),
    ports=each(members("name containerPort", name=NAME, containerPort=NUMBER)),
    securityContext=members(
        "readOnlyRootFilesystem allowPrivilegeEscalation capabilities",
        readOnlyRootFilesystem={"const": True},
        allowPrivilegeEscalation={"const": False},
        capabilities=members("drop", drop={"const": ["ALL"]}),
    ),
    resources=RESOURCES,
    volumeMounts=each(members("name mountPath", name=NAME, mountPath=TEXT, subPath=TEXT, readOnly=YES)),
    startupProbe=PROBE,
    livenessProbe=PROBE,
    readinessProbe=PROBE,
    lifecycle=members(preStop=members("exec", exec=EXEC)),
)
VOLUME = members(
    "name",
    name=NAME,
    secret=members("secretName", secretName=NAME, defaultMode=NUMBER),
    configMap=members("name", name=NAME),
    emptyDir=members(medium={"const": "Memory"}, sizeLimit=QUANTITIES["additionalProperties"]),
)
POD = members(
    "metadata spec",
    metadata=members("labels", labels=STRINGS),
    spec=members(
        "containers automountServiceAccountToken securityContext",
        containers=each(CONTAINER),
        initContainers=each(CONTAINER),
        volumes=each(VOLUME),
        automountServiceAccountToken={"const": False},
        terminationGracePeriodSeconds=NUMBER,
        restartPolicy={"enum": ["Never", "OnFailure"]},
        securityContext=members(
            "runAsNonRoot runAsUser seccompProfile",
            runAsNonRoot={"const": True},
            runAsUser=NUMBER,
            fsGroup=NUMBER,
            seccompProfile=members("type", type={"const": "RuntimeDefault"}),
            sysctls=each(members("name value", name=TEXT, value=TEXT)),
        ),
    ),
)
CLAIM = members("accessModes resources", accessModes=TEXTS, resources=members("requests", requests=QUANTITIES))
PEER = members(namespaceSelector=SELECTOR, podSelector=SELECTOR)
NETWORK_PORTS = each(members("port", port=PORT, protocol={"enum": ["TCP", "UDP"]}))
ROLLING = members(
    "rollingUpdate", rollingUpdate=members("maxUnavailable maxSurge", maxUnavailable=NUMBER, maxSurge=NUMBER)
)
SPECS = {
    ("apps/v1", "Deployment"): members(
        "selector template strategy replicas", replicas=NUMBER, selector=SELECTOR, strategy=ROLLING, template=POD
    ),
    ("apps/v1", "StatefulSet"): members(
        "serviceName selector template",
        serviceName=NAME,
        replicas=NUMBER,
        selector=SELECTOR,
        template=POD,
        volumeClaimTemplates=each(members("metadata spec", metadata=METADATA, spec=CLAIM)),
    ),
    ("batch/v1", "Job"): members(
        "template", backoffLimit=NUMBER, activeDeadlineSeconds=NUMBER, ttlSecondsAfterFinished=NUMBER, template=POD
    ),
    ("v1", "Service"): members(
        "selector ports",
        type={"enum": ["LoadBalancer"]},
        externalTrafficPolicy={"enum": ["Local"]},
        selector=STRINGS,
        ports=each(members("name port targetPort", name=NAME, port=NUMBER, targetPort=PORT)),
    ),
    ("policy/v1", "PodDisruptionBudget"): members("minAvailable selector", minAvailable=NUMBER, selector=SELECTOR),
    ("networking.k8s.io/v1", "NetworkPolicy"): members(
        "podSelector policyTypes",
        podSelector=SELECTOR,
        policyTypes=each({"enum": ["Ingress", "Egress"]}),
        ingress=each(members(**{"from": each(PEER), "ports": NETWORK_PORTS})),
        egress=each(members("to", to=each(PEER), ports=NETWORK_PORTS)),
    ),
    ("postgresql.cnpg.io/v1", "Cluster"): members(
        "instances storage resources bootstrap",
        instances=NUMBER,
        bootstrap=members("initdb", initdb=members("database owner", database=TEXT, owner=TEXT)),
        postgresql=members("parameters", parameters=STRINGS),
        storage=members("size", size=TEXT),
        resources=RESOURCES,
    ),
    ("postgresql.cnpg.io/v1", "Pooler"): members(
        "cluster instances type pgbouncer template",
        cluster=members("name", name=NAME),
        instances=NUMBER,
        type={"enum": ["rw", "ro"]},
        pgbouncer=members("poolMode", poolMode={"enum": ["transaction", "session"]}, parameters=STRINGS),
        template=members(
            "spec",
            metadata=members("labels", labels=STRINGS),
            spec=members("containers", containers=each(members("name resources", name=NAME, resources=RESOURCES))),
        ),
    ),
}


def schema_of(thing: dict[str, Any]) -> dict[str, Any]:
    """The shape that an object of this kind must have.

    Raises:
        KeyError: there is no such kind in this version of its API.
    """
    version, kind = thing["apiVersion"], thing["kind"]
    spec = SPECS[version, kind]
    return members("metadata spec", apiVersion={"const": version}, kind={"const": kind}, metadata=METADATA, spec=spec)
