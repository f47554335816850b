"""The editor of one policy in a change: form, text and card as views of one truth, the text."""

import json
from collections.abc import Sequence
from typing import Any

import svcs
from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import escape

from gateway.admin.policies.drafting import WORKERS, acted, drawn, editor, hindrance, seen_version
from gateway.admin.policies.facts import fact_kinds
from gateway.admin.policies.inputs import (
    NotOnPage,
    PolicyInputs,
    blank,
    form_from,
    groups_by_class,
    inputs_of,
    posted_inputs,
    usual_actions,
    with_spare_rows,
)
from gateway.admin.policies.register import may_edit, register
from gateway.admin.policies.words import input_problem, words_for_templates
from gateway.errors import Fault, InvalidInputError
from gateway.governance.changes import Changes
from gateway.governance.errors import ChangedMeanwhileError, NotInStateError
from gateway.governance.proposals import Change
from gateway.people.access import current_person, needs
from gateway.records.policy_catalogue import policy_catalogue
from gateway.web.headers import allow_editor, nonce
from gateway.web.pages import render_form
from policies.forms import Form, read_form, write_form
from policies.lint import Finding, lint
from policies.reference import CODE, TIERS
from policies.text_difference import text_difference
from policies.untrusted import examine

VIEWS = ("form", "text", "card")


def routes(pages: Blueprint) -> None:
    place = "/changes/<int:change_id>"
    pages.add_url_rule(f"{place}/new-policy", "edit_new", edit_new, methods=["GET", "POST"])
    pages.add_url_rule(f"{place}/policies/<policy_id>", "edit", edit, methods=["GET", "POST"])
    pages.add_url_rule(f"{place}/tests", "tests", tests, methods=["GET", "POST"])


@needs(*WORKERS)
def edit(change_id: int, policy_id: str) -> ResponseReturnValue:
    """Show a policy of a change as form, text or card; a POST saves what the view says."""
    change = svcs.flask.get(Changes).show(editor(), change_id)
    text = change.policies.get(policy_id)
    if text is None:
        abort(404)
    if request.method == "GET":
        return _page(change, policy_id, text, view=_view(text))
    if request.form.get("remove") == "yes":
        return acted(change_id, lambda changes, version: _removed(changes, change_id, policy_id, version))
    if request.form.get("view") == "text":
        typed = _typed_text()
        return _saved(change, policy_id, typed) or _page(change, policy_id, typed, view="text")
    return _edit_by_form(change, policy_id, text)


@needs("policy_editor")
def edit_new(change_id: int) -> ResponseReturnValue:
    """Add a policy to a change, by form."""
    change = svcs.flask.get(Changes).show(editor(), change_id)
    effect = "forbid" if change.tier == "guardrail" else "permit"
    start = blank("", request.args.get("record_type", ""), effect)
    if request.method == "GET":
        return _page(change, "", "", view="form", inputs=start)
    return _edit_by_form(change, "", "", start)


@needs(*WORKERS)
def tests(change_id: int) -> ResponseReturnValue:
    """Show and save the policy tests of a change, as JSON."""
    changes = svcs.flask.get(Changes)
    change = changes.show(editor(), change_id)
    faults: Sequence[Fault] = ()
    text = json.dumps(list(change.tests.values()), indent=2, ensure_ascii=False)
    if request.method == "POST":
        text = request.form.get("tests", "")
        try:
            changes.save(editor(), change_id, version=seen_version(), tests=_read_tests(text, change))
        except InvalidInputError as error:
            faults = [Fault("/tests", "policy_test", f"{fault.pointer} {fault.detail}") for fault in error.faults]
        except (ChangedMeanwhileError, NotInStateError) as error:
            faults = [hindrance(error)]
        else:
            flash(_("The draft is saved."), "success")
            return redirect(url_for("policy_pages.change", change_id=change_id), code=303)
    return render_form(
        "policies/tests.html",
        faults,
        console="admin",
        change=change,
        text=text,
        may_edit=_may_edit(change),
        **words_for_templates(policy_catalogue()),
    )


def _edit_by_form(change: Change, policy_id: str, text: str, start: PolicyInputs | None = None) -> ResponseReturnValue:
    """Save what the form says; where it says what the text says, the text stays as its author wrote it."""
    catalogue = policy_catalogue()
    before = start or _inputs(text)
    if before is None:
        abort(400)
    inputs = posted_inputs(request.form, before)
    form = form_from(inputs, catalogue)
    name = policy_id or inputs.policy_id
    if not isinstance(form, Form):
        faults = [Fault(f"/{fault.name}", fault.code, input_problem(fault.code, fault.detail)) for fault in form]
        return _page(change, policy_id, text, view="form", inputs=inputs, faults=faults)
    if CODE.fullmatch(name) is None or (not policy_id and name in change.policies):
        faults = [Fault("/policy_id", "policy_id", _("Give an id of letters, digits and hyphens that no policy has."))]
        return _page(change, policy_id, text, view="form", inputs=inputs, faults=faults)
    written = write_form(form)
    if text and read_form(written) == read_form(text):
        written = text
    saved = _saved(change, name, written, view="form")
    return saved or _page(
        change, policy_id, written, view="form", inputs=inputs, faults=_as_faults(_findings(change, written))
    )


