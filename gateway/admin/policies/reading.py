"""Pages that only show: the policies in force as cards, one policy with its text."""

from typing import Final

import svcs
from flask import Blueprint, abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from gateway.admin.policies.drawing import DrawnPolicy, draw
from gateway.admin.policies.register import may_edit, may_see, register
from gateway.admin.policies.words import activation_words, words_for_templates
from gateway.errors import Fault, InvalidInputError
from gateway.governance.activations import Activations
from gateway.governance.books import PolicyBooks
from gateway.governance.editors import Editor
from gateway.governance.service import Policies
from gateway.people.access import current_person, needs
from gateway.records.policy_catalogue import policy_catalogue
from policies.engine import PolicyText
from policies.lint import lint
from policies.reference import TIERS, Tier
from policies.untrusted import examine

READERS: Final = ("policy_editor", "policy_approver", "administrator", "release_officer")
HISTORY: Final = 10
TEXT_BYTES: Final = 1 << 18


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/policies", "policies", shelf)
    pages.add_url_rule("/policies/<tier>/<owner>/<policy_id>", "policy", one)
    pages.add_url_rule("/policies/validate", "validate", validate, methods=["POST"])


@needs(*READERS)
def shelf() -> ResponseReturnValue:
    """List the policies in force as cards, filtered by tier, owner, record type or a word."""
    person, known = current_person(), register()
    texts = [text for text in in_force() if may_see(person, text.ref)]
    tier, owner, about, word = (request.args.get(name, "") for name in ("tier", "owner", "about", "word"))
    catalogue = policy_catalogue()
    book = svcs.flask.get(PolicyBooks).current().book
    shown = [
        draw(text, known.names)
        for text in texts
        if tier in {"", text.ref.tier}
        and owner in {"", text.ref.owner}
        and (not about or text.ref not in book.texts or book.texts[text.ref].is_about(about))
    ]
    return render_template(
        "policies/shelf.html",
        console="admin",
        shown=[policy for policy in shown if _mentions(policy, word)],
        total=len(texts),
        owners=sorted({text.ref.owner for text in texts}),
        tiers=TIERS,
        names=known.names,
        chosen={"tier": tier, "owner": owner, "about": about, "word": word},
        may_draft=person.may("policy_editor"),
        may_work=person.may("policy_editor") or person.may("policy_approver"),
        **words_for_templates(catalogue),
    )


@needs(*READERS)
def one(tier: str, owner: str, policy_id: str) -> ResponseReturnValue:
    """Show one policy in force: card, text, what it rests on."""
    person, known = current_person(), register()
    text = next(
        (
            text
            for text in in_force()
            if (text.ref.tier, text.ref.owner, text.ref.policy_id) == (tier, owner, policy_id)
        ),
        None,
    )
    if text is None or not may_see(person, text.ref):
        abort(404)
    return render_template(
        "policies/policy.html",
        console="admin",
        policy=draw(text, known.names),
        names=known.names,
        may_edit=may_edit(person, tier, owner),
        history=svcs.flask.get(Activations).history(
            Editor(person.actor, person.agency, person.roles), tier, owner, limit=HISTORY
        ),
        kind_words=activation_words(),
        may_work=person.may("policy_editor") or person.may("policy_approver"),
        **words_for_templates(policy_catalogue()),
    )


@needs("policy_editor", "policy_approver")
def validate() -> ResponseReturnValue:
    """Judge a text while it is typed, with the engine that would enforce it: `{"text"}` → `{"findings": […]}`.

    The query names the tier and owner it is meant for.
    """
    body = request.get_json(silent=True)
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str) or len(text.encode()) > TEXT_BYTES:
        raise InvalidInputError([Fault("/text", "malformed", "a text of at most 256 KiB")], slug="invalid-request")
    tier: Tier = next((known for known in TIERS if known == request.args.get("tier")), "holder")
    found = examine([text])[0] or lint(text, tier, request.args.get("owner", ""), policy_catalogue())
    return jsonify(
        {"findings": [{"message": item.message, "severity": item.severity, "code": item.code} for item in found]}
    )


def in_force() -> list[PolicyText]:
    """Give the policies that decide right now."""
    return svcs.flask.get(Policies).active()[1]


def _mentions(policy: DrawnPolicy, word: str) -> bool:
    said = " ".join((policy.title, policy.text.cedar, *map(str, policy.cards.values())))
    return word.casefold() in said.casefold()
