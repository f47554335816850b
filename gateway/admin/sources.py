"""Pages about sources: how they are, tried with five records, registered, replaced, suspended and resumed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import svcs
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from connectors.dry_run import HIDDEN, FieldGroups, Report, Unusable, dry_run
from connectors.quarantine import Quarantined
from gateway.admin.forms import SourceForm, faults_of, read, sent
from gateway.admin.reach import KEEPERS, require_national, source_in_reach
from gateway.admin.seen import is_as_seen, version
from gateway.admin.suspending import suspend
from gateway.admin.waiting import Waiting
from gateway.agencies.models import Source
from gateway.agencies.sources import Sources, parsed
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError, UnknownError
from gateway.intake.following import Following, SourceStatus
from gateway.intake.quarantine import Quarantine
from gateway.people.access import SignedIn, current_person, needs, needs_fresh_sign_in
from gateway.records.catalogue import CATALOGUE
from gateway.settings import Settings, variables_in_environment
from gateway.web.pages import render_form
from gateway.wiring import mapping_tools

TRIED_RECORDS: Final = 5


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of the first records of a source; values of groups that are not public are hidden."""

    faults: tuple[str, ...]
    records: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    rejected: tuple[Quarantined, ...]
    mapped_count: int
    rejected_count: int


def add_routes(pages: Blueprint) -> None:
    pages.add_url_rule("/sources", "sources", sources)
    pages.add_url_rule("/sources/add", "add_source", add_source, methods=["GET", "POST"])
    pages.add_url_rule("/sources/<name>", "source", source)
    pages.add_url_rule("/sources/<name>/test", "test_source", test_source, methods=["GET", "POST"])
    pages.add_url_rule("/sources/<name>/replace", "replace_source", replace_source, methods=["GET", "POST"])
    pages.add_url_rule("/sources/<name>/suspend", "suspend_source", suspend_source, methods=["GET", "POST"])
    pages.add_url_rule("/sources/<name>/resume", "resume_source", resume_source, methods=["POST"])


@needs(*KEEPERS)
def sources() -> str:
    """List sources with what their last runs left; none of them is asked anything for this page."""
    return render_template("admin/sources.html", sources=_with_status(current_person()))


@needs(*KEEPERS)
def source(name: str) -> str:
    """Show a source and ask it how it is, without record data."""
    shown = source_in_reach(name)
    file = parsed(shown.text)
    return render_template(
        "admin/source.html",
        source=shown,
        version=version(shown),
        file=file,
        health=svcs.flask.get(Following).health(name),
        entries=svcs.flask.get(Quarantine).listed(name)[:TRIED_RECORDS],
        groups=CATALOGUE.types[shown.record_type].fields,
    )


@needs(*KEEPERS)
def test_source(name: str) -> ResponseReturnValue:
    """Map five records of the source as it is registered, and write nothing."""
    shown = source_in_reach(name)
    if request.method == "GET":
        return render_form("admin/source_test.html", source=shown, tried=None)
    svcs.flask.get(Sources).note_tried(name, actor=current_person().actor)
    return render_form("admin/source_test.html", source=shown, tried=_words(_tried(shown.text)))


@needs("administrator")
@needs_fresh_sign_in
def add_source() -> ResponseReturnValue:
    """Register a source file. It may name any secret and address of this gateway, so its own people do that."""
    require_national()
    if request.method == "GET":
        return render_form("admin/source_form.html", values={})
    return _saved(None)


@needs("administrator")
@needs_fresh_sign_in
def replace_source(name: str) -> ResponseReturnValue:
    require_national()
    shown = source_in_reach(name)
    if request.method == "GET":
        values = {"text": shown.text, "version": version(shown)}
        return render_form("admin/source_form.html", values=values, source=shown)
    return _saved(shown)


@needs("administrator")
@needs_fresh_sign_in
def suspend_source(name: str) -> ResponseReturnValue:
    """Ask why, then stop asking the source from the next exchange on."""
    shown = source_in_reach(name)
    return suspend(
        shown,
        name,
        subject=shown.name,
        consequence=_("Exchanges for its records fail until it is resumed."),
        back=url_for("admin.source", name=name),
        act=partial(svcs.flask.get(Sources).suspend, name),
    )


