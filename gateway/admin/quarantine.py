"""Pages about records that cannot be served: why, and driven through their source again."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import svcs
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from connectors.deadline import Deadline
from gateway.admin.reach import KEEPERS, source_in_reach
from gateway.admin.waiting import Waiting
from gateway.agencies.sources import Sources
from gateway.errors import UnknownError
from gateway.intake.quarantine import Quarantine, Redrive
from gateway.people.access import SignedIn, current_person, needs

DRIVE_SECONDS: Final = 20
DRIVEN_AT_ONCE: Final = 20
"""More of them are driven by the command, which has more time than a page."""


def add_routes(pages: Blueprint) -> None:
    pages.add_url_rule("/sources/<name>/quarantine", "quarantine", quarantine)
    pages.add_url_rule("/sources/<name>/quarantine/<entry_id>", "quarantined", quarantined)
    pages.add_url_rule("/sources/<name>/quarantine/redrive", "redrive", redrive, methods=["POST"])


@needs(*KEEPERS)
def quarantine(name: str) -> str:
    source = source_in_reach(name)
    shows_ended = request.args.get("show") == "all"
    entries = svcs.flask.get(Quarantine).listed(name, ended=shows_ended)
    return render_template(
        "admin/quarantine.html",
        source=source,
        entries=[(entry, Counter(why["reason"] for why in entry.reasons).most_common()) for entry in entries],
        shows_ended=shows_ended,
        waiting=sum(entry.ended_at is None for entry in entries),
        at_once=DRIVEN_AT_ONCE,
    )


@needs(*KEEPERS)
def quarantined(name: str, entry_id: str) -> str:
    """Show one entry: each reason with its place, and where it stands in its source; never its contents."""
    source = source_in_reach(name)
    entry = svcs.flask.get(Quarantine).entry(entry_id)
    if entry.source != source.name:
        raise UnknownError(f"source {name} has no entry {entry_id}")
    return render_template("admin/quarantined.html", source=source, entry=entry)


@needs(*KEEPERS)
def redrive(name: str) -> ResponseReturnValue:
    """Drive one entry, or the first of those that wait."""
    source_in_reach(name)
    kept, service = svcs.flask.get(Quarantine, Redrive)
    waiting = [entry.id for entry in kept.listed(name) if entry.ended_at is None]
    chosen = request.form.get("entry")
    ids = [entry for entry in waiting if chosen in {None, entry}][:DRIVEN_AT_ONCE]
    deadline = Deadline.within(DRIVE_SECONDS)
    outcomes: Counter[str] = Counter(service.run(entry, deadline).outcome for entry in ids)
    svcs.flask.get(Sources).note_redriven(name, dict(outcomes), actor=current_person().actor)
    served = outcomes["mapped"] + outcomes["absent"]
    still = outcomes.total() - served
    if served:
        flash(ngettext("%(num)s record is settled.", "%(num)s records are settled.", served), "success")
    if still:
        flash(ngettext("%(num)s record still waits.", "%(num)s records still wait.", still), "error")
    if not ids:
        flash(_("Nothing waits here."), "error")
    return redirect(url_for("admin.quarantine", name=name), code=303)


def waiting_records(person: SignedIn) -> Iterator[Waiting]:
    """Tell keepers how many records of their sources wait."""
    if not person.roles & set(KEEPERS):
        return
    held, kept = svcs.flask.get(Sources, Quarantine)
    for source in held.sources():
        count = kept.open_count(source.name) if person.covers(source.holder) else 0
        if count:
            said = ngettext(
                "%(num)s record of %(name)s cannot be served",
                "%(num)s records of %(name)s cannot be served",
                count,
                name=source.name,
            )
            yield Waiting(said, url_for("admin.quarantine", name=source.name))
