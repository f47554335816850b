"""What the auditor's pages call fields, outcomes, steps and looks."""

from typing import Any, Final

from flask_babel import lazy_gettext as _

FIELDS: Final = {
    "requester": _("Asked by"),
    "holder": _("Asked of"),
    "client": _("System"),
    "record_type": _("Record type"),
    "record": _("Record"),
    "right": _("Right"),
    "purpose": _("Purpose"),
    "legal_basis": _("Legal basis"),
    "case": _("Case"),
    "outcome": _("Outcome"),
    "reason": _("Reason"),
    "withheld": _("Withheld"),
    "book": _("Policies"),
    "since": _("From"),
    "until": _("To"),
    "actor": _("Who"),
    "act": _("Act"),
    "subject": _("On what"),
    "old": _("Earlier size"),
    "new": _("Later size"),
}

WORDS: Final[dict[str, dict[str, Any]]] = {
    "outcome": {
        "released": _("released"),
        "denied": _("denied"),
        "pending": _("pending"),
        "failed": _("failed"),
        "withdrawn": _("withdrawn"),
    },
    "stage": {
        "auth": _("Caller authenticated"),
        "policy": _("Decided by policies"),
        "holder": _("Fetched from the holder"),
        "verify": _("Signature checked or sealed"),
        "sign": _("Redacted, receipt signed"),
        "log": _("Logged"),
    },
    "related": {"record": _("same record"), "right": _("same right"), "case": _("same case")},
    "act": {
        "audit.opened": _("opened the exchange"),
        "audit.bundle": _("took the evidence out"),
        "audit.searched": _("searched"),
        "audit.exported": _("took a list as a file"),
    },
    "confirmation": {
        "none": _("by nobody: no witness and no time-stamp authority is set up"),
        "current": _("up to now"),
        "unwitnessed": _("witnesses are behind"),
        "late": _("late"),
        "overdue": _("overdue: no new exchanges are taken"),
        "contradicted": _("contradicted by a witness"),
    },
    "fault": {
        "span": _("at most 400 days"),
        "no_checkpoint": _("no head of this size was signed"),
    },
}
