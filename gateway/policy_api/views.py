"""`/v1/policies`: what is in force, its cards, tests and history; made-up questions; folders; emergencies."""

from collections.abc import Callable
from typing import Any

import svcs
from flask import Blueprint, Response, request

from gateway.errors import Fault, InvalidInputError, UnknownError
from gateway.exchange.questions import Registered
from gateway.governance.activations import Activations
from gateway.governance.books import PolicyBooks
from gateway.governance.changes import Changes
from gateway.governance.editors import Editor
from gateway.governance.emergencies import Emergencies
from gateway.governance.errors import NotEntitledError
from gateway.governance.folders import Folders, read_folder, write_folder
from gateway.governance.service import Policies
from gateway.policy_api import change_views
from gateway.policy_api.callers import APPROVE, EDIT, READ, answer, archive, body, editor, number, once, page, query
from gateway.policy_api.documents import emergency_document, plain, policy_document, summary_document, version_document
from gateway.policy_api.schemas import (
    EmergencyReviewSchema,
    EmergencySchema,
    ImportSchema,
    LintSchema,
    QuestionSchema,
    RollBackSchema,
)
from gateway.web.numbers import MOST
from gateway.web.paging import link_next
from policies.cards import NoCard, card
from policies.engine import Audience, Question, Release, decide, explain, parse
from policies.lint import lint
from policies.policy_tests import PolicyTestError, question_of, read_test, report
from policies.reference import TIERS
from policies.untrusted import examine

_PLACE = "/<any(guardrail,holder,egress):tier>/<owner>"
PAGE = 200


def blueprint() -> Blueprint:
    policies = Blueprint("policies", __name__, url_prefix="/v1/policies")
    reading: tuple[tuple[str, Callable[..., Response]], ...] = (
        ("", listed),
        ("/export", exported),
        (f"{_PLACE}/tests", tested),
        (f"{_PLACE}/activations", history),
        (f"{_PLACE}/<policy_id>", shown),
        (f"{_PLACE}/<policy_id>/card", drawn),
        ("/emergencies", emergencies),
    )
    writing: tuple[tuple[str, Callable[..., Response]], ...] = (
        ("/import", imported),
        ("/lint", linted),
        ("/explain", explain_question),
        (f"{_PLACE}/rollback", roll_back),
        ("/emergencies", deny),
        ("/emergencies/<int:emergency_id>/review", review_emergency),
    )
    for path, view in reading:
        policies.add_url_rule(path, view_func=view)
    for path, view in writing:
        policies.add_url_rule(path, view_func=view, methods=["POST"])
    change_views.add_to(policies)
    return policies


def listed() -> Response:
    """List the policies in force that are the caller's business, guardrails among them, a page at a time."""
    who = editor(READ)
    given = query(tier="", owner="", after="", limit="50")
    limit = number(given["limit"], "/limit", most=PAGE)
    folder = svcs.flask.get(Folders).in_force(who, tier=given["tier"] or None, owner=given["owner"] or None)
    versions = svcs.flask.get(Policies).versions()
    named = {f"{one.ref.tier}/{one.ref.owner}/{one.ref.policy_id}": one for one in folder.texts}
    left = sorted(name for name in named if name > given["after"])
    shown = [named[name] for name in left[:limit]]
    items = [policy_document(one, versions.get((one.ref.tier, one.ref.owner))) for one in shown]
    onward = left[limit - 1] if len(left) > limit else None
    return link_next(answer({"items": items, "next": onward, "complete": onward is None}), "after", onward)


def shown(tier: str, owner: str, policy_id: str) -> Response:
    """Show the Cedar text of a policy in force, with its card in both languages."""
    text = _text(tier, owner, policy_id)
    version = svcs.flask.get(Policies).versions().get((tier, owner))
    cards = {language: _card(text.cedar, language) for language in ("en", "zh")}
    return answer({**policy_document(text, version), "cedar": text.cedar, "cards": cards})


