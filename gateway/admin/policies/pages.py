"""The pages about policies and approvals: their addresses below `/admin`."""

from flask import Blueprint, Flask
from flask_babel import lazy_gettext as _

from gateway.admin import waiting
from gateway.admin.policies import activating, approving, drafting, editing, emergency, looking, reading, reviewing
from gateway.admin.policies.start_page import waiting_changes, waiting_emergencies
from gateway.web import navigation
from gateway.web.navigation import Section

WORK_ON_POLICIES = frozenset({"policy_editor", "policy_approver"})
EVERYBODY_WITH_POLICIES = frozenset({"policy_editor", "policy_approver", "administrator", "release_officer"})


def install(app: Flask) -> None:
    """Give an application these pages and their places in the navigation."""
    app.register_blueprint(blueprint())
    for provider in (waiting_changes, waiting_emergencies):
        waiting.add(app, provider)
    navigation.add(
        app,
        "admin",
        (
            Section("policy_pages.policies", _("Policies"), EVERYBODY_WITH_POLICIES, "/admin/policies"),
            Section("policy_pages.changes", _("Changes"), WORK_ON_POLICIES, "/admin/changes"),
            Section("policy_pages.matrix", _("Rights matrix"), EVERYBODY_WITH_POLICIES),
            Section("policy_pages.approvals", _("Approvals"), frozenset({"release_officer"}), "/admin/approvals"),
        ),
    )


def blueprint() -> Blueprint:
    pages = Blueprint("policy_pages", __name__, url_prefix="/admin", template_folder="templates")
    for part in (reading, looking, drafting, editing, reviewing, activating, emergency, approving):
        part.routes(pages)
    return pages