@needs("administrator")
@needs_fresh_sign_in
def resume_source(name: str) -> ResponseReturnValue:
    source_in_reach(name)
    svcs.flask.get(Sources).resume(name, actor=current_person().actor, check=is_as_seen)
    flash(_("%(name)s is asked again.", name=name), "success")
    return redirect(url_for("admin.source", name=name), code=303)


def waiting_sources(person: SignedIn) -> Iterator[Waiting]:
    """Tell keepers of sources that are down or behind."""
    if not person.roles & set(KEEPERS):
        return
    for shown, status in _with_status(person):
        if status.state in {"down", "stale"}:
            said = {"down": _("Source %(name)s is down", name=shown.name)}.get(
                status.state, _("Source %(name)s is behind", name=shown.name)
            )
            yield Waiting(said, url_for("admin.source", name=shown.name), is_late=True)


def _saved(known: Source | None) -> ResponseReturnValue:
    """Try or register what was typed; the button says which."""
    values = sent()
    values["text"] = request.form.get("text", "").replace("\r\n", "\n")
    try:
        text = values["text"] = read(SourceForm)["text"].replace("\r\n", "\n")
        file = parsed(text)
        _require_same(file.name, known)
        if request.form.get("act") == "test":
            svcs.flask.get(Sources).note_tried(file.name, actor=current_person().actor)
            return render_form("admin/source_form.html", values=values, source=known, tried=_words(_tried(text)))
        check = is_as_seen if known is not None else (lambda _row: None)
        added = svcs.flask.get(Sources).add(text, actor=current_person().actor, replace=known is not None, check=check)
    except UnknownError:
        faults = [Fault("/text", "", _("The holder that the file names is not registered"))]
        return render_form("admin/source_form.html", faults, values=values, source=known)
    except (InvalidInputError, AlreadyExistsError) as error:
        faults = [fault if fault.pointer == "/text" else _in_text(fault) for fault in faults_of(error, "text")]
        return render_form("admin/source_form.html", faults, values=values, source=known)
    flash(_("%(name)s serves %(type)s records from now on.", name=added.name, type=added.record_type), "success")
    return redirect(url_for("admin.source", name=added.name), code=303)


def _require_same(name: str, known: Source | None) -> None:
    if known is not None and name != known.name:
        raise InvalidInputError([Fault("/source/name", "name", f"the file is of {name}, this page of {known.name}")])


def _in_text(fault: Fault) -> Fault:
    """Lead a fault inside a source file to the one field in which the file was typed, saying where in it."""
    where = "" if fault.code == "exists" else f"{fault.pointer or '/'}: "
    return Fault("/text", "" if where else fault.code, f"{where}{fault.detail}")


def _with_status(person: SignedIn) -> list[tuple[Source, SourceStatus]]:
    status = {one.source: one for one in svcs.flask.get(Following).status()}
    shown = [source for source in svcs.flask.get(Sources).sources() if person.covers(source.holder)]
    return [(source, status[source.name]) for source in shown if source.name in status]


def _tried(text: str) -> Report | Unusable:
    return dry_run(
        text,
        secrets=svcs.flask.get(Settings).secrets,
        variables={**variables_in_environment(), "IPX_SOURCES": str(svcs.flask.get(Settings).sources)},
        tools=mapping_tools(),
        groups=_field_groups,
        show=TRIED_RECORDS,
        records_max=TRIED_RECORDS,
    )


def _field_groups(record_type: str) -> FieldGroups:
    known = CATALOGUE.types[record_type]
    hidden = frozenset(
        name for name, group in known.groups.items() if group.personal or group.classification != "public"
    )
    return FieldGroups(known.fields, hidden)


def _words(outcome: Report | Unusable) -> Tried:
    if isinstance(outcome, Unusable):
        faults = [f"{fault.pointer or '/'}: {fault.detail}" for fault in outcome.faults]
        return Tried(tuple(faults) or (outcome.reason,), (), (), 0, 0)
    hidden = outcome.groups.personal
    records = tuple(
        (shown.key, tuple((name, _shown(name, value, outcome, hidden)) for name, value in shown.fields.items()))
        for shown in outcome.shown
    )
    return Tried((), records, tuple(outcome.quarantined), outcome.mapped, len(outcome.quarantined))


def _shown(name: str, value: object, report: Report, hidden: frozenset[str]) -> str:
    group = report.groups.of_field.get(name)
    return HIDDEN if group is None or group in hidden else str(value)
