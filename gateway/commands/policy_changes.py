"""`ipx-gateway policy changes|change|evidence|approve|reject|activate|rebase|rollback|history|emergency|explain`."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import click

from gateway.commands.context import fail, json_option, reported, services, show
from gateway.commands.policy_folders import CHANGE_COLUMNS, change_row, collected, operator
from gateway.errors import Fault, InvalidInputError
from gateway.governance.merging import KEEP, Keep
from gateway.governance.proposals import STATES, Change
from gateway.policy_api.documents import change_document, emergency_document, plain, version_document
from policies.engine import explain
from policies.policy_tests import PolicyTestError, question_of, read_test
from policies.reference import TIERS
from policies.text_difference import text_difference

WHEN = click.DateTime(["%Y-%m-%dT%H:%M:%S%z"])
VERSION_COLUMNS = ("id", "name", "kind", "actor", "at", "is_current", "policies")
EMERGENCY_COLUMNS = ("id", "tier", "owner", "policy_id", "actor", "until", "review_due", "verdict", "ended_at")

change_argument = click.argument("change", type=int)


@click.command("changes")
@click.option("--state", type=click.Choice(("open", "all", *STATES)), default="open", show_default=True)
@json_option
@reported
def list_changes(state: str, *, as_json: bool) -> None:
    """List change requests, the newest first."""
    wanted = None if state == "all" else state
    found = services().governance.changes.list(operator(), state=wanted, limit=200)
    show(map(change_row, found), CHANGE_COLUMNS, as_json=as_json)


@click.command("change")
@change_argument
@json_option
@reported
def show_change(change: int, *, as_json: bool) -> None:
    """Show a change request: what it changes, what the evidence found, who said what."""
    found = services().governance.changes.show(operator(), change)
    if as_json:
        show([change_document(found)], (), as_json=True)
        return
    for line in _lines(found):
        click.echo(line)


@click.command("evidence")
@change_argument
@reported
def collect_evidence(change: int) -> None:
    """Collect evidence of a change request: lint, validation, tests, difference, past exchanges.

    Phases and counts are told meanwhile; a collection that runs already is joined. Exit status 1 where the evidence
    does not pass.

    \b
    Example, after other policies came into force:
      ipx-gateway policy rebase 7 && ipx-gateway policy evidence 7
    """  # noqa: D301  (click wants the character \b itself)
    found = collected(change, services().governance.changes.show(operator(), change).version)
    for line in _lines(found):
        click.echo(line)
    if found.evidence_sha256 is None:
        fail("the evidence does not pass")


@click.command("approve")
@change_argument
@click.option("--tick", "ticks", multiple=True, metavar="TYPE/GROUP", help="What becomes more permissive, one by one.")
@click.option("--comment", default="", help="In your own words.")
@reported
def approve_change(change: int, ticks: tuple[str, ...], comment: str) -> None:
    """Approve a change request, as somebody who wrote no part of it: it counts for the account that types this.

    What would become more permissive has to be ticked, each by name; `policy change` lists it. Two people must approve
    such a change, and every change of guardrails.
    """
    _tell(_say(change, "approve", ticks, comment))


@click.command("reject")
@change_argument
@click.option("--comment", required=True, help="What is wrong with it.")
@reported
def reject_change(change: int, comment: str) -> None:
    """Reject a change request; it is over."""
    _tell(_say(change, "reject", (), comment))


@click.command("activate")
@change_argument
@click.option(
    "--at", "activate_at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="When, with its offset from UTC."
)
@click.option("--shadow-from", type=WHEN, help="Decide beside from then on.")
@reported
def activate_change(change: int, activate_at: datetime | None, shadow_from: datetime | None) -> None:
    """Put a reviewed change in force, now or at a time; every worker decides by it within a second.

    \b
    Example: ipx-gateway policy activate 7 --at 2026-12-01T00:00:00+00:00 --shadow-from 2026-11-26T00:00:00+00:00
    """  # noqa: D301  (click wants the character \b itself)
    governance, who = services().governance, operator()
    version = governance.changes.show(who, change).version
    if activate_at is None:
        _tell(governance.activations.activate(who, change, version=version))
        return
    _tell(
        governance.activations.schedule(who, change, version=version, activate_at=activate_at, shadow_from=shadow_from)
    )


@click.command("withdraw")
@change_argument
@reported
def withdraw_change(change: int) -> None:
    """Take a change request back."""
    governance, who = services().governance, operator()
    version = governance.changes.show(who, change).version
    _tell(governance.changes.withdraw(who, change, version=version))


@click.command("rebase")
@change_argument
@click.option("--keep", type=click.Choice(KEEP), help="Whose version counts of what both sides changed.")
@reported
def rebase_change(change: int, keep: Keep | None) -> None:
    """Take a change request over to what is in force now: what it changed stays changed, all else is as in force.

    What was changed on both sides is named, and nothing happens until you say which version counts: `ours`, the change
    request's, or `theirs`, the one in force. Evidence and reviews of before count no longer.

    \b
    Example: ipx-gateway policy rebase 7 --keep ours
    """  # noqa: D301  (click wants the character \b itself)
    governance, who = services().governance, operator()
    version = governance.changes.show(who, change).version
    _tell(governance.changes.rebase(who, change, version=version, keep=keep))


@click.command("history")
@click.argument("place", metavar="TIER/OWNER")
@json_option
@reported
def show_history(place: str, *, as_json: bool) -> None:
    """List what was in force for a tier and owner, the newest first."""
    tier, _, owner = place.partition("/")
    found = services().governance.activations.history(operator(), tier, owner)
    show(map(version_document, found), VERSION_COLUMNS, as_json=as_json)


@click.command("rollback")
@click.argument("place", metavar="TIER/OWNER")
@click.argument("activation", type=int)
@click.option("--reason", required=True, help="For the audit trail.")
@reported
def roll_back(place: str, activation: int, reason: str) -> None:
    """Put what was in force before in force again, as a new activation. `policy history` lists activations.

    \b
    Example: ipx-gateway policy rollback holder/ipo-xa 12 --reason "customs lost the owner's name"
    """  # noqa: D301  (click wants the character \b itself)
    tier, _, owner = place.partition("/")
    activations = services().governance.activations
    known = activations.history(operator(), tier, owner, limit=1000)
    if all(one.id != activation for one in known):
        raise click.ClickException(
            f"no activation {activation} of {place}; `ipx-gateway policy history {place}` lists them"
        )
    made = activations.roll_back(operator(), activation, in_force=known[0].id, reason=reason)
    click.echo(f"{place}: {made.name} is in force again, {len(made.policies)} policies")


@click.command("explain")
@click.argument("question", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--change", type=int, help="By the policies of a change request, not by those in force.")
@reported
def explain_question(question: Path, change: int | None) -> None:
    """Explain what a made-up question gets: the policies that decide, overridden permits, what would change it.

    QUESTION is a JSON file in the form that policy tests have, `{"question": {…}}` or the question alone.
    """
    asked = _read_question(question)
    books = services().books
    book = books.newest().book
    if change is not None:
        found = services().governance.changes.show(operator(), change)
        book = books.candidate(found.tier, found.owner, found.texts)
    try:
        test = read_test(
            {"name": "question", "question": asked, "expect": {"outcome": "released"}}, "holder", "some-holder"
        )
        told = explain(book, question_of(test, book.catalogue), "auditor")
    except PolicyTestError as error:
        raise InvalidInputError([Fault(error.pointer, "question", error.problem)]) from error
    click.echo(json.dumps(plain(told), indent=2, ensure_ascii=False))


def _read_question(path: Path) -> Any:
    """Read the question from a file.

    Raises:
        InvalidInputError: the file holds no JSON, or JSON that is no object.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError([Fault("", "json", f"{path} is no JSON: {error}")]) from error
    if not isinstance(document, dict):
        problem = 'an object is needed, `{"question": {…}}` or the question alone, as a policy test has it'
        raise InvalidInputError([Fault("", "object", f"{path}: {problem}")])
    return document.get("question", document)


