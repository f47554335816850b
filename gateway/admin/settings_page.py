"""What this gateway is set to, without its secrets, and a file of it for whoever helps from afar."""

import json
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import svcs
from flask import Blueprint, Response, render_template
from sqlalchemy import make_url

from gateway.admin.reach import KEEPERS, require_national
from gateway.clock import utc_now
from gateway.evidence.state import EvidenceState
from gateway.governance.books import PolicyBooks
from gateway.health import parts
from gateway.intake.following import Following
from gateway.people.access import needs
from gateway.settings import Settings

SECRET: Final = re.compile(r"key_encryption_key|secret|password|token")
DATABASES: Final = ("database_url", "checkpoint_database_url", "redis_url")
PACKAGES: Final = ("flask", "sqlalchemy", "cryptography", "cedarpy", "authlib", "joserfc", "gunicorn")


def add_routes(pages: Blueprint) -> None:
    pages.add_url_rule("/settings", "settings", settings)
    pages.add_url_rule("/settings/diagnostics.json", "diagnostics", diagnostics)


@needs(*KEEPERS)
def settings() -> str:
    require_national()
    return render_template("admin/settings.html", settings=sorted(_told().items()), found=_state())


@needs(*KEEPERS)
def diagnostics() -> Response:
    """Give state and settings as one file: no secret, no key, no record, no name of a person."""
    require_national()
    body = json.dumps({"at": utc_now().isoformat(timespec="seconds"), **_state(), "settings": _told()}, indent=1)
    response = Response(body, content_type="application/json")
    response.headers["Content-Disposition"] = "attachment; filename=ipx-diagnostics.json"
    return response


def _state() -> dict[str, Any]:
    return {
        "version": version("ipx-gateway"),
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
        "parts": dict(parts()),
        "evidence": dict(svcs.flask.get(EvidenceState).now().detail()),
        "policy": svcs.flask.get(PolicyBooks).current().activation,
        "sources": {one.source: one.state for one in svcs.flask.get(Following).status()},
    }


def _told() -> dict[str, Any]:
    return _members(svcs.flask.get(Settings))


def _members(settings: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value) and type(value).__name__.endswith("Settings"):
            found |= {f"{field.name}.{name}": inner for name, inner in _members(value).items()}
        else:
            found[field.name] = _shown(field.name, value)
    return found


def _shown(name: str, value: Any) -> Any:
    """Write a setting down; of a secret, whether there is one; of an address with a password, all but that."""
    if name == "secrets":
        return sorted(value)
    if SECRET.search(name):
        return value is not None
    if name in DATABASES:
        return None if value is None else make_url(value).render_as_string(hide_password=True)
    return _plain(value)


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Path() | timedelta():
            return str(value)
        case Mapping():
            return {str(key): str(one) for key, one in value.items()}
        case tuple() | list():
            return [str(one) for one in value]
        case _:
            return type(value).__name__