def drawn(tier: str, owner: str, policy_id: str) -> Response:
    """Show a policy's card, line by line; `null` where it has none, and why."""
    given = query(language="en")
    if given["language"] not in {"en", "zh"}:
        raise InvalidInputError([Fault("/language", "language", "en or zh")], slug="invalid-request")
    text = _text(tier, owner, policy_id)
    found = card(_policy(text.cedar), "zh" if given["language"] == "zh" else "en")
    if isinstance(found, NoCard):
        return answer({"card": None, "reason": found.reason})
    lines = {name: list(getattr(found, name)) for name in ("conditions", "exceptions", "obligations")}
    return answer({"card": {"text": str(found), "headline": found.headline, **lines}})


def tested(tier: str, owner: str) -> Response:
    """Run the tests that stand beside a tier and owner's policies in force, and show them with their results."""
    folder = svcs.flask.get(Folders).in_force(editor(READ), tier=tier, owner=owner)
    known = next(one for one in TIERS if one == tier)
    found = report(svcs.flask.get(PolicyBooks).newest().book, known, owner, folder.tests)
    documents = {one.name: plain(one.document) for one in folder.tests}
    return answer(
        {
            "is_passed": found.is_passed,
            "missing": list(found.missing),
            "items": [{**plain(one), "test": documents[one.name]} for one in found.results],
        }
    )


def history(tier: str, owner: str) -> Response:
    """List what was in force for a tier and owner, the newest first."""
    who = editor(READ)
    limit, after = _page_asked()
    items = svcs.flask.get(Activations).history(who, tier, owner, limit=limit, after=after)
    return page([version_document(one) for one in items], limit, [one.id for one in items])


def roll_back(tier: str, owner: str) -> Response:
    """Put what was in force before in force again."""
    who = editor(APPROVE)
    return once(who, lambda: _rolled_back(who, tier, owner))


def _rolled_back(who: Editor, tier: str, owner: str) -> Response:
    said = body(RollBackSchema)
    activations = svcs.flask.get(Activations)
    named = activations.history(who, tier, owner, limit=1, after=said["activation"] + 1)
    if [one.id for one in named] != [said["activation"]]:
        raise UnknownError(f"no activation {said['activation']} of {tier}/{owner}")
    made = activations.roll_back(who, said["activation"], in_force=said["in_force"], reason=said["reason"])
    return answer(version_document(made), status=201)


def exported() -> Response:
    """Give the policies in force as a folder: JSON, or a zip for `Accept: application/zip`."""
    who = editor(READ)
    given = query(tier="", owner="")
    folder = svcs.flask.get(Folders).in_force(who, tier=given["tier"] or None, owner=given["owner"] or None)
    files = write_folder(folder.texts, folder.tests)
    if request.accept_mimetypes.best_match(("application/json", "application/zip")) == "application/zip":
        return archive(files)
    return answer({"files": files})


def imported() -> Response:
    """Open a draft for each tier and owner where a folder says otherwise than what is in force."""
    who = editor(EDIT)
    return once(who, lambda: _imported(who))


def _imported(who: Editor) -> Response:
    said = body(ImportSchema)
    made = svcs.flask.get(Folders).propose(who, read_folder(said["files"]), title=said["title"], reason=said["reason"])
    return answer({"items": [summary_document(one) for one in made], "complete": True}, status=201)


def linted() -> Response:
    """Say what is wrong with a text, without storing it."""
    editor(READ)
    said = body(LintSchema)
    tier = next(one for one in TIERS if one == said["tier"])
    catalogue = svcs.flask.get(PolicyBooks).current().book.catalogue
    found = examine([said["cedar"]])[0] or lint(said["cedar"], tier, said["owner"], catalogue)
    return answer({"findings": plain(found), "is_passed": all(one.severity != "error" for one in found)})


