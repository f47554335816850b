"""Pages of a change: what it proposes, its evidence, the way to its review."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import svcs
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from gateway.admin.policies.drawing import DrawnPolicy, draw
from gateway.admin.policies.register import register
from gateway.admin.policies.words import change_state_words, phase_words, words_for_templates
from gateway.errors import Fault, InvalidInputError
from gateway.governance.changes import Changes
from gateway.governance.collecting import Collecting, CollectingFailedError, Progress
from gateway.governance.editors import Editor
from gateway.governance.errors import BaseMovedError, ChangedMeanwhileError, NotInStateError
from gateway.governance.merging import KEEP
from gateway.governance.proposals import STATES, Change
from gateway.people.access import current_person, needs
from gateway.records.policy_catalogue import policy_catalogue
from gateway.web.pages import is_partial, render_form
from policies.engine import PolicyRef, PolicyText, revision_of
from policies.reference import GATEWAY_AUTHORITY, TIERS
from policies.text_difference import Line, text_difference

WORKERS = ("policy_editor", "policy_approver")
WAIT_SECONDS = 1
"""For evidence, before a page says how far it is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy of a change: `same`, `changed`, `added` or `removed`, as it was and as it would be."""

    policy_id: str
    title: str
    kind: str
    before: DrawnPolicy | None
    after: DrawnPolicy | None
    difference: tuple[Line, ...]


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/changes", "changes", shelf)
    pages.add_url_rule("/changes/start", "start", start, methods=["GET", "POST"])
    pages.add_url_rule("/changes/<int:change_id>", "change", one)
    pages.add_url_rule("/changes/<int:change_id>/evidence", "evidence", evidence)
    for name, act in (("collect", collect), ("propose", propose), ("withdraw", withdraw), ("take_over", take_over)):
        path = name.replace("_", "-")
        pages.add_url_rule(f"/changes/<int:change_id>/{path}", name, act, methods=["POST"])


@needs(*WORKERS)
def shelf() -> ResponseReturnValue:
    """List the changes that are the person's business, the newest first."""
    state = next((known for known in STATES if known == request.args.get("state")), None)
    return render_template(
        "policies/changes.html",
        console="admin",
        changes=svcs.flask.get(Changes).list(editor(), state=state, limit=200),
        state=state or "",
        states=STATES,
        state_words=change_state_words(),
        may_draft=current_person().may("policy_editor"),
        names=register().names,
        **words_for_templates(policy_catalogue()),
    )


@needs("policy_editor")
def start() -> ResponseReturnValue:
    """Begin a change of one tier and owner."""
    faults: Sequence[Fault] = ()
    if request.method == "POST":
        tier, _bar, owner = request.form.get("place", "").partition("/")
        try:
            change = svcs.flask.get(Changes).open(
                editor(),
                tier,
                owner,
                title=request.form.get("title", "").strip(),
                reason=request.form.get("reason", "").strip(),
                ticket=request.form.get("ticket", "").strip() or None,
            )
        except InvalidInputError as error:
            faults = error.faults
        else:
            return redirect(url_for("policy_pages.change", change_id=change.id), code=303)
    return render_form(
        "policies/start.html",
        faults,
        console="admin",
        places=places(),
        said=request.form or request.args,
        **words_for_templates(policy_catalogue()),
    )


@needs(*WORKERS)
def one(change_id: int) -> ResponseReturnValue:
    """Show a change, whatever state it is in; to whoever waits for its evidence, how far that is, and then the end."""
    found = svcs.flask.get(Collecting).progress(editor(), change_id)
    change = svcs.flask.get(Changes).show(editor(), change_id)
    if found is None or request.args.get("collecting") != "1":
        return change_page(change)
    if is_partial():
        if found.is_running:
            return render_template("policies/_collecting.html", change=change, found=found, phases=phase_words())
        address = url_for("policy_pages.change", change_id=change_id, collecting="1")
        return Response(headers={"HX-Redirect": address})
    if found.state == "done" and change.version == found.version + 1:  # nothing happened to it since
        return redirect(evidence_told(change), code=303)
    return change_page(change, found=found)


@needs(*WORKERS)
def evidence(change_id: int) -> ResponseReturnValue:
    """Show what was found out about a change."""
    change = svcs.flask.get(Changes).show(editor(), change_id)
    return render_template(
        "policies/evidence.html",
        console="admin",
        change=change,
        names=register().names,
        **words_for_templates(policy_catalogue()),
    )


@needs(*WORKERS)
def collect(change_id: int) -> ResponseReturnValue:
    """Run lint, validation, tests, difference and replay over the draft."""

    def act(changes: Changes, version: int) -> str:
        collecting = svcs.flask.get(Collecting)
        collecting.begin(editor(), change_id, version=version)
        found = collecting.wait(change_id, WAIT_SECONDS)
        if found.is_running:
            return url_for("policy_pages.change", change_id=change_id, collecting="1")
        found.require_success()
        return evidence_told(changes.show(editor(), change_id))

    return acted(change_id, act)


def evidence_told(change: Change) -> str:
    """Say whether the evidence that was waited for passes; gives the address of its page."""
    if change.evidence_sha256 is None:
        flash(_("The evidence does not pass: see what is wrong, mend the draft, collect again."), "important")
    else:
        flash(_("The evidence is complete and passes."), "success")
    return url_for("policy_pages.evidence", change_id=change.id)


