"""Words for codes: what a person reads where the system has a name. Unknown codes are shown as they are.

Words of records and policies (types, groups, purposes) stand with the policy cards, so that a card and a page call a
thing the same; words of the consoles are translated here.
"""

from collections.abc import Mapping
from typing import Any, Final

from flask_babel import lazy_gettext as _

from gateway.web.language import language
from policies.cards import labels

_CARD_PREFIXES: Final = {
    "purpose": ("value", "Purpose."),
    "agency_kind": ("value", "AgencyKind."),
    "group": ("action", ""),
    "record_type": ("type", ""),
}

_WORDS: Final[dict[str, dict[str, Any]]] = {
    "scope": {
        "exchange:request": _("ask for records"),
        "approvals:decide": _("decide on approvals"),
        "records:recall": _("call back records"),
        "records:push": _("hand over signed records"),
        "client.keys": _("look after its own keys"),
        "introspect": _("examine tokens of others"),
        "audit:read": _("audit the exchanges of its own agency"),
        "audit:national": _("audit the exchanges of all agencies"),
    },
    "state": {
        "active": _("active"),
        "suspended": _("suspended"),
        "revoked": _("revoked"),
        "expired": _("expired"),
        "next": _("next"),
    },
    "health": {
        "ok": _("works"),
        "down": _("down"),
        "stale": _("behind"),
        "degraded": _("works, but not well"),
        "suspended": _("suspended"),
        "unknown": _("not known yet"),
    },
    "part": {
        "database": _("database"),
        "log": _("evidence log"),
        "witnesses": _("witnesses do not contradict it"),
        "receipt key": _("receipt key"),
        "policy": _("policy in force"),
    },
    "confirmation": {
        "none": _("nobody is asked"),
        "current": _("up to date"),
        "unwitnessed": _("not witnessed yet"),
        "late": _("late"),
        "overdue": _("overdue: no new exchange is taken"),
        "contradicted": _("contradicted by a witness"),
    },
    "quarantine_end": {
        "waits": _("waits"),
        "mapped": _("can be served now"),
        "absent": _("is no more"),
        "replaced": _("fails otherwise now"),
    },
    "check": {
        "structure": _("form"),
        "claims": _("claims"),
        "key": _("key"),
        "signature": _("signature"),
        "state": _("state"),
        "time": _("time"),
        "replay": _("first use"),
        "scope": _("scopes"),
        "proof": _("proof"),
    },
    "result": {"pass": _("passes"), "fail": _("fails"), "skipped": _("skipped")},
    "quarantine": {
        "not_parseable": _("cannot be read"),
        "wrong_encoding": _("wrong encoding"),
        "too_large": _("too large"),
        "too_deep": _("nested too deeply"),
        "forbidden_xml": _("XML that is not taken"),
        "unknown_schema": _("unknown schema"),
        "wrong_namespace": _("wrong namespace"),
        "wrong_type": _("not of the type"),
        "missing_required": _("a required field is missing"),
        "more_than_one": _("more than one value"),
        "bad_identifier": _("not a valid identifier"),
        "bad_check_digit": _("the check digit is wrong"),
        "bad_date": _("not a date"),
        "bad_number": _("not a number"),
        "unknown_code": _("unknown code"),
        "bad_hs_edition": _("wrong edition of the Harmonized System"),
        "contradictory": _("fields contradict each other"),
        "duplicate_in_batch": _("twice in one batch"),
        "older_revision": _("older than what is known"),
        "future_date": _("a date in the future"),
        "key_mismatch": _("another record than was asked for"),
        "signature_invalid": _("the signature does not hold"),
        "signer_revoked": _("the signer was revoked"),
        "class_conflict": _("its protection class contradicts the catalogue"),
        "individual_in_parties": _("an individual among the parties"),
    },
    "fault": {
        "missing": _("Enter it: it may not be empty"),
        "bad_code": _("A code has 2 to 63 letters, digits and hyphens, and begins with a letter or digit"),
        "bad_client_id": _("A client is named by its agency's code, a dot and a word of its own"),
        "unknown_kind": _("Choose a kind from the list"),
        "unknown_purpose": _("Choose purposes from the list"),
        "unknown_role": _("Choose roles from the list"),
        "scope_not_granted": _("The agency does not have this right: grant it to the agency first"),
        "private_key": _("This is a private key. Make a new pair and send the public half only"),
        "bad_key": _("This is not a public key of a kind that is taken (P-256, Ed25519, RSA of 2048 to 4096 bits)"),
        "not_json": _("This is not a JSON object"),
        "too_many_keys": _("The client has as many live keys as it may: revoke one first"),
        "lifetime": _("A key lives one day at least and 365 at most"),
        "exists": _("Something with this name exists already"),
        "quota": _("A whole number from 1 on, or nothing for no limit"),
        "changed_on_both_sides": _("This draft changed it, and so did what came into force: say whose version counts"),
        "no_record": _("There is no such record, or it is another holder's"),
        "record_id": _("This is no name of a record"),
        "no_reason": _("Say why: the reason is written into the log"),
        "stale": _("Somebody changed it since you opened this page. Look at it as it is now, then decide again"),
        "last_administrator": _("Somebody has to be left who can let people in"),
        "too_long": _("Too long"),
    },
}

