"""`ipx-gateway policy lint|test|diff|replay|propose|export`: a folder of Cedar files, in git or anywhere, as source."""

import math
from pathlib import Path
from typing import Any

import click

from gateway.commands.context import actor, fail, json_option, reported, services, show
from gateway.errors import Fault, InvalidInputError
from gateway.governance.collecting import Progress
from gateway.governance.editors import Editor
from gateway.governance.folders import Folder, read_folder, write_folder
from gateway.governance.proposals import Change
from gateway.policy_api.documents import plain, summary_document
from gateway.records.policy_catalogue import policy_catalogue
from policies.diff import Comparison
from policies.engine import BookError, PolicyBook, compile_book
from policies.lint import lint
from policies.policy_tests import report
from policies.reference import TIERS
from policies.untrusted import examine

CHANGE_COLUMNS = ("id", "state", "tier", "owner", "title", "author", "approvals", "policies")

folder_argument = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))


def folder_of(path: Path) -> Folder:
    """Read the policies and tests below a folder; other files of a repository are left alone.

    Raises:
        InvalidInputError: a file is no text, or as `read_folder` raises it.
    """
    found = [*path.glob("guardrails/*.cedar"), *path.glob("holder/*/*.cedar"), *path.glob("egress/*/*.cedar")]
    found += path.glob("tests/*/*.json")
    texts: dict[str, str] = {}
    for file in found:
        name = file.relative_to(path).as_posix()
        try:
            texts[name] = file.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInputError([Fault("", "encoding", f"{name} is no text in UTF-8")]) from error
    return read_folder(texts)


def operator() -> Editor:
    return Editor.operator(actor())


def collected(change_id: int, version: int, *, is_told: bool = True) -> Change:
    """Collect evidence of a change; `is_told`: say on standard error which phase it is in and how far."""
    governance, who = services().governance, operator()
    told = ""

    def tell(found: Progress) -> None:
        nonlocal told
        count = f" {found.done} of {found.total}" if found.total else ""
        line = f"change {change_id}: {found.phase + count if found.is_running else found.state}"
        if line != told:
            told = line
            click.echo(line, err=True)

    governance.collecting.begin(who, change_id, version=version)
    governance.collecting.wait(change_id, math.inf, tell if is_told else None).require_success()
    return governance.changes.show(who, change_id)


def change_row(change: Any) -> dict[str, Any]:
    return {**summary_document(change), "approvals": f"{len(change.approvals)} of {change.reviewers_needed}"}


@click.command("lint")
@folder_argument
@json_option
@reported
def lint_folder(folder: Path, *, as_json: bool) -> None:
    """Say what is wrong with the policies of a folder. Needs no gateway: for an editor or a build server.

    Exit status 1 where a finding is an error.
    """
    texts, catalogue = folder_of(folder).texts, policy_catalogue()
    rows: list[dict[str, Any]] = []
    for text, findings in zip(texts, examine([one.cedar for one in texts]), strict=True):
        rows += (
            {"policy": _place(text.ref), "severity": one.severity, "code": one.code, "message": one.message}
            for one in findings or lint(text.cedar, text.ref.tier, text.ref.owner, catalogue)
        )
    if not rows and not as_json:
        click.echo(f"{len(texts)} policies, nothing to find")
        return
    show(rows, ("policy", "severity", "code", "message"), as_json=as_json)
    if any(row["severity"] == "error" for row in rows):
        fail(f"{sum(row['severity'] == 'error' for row in rows)} errors")


@click.command("test")
@folder_argument
@json_option
@reported
def test_folder(folder: Path, *, as_json: bool) -> None:
    """Run the policy tests of a folder against its policies. Needs no gateway.

    Exit status 1 where one fails, or where a record type that is opened has no test that it stays closed.
    """
    found = folder_of(folder)
    book = _book_of(found)
    rows: list[dict[str, Any]] = []
    missing: list[str] = []
    for tier_name, owner in found.places:
        tier = next(one for one in TIERS if one == tier_name)
        tests = report(book, tier, owner, [one for one in found.tests if (one.tier, one.owner) == (tier, owner)])
        rows += (
            {"tests": f"{tier}/{owner}", "test": one.name, "passed": one.is_passed, "why": "; ".join(one.failures)}
            for one in tests.results
        )
        missing += [f"{tier}/{owner}: no test that {name} stays closed" for name in tests.missing]
    show(rows, ("tests", "test", "passed", "why"), as_json=as_json)
    for line in missing:
        click.echo(line, err=True)
    failed = sum(not row["passed"] for row in rows)
    if failed or missing:
        fail(f"{failed} failed, {len(missing)} missing")


@click.command("diff")
@folder_argument
@json_option
@reported
def diff_folder(folder: Path, *, as_json: bool) -> None:
    """Say what a folder would change for each record type and field group, with a witness that Cedar confirmed.

    A witness is a made-up request and record that only one of the two sets of policies lets through.
    """
    runs = services().governance.runs
    for (tier, owner), in_force, candidate in _candidates(folder):
        found = runs.compare(in_force, candidate, next(one for one in TIERS if one == tier), owner)
        _show_comparison(f"{tier}/{owner}", found, as_json=as_json)