@needs("policy_editor")
def propose(change_id: int) -> ResponseReturnValue:
    """Ask other people to review it."""

    def act(changes: Changes, version: int) -> str:
        changes.ask_review(editor(), change_id, version=version)
        flash(_("Reviewers can see it now."), "success")
        return url_for("policy_pages.change", change_id=change_id)

    return acted(change_id, act)


@needs("policy_editor")
def withdraw(change_id: int) -> ResponseReturnValue:
    """Take it back for good."""

    def act(changes: Changes, version: int) -> str:
        changes.withdraw(editor(), change_id, version=version)
        flash(_("The change is withdrawn."), "success")
        return url_for("policy_pages.changes")

    return acted(change_id, act)


@needs("policy_editor")
def take_over(change_id: int) -> ResponseReturnValue:
    """Take the draft over to the policies that are in force by now."""

    def act(changes: Changes, version: int) -> str:
        keep = next((known for known in KEEP if known == request.form.get("keep")), None)
        changes.rebase(editor(), change_id, version=version, keep=keep)
        flash(_("The draft now changes what is in force. Collect evidence again."), "success")
        return url_for("policy_pages.change", change_id=change_id)

    return acted(change_id, act)


def acted(change_id: int, act: Callable[[Changes, int], str]) -> ResponseReturnValue:
    """Do something with a change as it was seen; what hinders is said on its page, and nothing is lost."""
    changes = svcs.flask.get(Changes)
    try:
        return redirect(act(changes, seen_version()), code=303)
    except InvalidInputError as error:
        return change_page(changes.show(editor(), change_id), error.faults)
    except (ChangedMeanwhileError, NotInStateError, BaseMovedError, CollectingFailedError) as error:
        return change_page(changes.show(editor(), change_id), [hindrance(error)])


def change_page(change: Change, faults: Sequence[Fault] = (), found: Progress | None = None) -> ResponseReturnValue:
    """Show a change with what the person may do with it now.

    Args:
        change: the change.
        faults: what hinders.
        found: how far its evidence was when the caller looked: who was told to wait is not shown an end between.
    """
    person = current_person()
    is_editor = person.may("policy_editor")
    return render_form(
        "policies/change.html",
        faults,
        console="admin",
        change=change,
        found=found or svcs.flask.get(Collecting).progress(editor(), change.id),
        phases=phase_words(),
        entries=entries(change),
        state_words=change_state_words(),
        may_edit=is_editor and change.state in {"draft", "checked", "reviewed"},
        may_review=person.may("policy_approver") and change.state == "checked" and change.asked_at is not None,
        may_activate=change.state == "reviewed",
        may_unschedule=change.state in {"scheduled", "shadow"},
        is_editor=is_editor,
        said=request.form,
        names=register().names,
        **words_for_templates(policy_catalogue()),
    )


def entries(change: Change) -> list[Entry]:
    """Put the policies of a change side by side with those it is based on, changed ones first."""
    names = register().names
    edits = {edit.name: edit for edit in change.edits}
    found = []
    for policy_id in sorted({*change.policies, *edits}, key=lambda name: (name not in edits, name)):
        edit = edits.get(policy_id)
        old = edit.old if edit else change.policies.get(policy_id)
        new = change.policies.get(policy_id)
        kind = "same" if edit is None else "added" if old is None else "removed" if new is None else "changed"
        before, after = drawn(change, policy_id, old, names), drawn(change, policy_id, new, names)
        titled = after or before
        difference = text_difference(old or "", new or "") if edit else ()
        found.append(Entry(policy_id, titled.title if titled else policy_id, kind, before, after, difference))
    return found


def drawn(
    change: Change, policy_id: str, cedar: str | None, names: Mapping[str, str] | None = None
) -> DrawnPolicy | None:
    """Draw a policy of a change; None where there is no such text."""
    if cedar is None:
        return None
    ref = PolicyRef(next(known for known in TIERS if known == change.tier), change.owner, policy_id, revision_of(cedar))
    return draw(PolicyText(ref, cedar), names or register().names)


def editor() -> Editor:
    """Give the person as policies know them."""
    person = current_person()
    return Editor(person.actor, person.agency, person.roles)


def seen_version() -> int:
    """Read which version of a change the page showed."""
    version = request.form.get("version", "")
    if not version.isdigit():
        abort(400)
    return int(version)


def hindrance(error: Exception) -> Fault:
    """Say why an act was not done."""
    said: Mapping[type[Exception], str] = {
        ChangedMeanwhileError: _(
            "Somebody saved another version since you opened this page; look at it, then act again."
        ),
        NotInStateError: _("The change is not in a state that allows this."),
        BaseMovedError: _("Other policies came into force since the draft began: take them over first."),
        CollectingFailedError: _("Evidence could not be collected because of a fault here. Collect it again."),
    }
    return Fault("", "hindered", said[type(error)])


def places() -> list[tuple[str, str]]:
    """Give the tiers and owners a person may act on, as the options of a selection."""
    person, known = current_person(), register()
    found = []
    if person.is_national:
        found.append((f"guardrail/{GATEWAY_AUTHORITY}", _("Guardrails of the gateway")))
    for code in sorted(known.rows):
        if person.covers(code):
            name = known.rows[code].name
            found.append((f"holder/{code}", _("%(agency)s, as holder of records", agency=name)))
            found.append((f"egress/{code}", _("%(agency)s, as asking agency", agency=name)))
    return found
