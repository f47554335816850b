"""Pages that ask the engine without changing anything: who can see what, and what a made-up request would get."""

from collections.abc import Sequence
from typing import Final

import svcs
from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from gateway.admin.policies.reading import READERS
from gateway.admin.policies.register import Register, register
from gateway.admin.policies.simulation import MARKS, Supposition, question
from gateway.admin.policies.words import words_for_templates
from gateway.clock import Clock
from gateway.governance.books import PolicyBooks
from gateway.people.access import SignedIn, current_person, needs
from gateway.records.policy_catalogue import policy_catalogue
from policies.engine import Denial, Explanation, PolicyBook, decide, explain
from policies.matrix import Asked, Matrix, rights_matrix
from policies.obligations import Obligations

CASES: Final = ("", "cited", "named", "defendant")
OWNERS: Final = ("", "represented", "right")
MATRICES: Final = 64
"""So many answers of the rights matrix are remembered; each belongs to one book."""

_remembered: dict[object, Matrix] = {}


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/matrix", "matrix", matrix)
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
        book = svcs.flask.get(PolicyBooks).current().book
        found = _matrix(book, known, chosen, agency)
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


@needs(*READERS, "auditor")
def simulate() -> ResponseReturnValue:
    """Show what a made-up request would get, group by group, and why."""
    known, catalogue = register(), policy_catalogue()
    held = _visible(current_person(), known)
    supposed = _supposition(known, held)
    found: Explanation | None = None
    obligations: Obligations | None = None
    if supposed is not None and request.args.get("ask"):
        source = next(name for holder, kind, name in held if (holder, kind) == (supposed.holder, supposed.record_type))
        book = svcs.flask.get(PolicyBooks).current().book
        asked = question(supposed, known.agencies, source, catalogue, svcs.flask.get(Clock)())
        found = explain(book, asked, "auditor")
        decision = decide(book, asked)
        obligations = None if isinstance(decision, Denial) else decision.obligations
    return render_template(
        "policies/simulate.html",
        console="admin",
        held=held,
        supposed=supposed,
        found=found,
        obligations=obligations.document() if obligations else {},
        names=known.names,
        agencies=sorted(known.rows),
        cases=CASES,
        owners=OWNERS,
        marks=MARKS,
        **words_for_templates(catalogue),
    )


def _visible(person: SignedIn, known: Register) -> Sequence[tuple[str, str, str]]:
    """Nation-wide people look at everybody's records, others at their own agency's."""
    return [one for one in known.held() if person.covers(one[0])]


def _matrix(book: PolicyBook, known: Register, chosen: tuple[str, str, str], agency: str) -> Matrix:
    holder, record_type, source = chosen
    columns = tuple(
        Asked(known.agencies[row.code], purpose)
        for row in known.rows.values()
        if row.code != holder and agency in {"", row.code}
        for purpose in sorted(row.purposes)
    )
    place = (book.digest, chosen, columns, known.agencies[holder])
    if place not in _remembered:
        if len(_remembered) >= MATRICES:
            _remembered.clear()
        now = svcs.flask.get(Clock)()
        _remembered[place] = rights_matrix(book, known.agencies[holder], source, record_type, columns, now)
    return _remembered[place]


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