@click.command("replay")
@folder_argument
@click.option("--days", default=90, show_default=True, help="How far back.")
@click.option("--limit", default=10_000, show_default=True, help="At most so many exchanges, the newest.")
@json_option
@reported
def replay_folder(folder: Path, days: int, limit: int, *, as_json: bool) -> None:
    """Ask the questions of past exchanges again, of a folder's policies: who would gain or lose what."""
    columns = ("agency", "replayed", "newly_allowed", "newly_denied", "groups", "obligations", "gained", "lost")
    for (tier, owner), _, candidate in _candidates(folder):
        side = {"holder": {"holder": owner}, "egress": {"requester": owner}}.get(tier, {})
        found = services().governance.replays.against(
            candidate, days=days, limit=limit, holder=side.get("holder"), requester=side.get("requester")
        )
        document = found.document()
        click.echo(
            f"{tier}/{owner}: {found.replayed} replayed, {found.unchanged} unchanged, "
            f"{sum(found.not_replayable.values())} not replayable",
            err=as_json,
        )
        rows = [
            {"agency": code, **{k: v for k, v in tally.items() if k != "examples"}}
            for code, tally in document["agencies"].items()
        ]
        show(rows, columns, as_json=as_json)


@click.command("propose")
@folder_argument
@click.option("--title", required=True, help="What reviewers see first.")
@click.option("--reason", default="", help="Why; ticket, legal basis.")
@click.option("--draft", is_flag=True, help="Only open drafts: no evidence, no review yet.")
@json_option
@reported
def propose_folder(folder: Path, title: str, reason: str, *, draft: bool, as_json: bool) -> None:
    """Open a change request for each tier and owner where a folder differs from what is in force.

    Evidence is collected and review asked for; where the evidence does not pass, the draft stays and says why.

    \b
    Example, in a repository of policies:
      ipx-gateway policy lint . && ipx-gateway policy test .
      ipx-gateway policy propose . --title "Customs sees priority data" --reason "MoU 2026, art. 3"
      ipx-gateway policy approve 7         (somebody else)
      ipx-gateway policy activate 7
    """  # noqa: D301  (click wants the character \b itself)
    governance = services().governance
    made = list(governance.folders.propose(operator(), folder_of(folder), title=title, reason=reason))
    if not draft:
        for number, change in enumerate(made):
            checked = collected(change.id, change.version, is_told=not as_json)
            if checked.state == "checked":
                checked = governance.changes.ask_review(operator(), checked.id, version=checked.version)
            made[number] = checked
    if not made:
        click.echo("the folder says what is in force", err=True)
        return
    show(map(change_row, made), CHANGE_COLUMNS, as_json=as_json)
    failed = [str(one.id) for one in made if not draft and one.state == "draft"]
    if failed:
        fail(f"evidence does not pass: `ipx-gateway policy change {failed[0]}` says why")


@click.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--tier", type=click.Choice(TIERS))
@click.option("--owner", metavar="CODE")
@reported
def export_folder(folder: Path, tier: str | None, owner: str | None) -> None:
    """Write the policies in force and their tests into a folder; files of the same names are replaced."""
    found = services().governance.folders.in_force(operator(), tier=tier, owner=owner)
    files = write_folder(found.texts, found.tests)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, "utf-8")
    click.echo(f"{folder}: {len(found.texts)} policies, {len(found.tests)} tests")


def _candidates(folder: Path) -> list[tuple[tuple[str, str], PolicyBook, PolicyBook]]:
    """Give, for each tier and owner of a folder, the book in force and the one there would be."""
    found = folder_of(folder)
    services().policies.checked(found.texts)
    books = services().books
    in_force = books.newest().book
    candidates = []
    for tier, owner in found.places:
        own = [one for one in found.texts if (one.ref.tier, one.ref.owner) == (tier, owner)]
        candidates.append(((tier, owner), in_force, books.candidate(tier, owner, own)))
    return candidates


def _book_of(folder: Folder) -> PolicyBook:
    try:
        return compile_book(policy_catalogue(), folder.texts, ())
    except BookError as error:
        raise click.ClickException(f"{_place(error.ref)}: {error.problem}") from error


def _show_comparison(place: str, found: Comparison, *, as_json: bool) -> None:
    if as_json:
        show([{"place": place, **plain(found)}], (), as_json=True)
        return
    changed = [pair for pair in found.pairs if pair.change != "equivalent"]
    click.echo(
        f"{place}: {len(changed)} of {len(found.pairs)} pairs change" + (f"; {found.failure}" * bool(found.failure))
    )
    for pair in changed:
        click.echo(f"  {pair.record_type}  {pair.name}  {pair.change.replace('_', ' ')}  {pair.reason}".rstrip())
        for word, witness in (("now also", pair.gained), ("no longer", pair.lost)):
            if witness is not None:
                asking = witness["asking"]
                facts = ", ".join(f"{name} {value}" for name, value in witness["facts"].items()) or "a plain record"
                click.echo(f"    {word}: {asking['code']} ({asking['kind']}) for {witness['purpose']}; {facts}")
    for duty in found.obligations:
        click.echo(f"  {duty.policy}: obligations {duty.old} → {duty.new}")
    for finding in found.findings:
        click.echo(f"  {finding.policy}: {finding.severity}: {finding.message}")


def _place(ref: Any) -> str:
    return f"{ref.tier}/{ref.owner}/{ref.policy_id}"


COMMANDS = (lint_folder, test_folder, diff_folder, replay_folder, propose_folder, export_folder)