def _saved(change: Change, policy_id: str, text: str, view: str = "text") -> ResponseReturnValue | None:
    """Save a text and go on to the card; None where something is wrong with the text."""
    try:
        svcs.flask.get(Changes).save(editor(), change.id, version=seen_version(), policies={policy_id: text})
    except InvalidInputError:
        return None
    except (ChangedMeanwhileError, NotInStateError) as error:
        return _page(change, policy_id, text, view=view, faults=[hindrance(error)])
    flash(_("The draft is saved."), "success")
    return redirect(url_for("policy_pages.edit", change_id=change.id, policy_id=policy_id, view="card"), code=303)


def _removed(changes: Changes, change_id: int, policy_id: str, version: int) -> str:
    changes.save(editor(), change_id, version=version, policies={policy_id: None})
    flash(_("The policy is taken out of the draft."), "success")
    return url_for("policy_pages.change", change_id=change_id)


def _page(
    change: Change,
    policy_id: str,
    text: str,
    *,
    view: str,
    inputs: PolicyInputs | None = None,
    faults: Sequence[Fault] = (),
) -> ResponseReturnValue:
    catalogue, known = policy_catalogue(), register()
    findings = _findings(change, text) if text and not faults else ()
    shown = inputs or (_inputs(text) if text else None)
    record_type = catalogue.record_type(shown.record_type) if shown else None
    by_class = groups_by_class(record_type) if record_type else {}
    listed = {name for groups in by_class.values() for name in groups}
    if view == "text":
        allow_editor()
    if findings and request.method == "POST":
        faults = _as_faults(findings)
    old = next((edit.old for edit in change.edits if edit.name == policy_id), text)
    return render_form(
        "policies/edit.html",
        faults,
        console="admin",
        change=change,
        policy_id=policy_id,
        is_new=not policy_id,
        view=view,
        text=text,
        inputs=shown,
        facts=sorted(fact_kinds(catalogue).items()),
        by_class=by_class,
        other_actions=_beside(shown, listed),
        when_rows=with_spare_rows(shown.when) if shown else (),
        unless_rows=with_spare_rows(shown.unless) if shown else (),
        has_comments="//" in text,
        drawn=drawn(change, policy_id, text) if view == "card" else None,
        difference=text_difference(old or "", text) if (old or "") != text else (),
        findings=findings,
        editor_attributes=_editor_attributes(change),
        may_edit=_may_edit(change),
        names=known.names,
        **words_for_templates(catalogue),
    )


def _beside(shown: PolicyInputs | None, listed: set[str]) -> list[str]:
    """Name what is ticked beside the groups: the usual, and what else the policy names."""
    named = [] if shown is None else [name for name in shown.actions if name not in listed]
    return list(dict.fromkeys([*usual_actions(), *named]))


def _editor_attributes(change: Change) -> str:
    address = url_for("policy_pages.validate", tier=change.tier, owner=change.owner)
    return f'data-cedar data-validate="{escape(address)}" data-findings="findings" data-nonce="{escape(nonce())}"'


def _findings(change: Change, text: str) -> tuple[Finding, ...]:
    tier = next(known for known in TIERS if known == change.tier)
    return examine([text])[0] or lint(text, tier, change.owner, policy_catalogue())


def _as_faults(findings: Sequence[Finding]) -> list[Fault]:
    return [Fault("/text", item.code, item.message) for item in findings if item.severity == "error"]


def _inputs(text: str) -> PolicyInputs | None:
    form = read_form(text) if not examine([text])[0] else None
    found = inputs_of(form, policy_catalogue()) if isinstance(form, Form) else None
    return None if isinstance(found, NotOnPage) else found


def _view(text: str) -> str:
    asked = request.args.get("view", "")
    if asked in VIEWS:
        return asked
    return "form" if _inputs(text) is not None else "text"


def _typed_text() -> str:
    """Give the text as typed; browsers send line ends as CR LF."""
    return request.form.get("text", "").replace("\r\n", "\n")


def _may_edit(change: Change) -> bool:
    return may_edit(current_person(), change.tier, change.owner) and change.state in {"draft", "checked", "reviewed"}


def _read_tests(text: str, change: Change) -> dict[str, Any]:
    """Read the list of tests; those that are not in it any more are taken out."""
    try:
        documents = json.loads(text)
    except ValueError as error:
        raise InvalidInputError([Fault("/tests", "json", str(error))]) from error
    if not isinstance(documents, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in documents
    ):
        raise InvalidInputError([Fault("/tests", "json", _("a list of objects, each with a name"))])
    found: dict[str, Any] = {one["name"]: one for one in documents}
    return {**dict.fromkeys(set(change.tests) - set(found)), **found}
