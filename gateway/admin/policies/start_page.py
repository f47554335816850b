"""What the start page says about policies: reviews that wait for the person, drafts to go on with, emergencies."""

from collections.abc import Iterator

import svcs
from flask import url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from gateway.admin.waiting import Waiting
from gateway.clock import utc_now
from gateway.governance.changes import Changes
from gateway.governance.editors import Editor
from gateway.governance.emergencies import Emergencies
from gateway.people.access import SignedIn

LISTED = 20
"""So many of each are looked through; who has more waiting reads the lists."""


def waiting_changes(person: SignedIn) -> Iterator[Waiting]:
    """Tell approvers what they may review, authors which of theirs go on."""
    if not (person.may("policy_editor") or person.may("policy_approver")):
        return
    changes = svcs.flask.get(Changes)
    for change in changes.list(_editor(person), state="open", limit=LISTED):
        is_own = person.actor in change.contributors
        has_spoken = any(said.reviewer == person.actor and said.is_current for said in change.reviews)
        waits = change.state == "checked" and change.asked_at is not None
        if person.may("policy_approver") and waits and not is_own and not has_spoken:
            yield Waiting(
                _("“%(title)s” waits for your review", title=change.title),
                url_for("policy_pages.review", change_id=change.id),
            )
        elif is_own and change.is_base_moved:
            yield Waiting(
                _("“%(title)s”: other policies came into force, take them over", title=change.title),
                url_for("policy_pages.change", change_id=change.id),
            )
        elif is_own and change.state == "reviewed":
            yield Waiting(
                _("“%(title)s” is reviewed and can be put in force", title=change.title),
                url_for("policy_pages.change", change_id=change.id),
            )


def waiting_emergencies(person: SignedIn) -> Iterator[Waiting]:
    """Tell approvers which emergency denials nobody has reviewed yet."""
    if not person.may("policy_approver"):
        return
    rows = [
        row
        for row in svcs.flask.get(Emergencies).list(_editor(person), is_open=True)
        if row.verdict is None and row.actor != person.actor
    ]
    if rows:
        said = ngettext("%(num)s emergency denial to review", "%(num)s emergency denials to review", len(rows))
        is_late = any(row.review_due <= utc_now() for row in rows)
        yield Waiting(said, url_for("policy_pages.emergencies"), is_late=is_late)


def _editor(person: SignedIn) -> Editor:
    return Editor(person.actor, person.agency, person.roles)
