"""What the Kubernetes objects of deploy/ may hold: the API's own schemas, and ours for kinds of CloudNativePG.

A client without a cluster checks none of this, and a mistyped member is dropped without a word.
"""

from typing import Any

import jsonschema
import kubernetes_validate

VERSIONS = ("1.25", "1.37")
"""Of Kubernetes: the oldest and the newest whose schemas are here."""

STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def members(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object with these members and no others."""
    names = required.split()
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": names}


def each(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


QUANTITIES = {"type": "object", "additionalProperties": {"type": "string", "pattern": r"^[0-9.]+(m|Ki|Mi|Gi)?$"}}
RESOURCES = members("limits", requests=QUANTITIES, limits=QUANTITIES)
CLOUDNATIVEPG = {
    "Cluster": members(
        "instances storage resources bootstrap",
        instances=NUMBER,
        bootstrap=members("initdb", initdb=members("database owner", database=TEXT, owner=TEXT)),
        postgresql=members("parameters", parameters=STRINGS),
        storage=members("size", size=TEXT),
        resources=RESOURCES,
    ),
    "Pooler": members(
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
"""Specifications of the members that deploy/ uses, from the operator's reference of `postgresql.cnpg.io/v1`."""


def check(thing: dict[str, Any]) -> None:
    """Check one object as a server would.

    Raises:
        kubernetes_validate.ValidationError, jsonschema.ValidationError: a member is wrong, missing or unknown.
        kubernetes_validate.SchemaNotFoundError: a version of Kubernetes has no such kind.
    """
    if thing["apiVersion"] == "postgresql.cnpg.io/v1":
        shape = members(
            "metadata spec",
            apiVersion=TEXT,
            kind=TEXT,
            metadata=members("name", name=NAME, namespace=NAME, labels=STRINGS, annotations=STRINGS),
            spec=CLOUDNATIVEPG[thing["kind"]],
        )
        jsonschema.Draft202012Validator(shape).validate(thing)
        return
    for version in VERSIONS:
        kubernetes_validate.validate(thing, version, strict=True)