def explain_question() -> Response:
    """Explain what a made-up question gets, by the book in force or by a change request's.

    Its holder reads which policies decide; its requester what a requester is told; nobody else asks.
    """
    who = editor(READ)
    said = body(QuestionSchema)
    question = _question(said["question"], svcs.flask.get(Registered))
    if who.agency == question.holder.code:
        audience: Audience = "holder"
    elif who.agency == question.asking.code:
        audience = "requester"
    else:
        raise NotEntitledError("a question of your own agency's, as its holder or its requester")
    books = svcs.flask.get(PolicyBooks)
    book = books.newest().book
    if "change" in said:
        change = svcs.flask.get(Changes).show(who, said["change"])
        book = books.candidate(change.tier, change.owner, change.texts)
    decision = decide(book, question)
    duties = decision.obligations.document() if isinstance(decision, Release) else None
    return answer({**plain(explain(book, question, audience)), "obligations": duties})


def emergencies() -> Response:
    """List emergency denials, the newest first, a page at a time."""
    who = editor(READ)
    limit, after = _page_asked()
    found = svcs.flask.get(Emergencies).list(who, limit=limit, after=after)
    return page([emergency_document(one) for one in found], limit, [one.id for one in found])


def deny() -> Response:
    """Put a forbid in force at once, until a time."""
    who = editor(EDIT)
    return once(who, lambda: _denied(who))


def _denied(who: Editor) -> Response:
    said = body(EmergencySchema)
    made = svcs.flask.get(Emergencies).deny(
        who,
        said["tier"],
        said["owner"],
        said["policy"],
        said["cedar"],
        until=said["until"],
        reason=said["reason"],
    )
    return answer(emergency_document(made), status=201)


def review_emergency(emergency_id: int) -> Response:
    """Say as a second person whether an emergency denial stays."""
    who = editor(APPROVE)
    return once(who, lambda: _reviewed(who, emergency_id))


def _reviewed(who: Editor, emergency_id: int) -> Response:
    said = body(EmergencyReviewSchema)
    service = svcs.flask.get(Emergencies)
    service.review(who, emergency_id, said["verdict"], comment=said["comment"])
    return answer(emergency_document(service.show(who, emergency_id)))


def _page_asked() -> tuple[int, int | None]:
    """Read how long a page is to be, and after which number it begins."""
    given = query(limit="50", after="")
    after = number(given["after"], "/after", most=MOST) if given["after"] else None
    return number(given["limit"], "/limit", most=PAGE), after


def _text(tier: str, owner: str, policy_id: str) -> Any:
    folder = svcs.flask.get(Folders).in_force(editor(READ), tier=tier, owner=owner)
    found = next((one for one in folder.texts if one.ref.policy_id == policy_id), None)
    if found is None:
        raise UnknownError(f"no policy {tier}/{owner}/{policy_id} is in force")
    return found


def _policy(cedar: str) -> Any:
    tree = parse(cedar)
    return next(iter([*tree.static_policies.values(), *tree.templates.values()]))


def _card(cedar: str, language: Any) -> str | None:
    found = card(_policy(cedar), language)
    return None if isinstance(found, NoCard) else str(found)


def _question(document: dict[str, Any], registered: Registered) -> Question:
    """Read a question in the form policy tests have; who is registered is as the register says, not as the caller."""
    known = registered()
    whole = {"name": "question", "question": document, "expect": {"outcome": "released"}}
    for member in ("asking", "holder", "supplier"):
        if isinstance(document.get(member), str):
            if document[member] not in known:
                raise InvalidInputError([Fault(f"/question/{member}", "unknown_agency", "no agency of this code")])
            one = known[document[member]]
            document[member] = {
                "code": one.code,
                "kind": one.kind,
                "jurisdictions": sorted(one.jurisdictions),
                "suspended": one.suspended,
            }
    try:
        test = read_test(whole, "holder", "some-holder")
        return question_of(test, svcs.flask.get(PolicyBooks).current().book.catalogue)
    except PolicyTestError as error:
        raise InvalidInputError([Fault(error.pointer, "question", error.problem)]) from error