@click.group("emergency")
def emergency_group() -> None:
    """Stop something at once: a forbid in force until a time, to be reviewed by somebody else within 24 hours."""


@emergency_group.command("deny")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tier", type=click.Choice(TIERS), default="guardrail", show_default=True)
@click.option("--owner", default="gateway", show_default=True)
@click.option("--until", required=True, type=WHEN, help="When it ends.")
@click.option("--reason", required=True, help="What happened.")
@reported
def emergency_deny(file: Path, tier: str, owner: str, until: datetime, reason: str) -> None:
    """Put one forbid in force now; the file's name is its id."""
    made = services().governance.emergencies.deny(
        operator(), tier, owner, file.stem, file.read_text("utf-8"), until=until, reason=reason
    )
    click.echo(f"emergency {made.id}: {tier}/{owner}/{made.policy_id} until {made.until:%Y-%m-%d %H:%M} UTC")


@emergency_group.command("review")
@click.argument("emergency", type=int)
@click.argument("verdict", type=click.Choice(("keep", "lift")))
@click.option("--comment", default="")
@reported
def emergency_review(emergency: int, verdict: str, comment: str) -> None:
    """Say as a second person whether it stays until its end or is lifted now."""
    services().governance.emergencies.review(
        operator(), emergency, "keep" if verdict == "keep" else "lift", comment=comment
    )
    click.echo(f"emergency {emergency}: {verdict}")