_PROBLEMS: Final[dict[str, tuple[Any, Any]]] = {
    "invalid-request": (_("The request cannot be read"), _("Go back and try again.")),
    "not-signed-in": (_("Nobody is signed in"), _("Sign in first.")),
    "not-allowed": (
        _("Your roles or your agency do not allow this"),
        _("Ask an administrator for the role, or a colleague who has it."),
    ),
    "officer-excluded": (
        _("You may not decide on this request"),
        _("Another officer of the holder has to: nobody decides on their own."),
    ),
    "not-found": (_("There is nothing at this address"), _("Check the address, or begin at the start page.")),
    "method-not-allowed": (_("This address does not take that method"), _("Go back and use the page's own buttons.")),
    "illegal-transition": (
        _("It is not in a state that allows this"),
        _("Look at it again: it was decided, withdrawn, void or expired."),
    ),
    "already-exists": (_("It exists already"), _("Choose another name or change the one that exists.")),
    "link-spent": (
        _("This link does not work any more"),
        _("It was used or has expired: ask an administrator for a new one."),
    ),
    "stale-version": (
        _("It was changed since you read it"),
        _("Go back, look at it as it is now, and decide again. Nothing of yours was written."),
    ),
    "too-large": (_("What you sent is too large"), _("Send less at once.")),
    "unsupported-media-type": (_("The body is not of the type taken here"), _("Go back and use the page's own form.")),
    "invalid-field": (_("Something you entered cannot be taken"), _("Go back and mend what is listed here.")),
    "quota-exhausted": (
        _("The quota is used up"),
        _("Wait until the next minute or day, or ask the operator for a larger one."),
    ),
    "too-many-requests": (_("Too many requests"), _("Wait a minute, then try again.")),
    "internal": (_("A fault of this gateway"), _("Tell the operator the trace id.")),
    "upstream-failed": (
        _("The identity provider could not be believed"),
        _("Sign in again, or in another way; the operator can see why."),
    ),
    "log-unavailable": (_("The evidence log cannot be written"), _("Nothing was changed; try again in a moment.")),
    "store-unavailable": (_("The database is not available"), _("Nothing was changed; try again in a moment.")),
    "policy-unavailable": (
        _("The policy could not be decided"),
        _("Nothing was released; the operator has been told."),
    ),
}
"""Title and advice of problems that pages meet; the others keep the English words of the API."""


def register(kind: str, words: Mapping[str, Any]) -> None:
    """Let a slice bring words for its own codes; `lazy_gettext` makes them."""
    _WORDS.setdefault(kind, {}).update(words)


def register_problem(slug: str, title: Any, cure: Any) -> None:
    """Let a slice translate its own kind of problem."""
    _PROBLEMS[slug] = (title, cure)


def label(kind: str, code: str) -> str:
    """Give the word for a code in the reader's language."""
    if kind in _CARD_PREFIXES:
        table, prefix = _CARD_PREFIXES[kind]
        return labels("zh" if language() == "zh_Hans_CN" else "en")[table].get(prefix + code, code)
    return str(_WORDS.get(kind, {}).get(code, code))


def problem_title(slug: str, english: str) -> str:
    return str(_PROBLEMS[slug][0]) if slug in _PROBLEMS else english


def problem_cure(slug: str, english: str) -> str:
    return str(_PROBLEMS[slug][1]) if slug in _PROBLEMS else english
