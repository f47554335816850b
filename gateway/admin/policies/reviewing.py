"""The page on which a second person reviews a change: bound to the evidence that was seen."""

from collections.abc import Sequence

import svcs
from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from gateway.admin.policies.drafting import WORKERS, editor, entries, hindrance, seen_version
from gateway.admin.policies.register import register
from gateway.admin.policies.words import change_state_words, word, words_for_templates
from gateway.errors import Fault, InvalidInputError
from gateway.governance.changes import Changes
from gateway.governance.errors import (
    BaseMovedError,
    ChangedMeanwhileError,
    EvidenceChangedError,
    NotInStateError,
    OwnChangeError,
)
from gateway.governance.proposals import Change
from gateway.governance.reviews import Reviews
from gateway.people.access import current_person, needs, needs_fresh_sign_in
from gateway.records.policy_catalogue import policy_catalogue
from gateway.web.pages import render_form


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/changes/<int:change_id>/review", "review", review)
    pages.add_url_rule("/changes/<int:change_id>/review", "say", say, methods=["POST"])


@needs(*WORKERS)
def review(change_id: int) -> ResponseReturnValue:
    """Show a change to its reviewer: cards, text, evidence, and the verdict's form."""
    return _page(svcs.flask.get(Changes).show(editor(), change_id))


@needs("policy_approver")
@needs_fresh_sign_in
def say(change_id: int) -> ResponseReturnValue:
    """Approve, or send back."""
    changes = svcs.flask.get(Changes)
    verdict = next((known for known in ("approve", "reject") if known == request.form.get("verdict")), None)
    if verdict is None:
        return _page(changes.show(editor(), change_id), [Fault("/verdict", "no_verdict", _("Choose your verdict."))])
    try:
        change = svcs.flask.get(Reviews).say(
            editor(),
            change_id,
            version=seen_version(),
            evidence_sha256=request.form.get("evidence_sha256", ""),
            verdict="approve" if verdict == "approve" else "reject",
            comment=request.form.get("comment", "").strip(),
            ticks=request.form.getlist("ticks"),
        )
    except InvalidInputError as error:
        return _page(changes.show(editor(), change_id), _told(error.faults))
    except (ChangedMeanwhileError, EvidenceChangedError, NotInStateError, BaseMovedError, OwnChangeError) as error:
        return _page(changes.show(editor(), change_id), [_hindrance(error)])
    if change.state == "checked":
        flash(_("Your approval is recorded; another reviewer has to approve as well."), "success")
    else:
        flash(_("Your verdict is recorded."), "success")
    return redirect(url_for("policy_pages.change", change_id=change_id), code=303)


def _page(change: Change, faults: Sequence[Fault] = ()) -> ResponseReturnValue:
    person = current_person()
    is_own = person.actor in change.contributors
    has_spoken = any(said.reviewer == person.actor and said.is_current for said in change.reviews)
    is_waiting = change.state == "checked" and change.asked_at is not None
    return render_form(
        "policies/review.html",
        faults,
        console="admin",
        change=change,
        entries=entries(change),
        state_words=change_state_words(),
        is_own=is_own,
        may_review=person.may("policy_approver") and is_waiting and not is_own and not has_spoken,
        widened_word=_widened,
        said=request.form,
        names=register().names,
        **words_for_templates(policy_catalogue()),
    )


def _widened(name: str) -> str:
    """Say what becomes more permissive: `trademark/trademark.owner`."""
    record_type, _slash, action = name.partition("/")
    return f"{word('type', record_type)}: {word('action', action)} ({name})"


def _told(faults: Sequence[Fault]) -> list[Fault]:
    """Point faults of single ticks at the list of ticks."""
    if any(fault.pointer.startswith("/ticks/") for fault in faults):
        return [Fault("/ticks", "not_ticked", _("To approve, tick each that becomes more permissive."))]
    return list(faults)


def _hindrance(error: Exception) -> Fault:
    if isinstance(error, EvidenceChangedError):
        return Fault("", "hindered", _("The evidence was collected anew since you opened this page: read it again."))
    if isinstance(error, OwnChangeError):
        return Fault("", "hindered", _("You wrote a part of this change: a second person reviews it."))
    return hindrance(error)
