"""`/v1/audit/log`: the log's standing, and what of it is proved anew."""

from dataclasses import asdict

import svcs
from flask import Blueprint, Response

from gateway.auditor.calls import answer, asked_scope, given_parameters
from gateway.auditor.log_checks import LogChecks


def add_to(audit: Blueprint) -> None:
    audit.add_url_rule("/log", view_func=log)
    audit.add_url_rule("/log/consistency", view_func=consistency)
    audit.add_url_rule("/log/entries", view_func=entries)


def log() -> Response:
    """Show the log: size, newest heads, witnesses, time-stamps, gaps and alarms."""
    asked_scope()
    given_parameters()
    checks = svcs.flask.get(LogChecks)
    return answer({"origin": checks.origin, **checks.look().document()})


def consistency() -> Response:
    """Prove that the log of `old` entries is the beginning of that of `new`."""
    asked_scope()
    return answer(asdict(svcs.flask.get(LogChecks).compare(given_parameters("old", "new", "shard"))))


def entries() -> Response:
    """Hash the entries from `first` to `last` anew, and prove each to be under the newest signed head."""
    asked_scope()
    return answer(asdict(svcs.flask.get(LogChecks).verify(given_parameters("first", "last", "shard"))))
