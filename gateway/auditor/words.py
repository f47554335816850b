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
    "person": _("Person"),
    "policy_version": _("Version of policies"),
    "since": _("From"),
    "until": _("To"),
    "actor": _("Who"),
    "act": _("Act"),
    "subject": _("On what"),
    "kind": _("Kind"),
    "status": _("Status"),
    "assignee": _("Given to"),
    "note": _("Note"),
    "identifier": _("Number of the person"),
    "old": _("Earlier size"),
    "new": _("Later size"),
    "first": _("First entry"),
    "last": _("Last entry"),
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
        "audit.subject": _("listed who read records about a person"),
        "exchange.sealed": _("sealed an exchange"),
        "flag.raised": _("raised a flag"),
        "flag.marked": _("marked a flag"),
    },
    "effect": {"permit": _("permits"), "forbid": _("forbids")},
    "flag": {
        "volume": _("Unusual volume"),
        "hours": _("Unusual hours"),
        "new_pair": _("New pair of agencies"),
        "probing": _("Probing for absent or sealed records"),
        "purpose": _("Purpose that does not fit"),
        "bulk": _("Bulk by one person"),
    },
    "flag_reason": {
        "volume": _("%(count)s requests on this day; usual for this agency are %(usual)s a day."),
        "hours": _("%(count)s requests at hours when this system asked nothing in the %(days)s days before."),
        "new_pair": _("The first requests of this agency to this holder: %(count)s on this day."),
        "probing": _("%(silent)s of %(count)s requests were for records that are not there or are sealed."),
        "purpose": _("%(count)s requests for a purpose that does not fit this kind of agency."),
        "bulk": _(
            "One person asked for %(count)s different records on this day; "
            "usual for a person of this agency are %(usual)s."
        ),
    },
    "flag_status": {
        "open": _("open"),
        "looked_into": _("being looked into"),
        "closed": _("closed"),
        "false_alarm": _("false alarm"),
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
        "assignee": _("an auditor who sees this flag"),
        "too_large": _("beyond the newest signed head"),
    },
}
