"""Pages that ask the engine without changing anything: who can see what, and what a made-up request would get."""

from collections.abc import Sequence
from typing import Final

import svcs
from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from gateway.admin.policies.drafting import WORKERS
from gateway.admin.policies.reading import READERS
from gateway.admin.policies.register import Register, register
from gateway.admin.policies.simulation import MARKS, Supposition, question
from gateway.admin.policies.words import words_for_templates
from gateway.errors import Fault, InvalidInputError, UnknownError
from gateway.exchange.sight import Sight
from gateway.governance.books import PolicyBooks
from gateway.governance.changes import Changes
from gateway.governance.editors import Editor
from gateway.governance.proposals import Change
from gateway.governance.rights import Answer, Rights
from gateway.people.access import SignedIn, current_person, needs
from gateway.records.policy_catalogue import policy_catalogue
from gateway.web.pages import render_form
from policies.engine import PolicyBook, PolicyRef, PolicyText, revision_of
from policies.matrix import Asked
from policies.reference import TIERS

CASES: Final = ("", "cited", "named", "defendant")
OWNERS: Final = ("", "represented", "right")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/matrix", "matrix", matrix)
    pages.add_url_rule("/who-can-see", "who_can_see", who_can_see)
    pages.add_url_rule("/simulate", "simulate", simulate)


@needs(*READERS, "auditor")
def matrix() -> ResponseReturnValue:
    """Show which agency may receive which group of a holder's records, for which purpose."""
    known = register()
    held = _visible(current_person(), known)
    chosen = next(
        (one for one in held if f"{one[0]}/{one[1]}" == request.args.get("records")), held[0] if held else None
    )
    agency = request.args.get("agency", "")
    found = None
    if chosen is not None:
        holder, record_type, source = chosen
        columns = [
            Asked(known.agencies[row.code], purpose)
            for row in known.rows.values()
            if row.code != holder and agency in {"", row.code}
            for purpose in sorted(row.purposes)
        ]
        found = svcs.flask.get(Rights).matrix(known.agencies[holder], source, record_type, columns)
    return render_template(
        "policies/matrix.html",
        console="admin",
        held=held,
        chosen=chosen,
        agency=agency,
        found=found,
        names=known.names,
        agencies=sorted(known.rows),
        **words_for_templates(policy_catalogue()),
    )


@needs("policy_editor", "policy_approver", "release_officer", "auditor")
def who_can_see() -> ResponseReturnValue:
    """Show which agency may receive which group of one real record; each look is written into the audit trail."""
    person, record = current_person(), request.args.get("record", "").strip()
    found, faults = None, []
    if record:
        try:
            found = svcs.flask.get(Sight).record(person.actor, record, reader=person.agency)
        except InvalidInputError as error:
            faults = list(error.faults)
        except UnknownError:
            faults = [Fault("/record", "no_record", "there is no such record, or it is another holder's")]
    return render_form(
        "policies/who_can_see.html",
        faults,
        console="admin",
        record=record,
        found=found,
        names=register().names,
        **words_for_templates(policy_catalogue()),
    )


@needs(*READERS, "auditor")
def simulate() -> ResponseReturnValue:
    """Show what a made-up request would get, group by group, and why."""
    known, catalogue = register(), policy_catalogue()
    held = _visible(current_person(), known)
    supposed = _supposition(known, held)
    change = _change(current_person())
    found: Answer | None = None
    if supposed is not None and request.args.get("ask"):
        source = next(name for holder, kind, name in held if (holder, kind) == (supposed.holder, supposed.record_type))
        asked = question(supposed, known.agencies, source, catalogue)
        found = svcs.flask.get(Rights).answer(asked, _candidate(change) if change else None)
    return render_template(
        "policies/simulate.html",
        console="admin",
        held=held,
        supposed=supposed,
        change=change,
        found=found.explanation if found else None,
        obligations=found.obligations.document() if found and found.obligations else {},
        names=known.names,
        agencies=sorted(known.rows),
        cases=CASES,
        owners=OWNERS,
        marks=MARKS,
        **words_for_templates(catalogue),
    )


def _change(person: SignedIn) -> Change | None:
    """Give the change whose draft is to answer instead of what is in force, if one is named."""
    named = request.args.get("change", "")
    if not named.isdigit() or not person.roles & set(WORKERS):
        return None
    return svcs.flask.get(Changes).show(Editor(person.actor, person.agency, person.roles), int(named))


def _candidate(change: Change) -> PolicyBook:
    tier = next(known for known in TIERS if known == change.tier)
    texts = [
        PolicyText(PolicyRef(tier, change.owner, policy_id, revision_of(cedar)), cedar)
        for policy_id, cedar in change.policies.items()
    ]
    return svcs.flask.get(PolicyBooks).candidate(tier, change.owner, texts)


def _visible(person: SignedIn, known: Register) -> Sequence[tuple[str, str, str]]:
    """Nation-wide people look at everybody's records, others at their own agency's."""
    return [one for one in known.held() if person.covers(one[0])]


def _supposition(known: Register, held: Sequence[tuple[str, str, str]]) -> Supposition | None:
    """Read the form; what it lacks or gets wrong becomes the plainest there is."""
    if not held or not known.rows:
        return None
    words = policy_catalogue().enums
    records = request.args.get("records", "")
    holder, record_type, _source = next((one for one in held if f"{one[0]}/{one[1]}" == records), held[0])
    asking = _one("asking", sorted(set(known.rows) - {holder}) or sorted(known.rows))
    known_type = policy_catalogue().record_type(record_type)
    groups = {group.name for group in known_type.groups} if known_type else set()
    purposes = sorted(known.rows[asking].purposes) or sorted(words["Purpose"])
    return Supposition(
        asking=asking,
        holder=holder,
        record_type=record_type,
        purpose=_one("purpose", words["Purpose"], purposes[0]),
        groups=frozenset(groups & set(request.args.getlist("group"))),
        stage=_one("stage", words["Stage"], "unknown"),
        status=_one("status", words["Status"], "active"),
        marks=frozenset(set(MARKS) & set(request.args.getlist("mark"))),
        case=_one("case", CASES),
        owner=_one("owner", OWNERS),
        approvals=frozenset(set(words["Approval"]) & set(request.args.getlist("approval"))),
        mode=_one("mode", words["Mode"], "single"),
    )


def _one(name: str, known: Sequence[str], otherwise: str | None = None) -> str:
    given = request.args.get(name, "")
    if given in known:
        return given
    return known[0] if otherwise is None else otherwise
