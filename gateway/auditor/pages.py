"""The auditor's console: its addresses below `/audit`. The filter of a list is its address, as in the API."""

from flask import Blueprint, Flask, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from gateway.auditor import (
    decision_pages,
    exchange_pages,
    figure_pages,
    flag_pages,
    list_pages,
    recall_pages,
    saved_pages,
    subject_pages,
)
from gateway.auditor.addresses import ROLE
from gateway.auditor.words import FIELDS, WORDS
from gateway.people.access import needs
from gateway.web import labels, navigation
from gateway.web.navigation import Section


def install(app: Flask) -> None:
    """Give an application the auditor's pages."""
    app.register_blueprint(blueprint())
    navigation.add(
        app,
        "audit",
        (
            Section("audit_pages.exchanges", _("Exchanges"), prefix="/audit/exchanges"),
            Section("audit_pages.decisions", _("Decisions")),
            Section("audit_pages.acts", _("Acts")),
            Section("audit_pages.sign_ins", _("Sign-ins")),
            Section("audit_pages.recalls", _("Recalls"), prefix="/audit/recalls"),
            Section("audit_pages.flags", _("Flags"), prefix="/audit/flags"),
            Section("audit_pages.subjects", _("Persons")),
            Section("audit_pages.reports", _("Reports")),
            Section("audit_pages.log", _("Log")),
        ),
    )
    labels.register("field", FIELDS)
    for kind, words in WORDS.items():
        labels.register(kind, words)


def blueprint() -> Blueprint:
    pages = Blueprint("audit_pages", __name__, url_prefix="/audit", template_folder="templates")
    pages.add_url_rule("/", "home", home)
    pages.add_url_rule("/exchanges", "exchanges", list_pages.exchanges)
    pages.add_url_rule("/exchanges/file", "exchanges_file", list_pages.exchanges_file)
    pages.add_url_rule("/exchanges/<exchange_id>", "exchange", exchange_pages.exchange)
    pages.add_url_rule("/exchanges/<exchange_id>/evidence", "evidence", exchange_pages.evidence)
    pages.add_url_rule("/decisions", "decisions", decision_pages.decisions)
    pages.add_url_rule("/decisions/file", "decisions_file", decision_pages.decisions_file)
    pages.add_url_rule("/sign-ins", "sign_ins", decision_pages.sign_ins)
    pages.add_url_rule("/sign-ins/file", "sign_ins_file", decision_pages.sign_ins_file)
    pages.add_url_rule("/acts", "acts", list_pages.acts)
    pages.add_url_rule("/acts/file", "acts_file", list_pages.acts_file)
    pages.add_url_rule("/recalls", "recalls", recall_pages.recalls)
    pages.add_url_rule("/recalls/file", "recalls_file", recall_pages.recalls_file)
    pages.add_url_rule("/recalls/<recall_id>", "recall", recall_pages.recall)
    pages.add_url_rule("/flags", "flags", flag_pages.flags)
    pages.add_url_rule("/flags/<flag_id>", "flag", flag_pages.flag)
    pages.add_url_rule("/flags/<flag_id>", "mark_flag", flag_pages.mark_flag, methods=["POST"])
    pages.add_url_rule("/subjects", "subjects", subject_pages.subjects)
    pages.add_url_rule("/subjects", "subject_list", subject_pages.subject_list, methods=["POST"])
    pages.add_url_rule("/reports", "reports", figure_pages.reports)
    pages.add_url_rule("/log", "log", figure_pages.log)
    pages.add_url_rule("/searches", "save_search", saved_pages.save_search, methods=["POST"])
    pages.add_url_rule("/searches/<saved_id>", "saved_search", saved_pages.saved_search)
    pages.add_url_rule("/searches/<saved_id>/delete", "delete_search", saved_pages.delete_search, methods=["POST"])
    return pages


@needs(ROLE)
def home() -> ResponseReturnValue:
    return redirect(url_for("audit_pages.exchanges"))
