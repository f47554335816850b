"""The administrator's console: its addresses below `/admin` and their places in the navigation."""

from flask import Blueprint, Flask
from flask_babel import lazy_gettext as _

from gateway.admin import (
    agencies,
    clients,
    home,
    keys,
    quarantine,
    quotas,
    recalls,
    settings_page,
    sources,
    tokens,
    waiting,
)
from gateway.web import labels, navigation
from gateway.web.navigation import Section

KEEPERS = frozenset({"administrator", "operator"})
FIELDS = {
    "code": _("Code"),
    "name": _("Name"),
    "kind": _("Kind"),
    "jurisdictions": _("Jurisdictions"),
    "scopes": _("Rights"),
    "purposes": _("Purposes"),
    "system": _("System"),
    "jwk": _("Public key"),
    "days": _("Days"),
    "per_minute": _("Exchanges a minute"),
    "per_day": _("Exchanges a day"),
    "query_records": _("Records in the answer to one query"),
    "reason": _("Reason"),
    "text": _("Text"),
}
"""What the forms of this console call their fields, for the list of what is wrong."""


def install(app: Flask) -> None:
    """Give an application the console's own pages; other slices add theirs."""
    app.register_blueprint(blueprint())
    navigation.add(
        app,
        "admin",
        (
            Section("admin.home", _("Start")),
            Section("admin.agencies", _("Agencies"), KEEPERS, "/admin/agencies", also=("/admin/clients",)),
            Section("admin.keys", _("Keys"), KEEPERS, "/admin/keys"),
            Section("admin.sources", _("Sources"), KEEPERS, "/admin/sources"),
            Section("admin.recalls", _("Recalls"), recalls.SEERS),
        ),
    )
    labels.register("field", FIELDS)
    for provider in (
        home.waiting_approvals,
        recalls.waiting_recalls,
        keys.waiting_keys,
        sources.waiting_sources,
        quarantine.waiting_records,
    ):
        waiting.add(app, provider)


def install_tools(app: Flask) -> None:
    """Add what is used least, behind the sections of all other slices."""
    navigation.add(
        app,
        "admin",
        (
            Section("admin.token_debugger", _("Token debugger"), KEEPERS, is_national=True),
            Section("admin.settings", _("Settings"), KEEPERS, "/admin/settings", is_national=True),
        ),
    )


def blueprint() -> Blueprint:
    pages = Blueprint("admin", __name__, url_prefix="/admin", template_folder="templates")
    for part in (home, agencies, clients, quotas, keys, sources, quarantine, recalls, tokens, settings_page):
        part.add_routes(pages)
    return pages
