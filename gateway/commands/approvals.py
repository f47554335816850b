"""`ipx-gateway approval`: what waits for a holder's release officers, and what they say, from the shell."""

from dataclasses import asdict

import click

from gateway.commands.context import actor, json_option, reported, services, show
from gateway.exchange.approval_views import task_document
from gateway.exchange.approvals import REASON_CODES, STATES, Officer, Task, TaskDetail

COLUMNS = ("id", "approval", "state", "requester", "record_type", "purpose", "groups", "voices", "expires_at")

agency_option = click.option("--agency", required=True, metavar="CODE", help="The holder whose officer you are.")
version_option = click.option(
    "--version", type=int, help="Decide only if the task is still at this version, as `show` prints it."
)
note_option = click.option("--note", default="", help="In your own words; encrypted, and erased with the exchange.")


@click.group("approval")
def approval_group() -> None:
    """Decide on requests that policy denies unless an officer of the holder approves.

    Each voice counts for the account that typed the command, in the audit trail and in the quorum: where two officers
    are wanted, two accounts have to speak.
    """


@approval_group.command("list")
@agency_option
@click.option("--state", type=click.Choice((*STATES, "all")), default="open", show_default=True)
@json_option
@reported
def list_approvals(agency: str, state: str, *, as_json: bool) -> None:
    """List what waits for a holder's officers, the nearest deadline first."""
    wanted = next((known for known in STATES if known == state), None)
    approvals, after, rows = services().approvals, None, list[Task]()
    while page := approvals.list(agency, state=wanted, after=after):
        rows += page
        after = page[-1].id
    show((_row(task) for task in rows), COLUMNS, as_json=as_json)


@approval_group.command("show")
@click.argument("task")
@agency_option
@json_option
@reported
def show_approval(task: str, agency: str, *, as_json: bool) -> None:
    """Show one request: who asks for what and why, what would be released, why policy denies it, who spoke already."""
    detail = services().approvals.show(task, agency)
    if as_json:
        members = {**task_document(detail.task), **{k: v for k, v in asdict(detail).items() if k != "task"}}
        show([members], (), as_json=True)
        return
    for line in _lines(detail):
        click.echo(line)


@approval_group.command("grant")
@click.argument("task")
@agency_option
@click.option("--reason-code", required=True, type=click.Choice(REASON_CODES["grant"]))
@click.option(
    "--groups", default="", metavar="A,B", help="Release these field groups only; all that are offered if left out."
)
@note_option
@version_option
@reported
def grant_approval(task: str, agency: str, reason_code: str, groups: str, note: str, version: int | None) -> None:
    """Grant an approval. With the last voice of the quorum the request is decided afresh at once.

    \b
    Example:
      ipx-gateway approval grant 019ab2… --agency ipo-xa --reason-code order_checked
    """  # noqa: D301  (click wants the character \b itself)
    approvals = services().approvals
    seen = approvals.show(task, agency).task.version if version is None else version
    names = [name.strip() for name in groups.split(",") if name.strip()]
    said = approvals.grant(
        task, Officer(actor(), agency), version=seen, reason_code=reason_code, groups=names or None, note=note
    )
    _tell(said)


@approval_group.command("refuse")
@click.argument("task")
@agency_option
@click.option("--reason-code", required=True, type=click.Choice(REASON_CODES["refuse"]))
@note_option
@version_option
@reported
def refuse_approval(task: str, agency: str, reason_code: str, note: str, version: int | None) -> None:
    """Refuse an approval; one refusal ends it, and the requester gets a denial with a receipt."""
    approvals = services().approvals
    seen = approvals.show(task, agency).task.version if version is None else version
    _tell(approvals.refuse(task, Officer(actor(), agency), version=seen, reason_code=reason_code, note=note))


@approval_group.command("period")
@click.argument("agency")
@click.argument("working_days", type=int, required=False)
@reported
def approval_period(agency: str, working_days: int | None) -> None:
    """Show or set how many working days a holder's officers have before a request is denied for want of an answer."""
    approvals = services().approvals
    if working_days is not None:
        approvals.set_period(agency, working_days, actor=actor())
    click.echo(f"{agency}: {approvals.period(agency)} working days")


def _row(task: Task) -> dict[str, object]:
    return {**task_document(task), "voices": f"{len(task.granted_by)} of {task.quorum}", "expires_at": task.expires_at}


def _lines(detail: TaskDetail) -> list[str]:
    task = detail.task
    supplier = f", through {task.supplier}" if task.supplier else ""
    lines = [
        f"approval     {task.approval} ({task.state}, version {task.version}, {len(task.granted_by)} of {task.quorum})",
        f"asked by     {task.requester}, client {task.client_id}{supplier}",
        f"record       {detail.record}",
        f"purpose      {task.purpose}, {detail.legal_basis}",
        f"case         {detail.case_ref or '-'}",
        f"asked for    {', '.join(detail.groups_asked) or 'all that policy grants'}",
        f"would go     {', '.join(task.groups)}",
        f"denied for   {detail.reason}",
        f"needs        {' or '.join(' and '.join(names) for names in detail.approvals)}",
        f"deadline     {task.expires_at:%Y-%m-%d %H:%M} UTC",
        f"exchange     {task.exchange_id}, {task.exchange_state}",
    ]
    lines += [f"said         {one.actor}: {one.verdict} ({one.reason_code}) {one.note}" for one in detail.verdicts]
    if not detail.is_current:
        lines.append("void         policies have changed since it was asked: granting will find it void")
    return lines


def _tell(task: Task) -> None:
    ended = "" if task.exchange_state == "pending" else f"; the exchange is {task.exchange_state}"
    click.echo(f"{task.approval}: {task.state}, {len(task.granted_by)} of {task.quorum} voices{ended}")