@emergency_group.command("list")
@json_option
@reported
def emergency_list(*, as_json: bool) -> None:
    """List emergency denials, the newest first."""
    show(
        map(emergency_document, services().governance.emergencies.list(operator())), EMERGENCY_COLUMNS, as_json=as_json
    )


def _say(change: int, verdict: str, ticks: tuple[str, ...], comment: str) -> Change:
    governance, who = services().governance, operator()
    seen = governance.changes.show(who, change)
    return governance.reviews.say(
        who,
        change,
        version=seen.version,
        evidence_sha256=seen.evidence_sha256 or "",
        verdict=cast("Any", verdict),
        comment=comment,
        ticks=ticks,
    )


def _tell(change: Change) -> None:
    when = f", active at {change.activate_at:%Y-%m-%d %H:%M} UTC" if change.activate_at else ""
    click.echo(
        f"change {change.id}: {change.state}, {len(change.approvals)} of {change.reviewers_needed} approvals{when}"
    )


def _lines(change: Change) -> list[str]:
    lines = [
        f"change      {change.id}, {change.state}, version {change.version}",
        f"about       {change.tier}/{change.owner}: {change.title}",
        f"reason      {change.reason or '-'}",
        f"written by  {', '.join(change.contributors)}",
        f"evidence    {change.evidence_sha256 or 'none that passes'}",
        f"approvals   {len(change.approvals)} of {change.reviewers_needed}",
    ]
    if change.is_base_moved:
        lines.append(f"void        other policies came into force meanwhile: `ipx-gateway policy rebase {change.id}`")
    if change.note:
        lines.append(f"note        {change.note}")
    lines += [
        f"  {one.kind:<10} {'passed' if one.is_passed else 'FAILED'}  {one.sha256[:16]}" for one in change.evidence
    ]
    lines += [f"  more permissive  {name}" for name in change.widened]
    lines += [f"  {said.reviewer}: {said.verdict} {said.comment}".rstrip() for said in change.reviews]
    for edit in change.edits:
        lines.append(f"--- {edit.name}")
        marks = {"same": " ", "removed": "-", "added": "+"}
        lines += (f"{marks[line.kind]} {line.text}" for line in text_difference(edit.old or "", edit.new or ""))
    return lines


COMMANDS = (
    list_changes,
    show_change,
    collect_evidence,
    approve_change,
    reject_change,
    activate_change,
    withdraw_change,
    rebase_change,
    show_history,
    roll_back,
    explain_question,
    emergency_group,
)
