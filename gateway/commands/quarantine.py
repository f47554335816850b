"""`ipx-gateway quarantine`."""

import sys
from collections import Counter

import click

from connectors.deadline import Deadline
from gateway.commands.context import json_option, reported, services, show
from gateway.intake.models import QuarantinedRecord

COLUMNS = ("id", "source", "reasons", "times", "last", "state")
DRIVE_SECONDS = 30


@click.group("quarantine")
def quarantine_group() -> None:
    """Records of holders that cannot be served, with every reason why."""


@quarantine_group.command("list")
@click.option("--source", help="Only those of this source.")
@click.option("--ended", is_flag=True, help="Those too that were driven through again.")
@json_option
@reported
def list_entries(source: str | None, *, ended: bool, as_json: bool) -> None:
    """List quarantined records, the newest first; keys and contents stay encrypted."""
    show(
        (
            {
                "id": row.id,
                "source": row.source,
                "reasons": _reasons(row),
                "times": row.times,
                "last": row.last_at,
                "state": row.ended or "waits",
            }
            for row in services().intake.quarantine.listed(source, ended=ended)
        ),
        COLUMNS,
        as_json=as_json,
    )


@quarantine_group.command("show")
@click.argument("entry_id", metavar="ID")
@click.option("--raw", is_flag=True, help="Print the record's bytes as they came, personal values and all.")
@reported
def show_entry(entry_id: str, *, raw: bool) -> None:
    """Show one quarantined record: where it stands in its source, and each reason with its place.

    Example: ipx-gateway quarantine show 0198f0c2-… --raw > record.xml
    """
    kept = services().intake.quarantine.entry(entry_id)
    if raw:
        sys.stdout.buffer.write(kept.raw)
        return
    click.echo(f"source  {kept.source}   key  {kept.key or '-'}   at  {kept.source_ref}")
    click.echo(
        f"came    {kept.times} times, first {kept.first_at:%Y-%m-%d %H:%M}, last {kept.last_at:%Y-%m-%d %H:%M} UTC"
    )
    click.echo(f"state   {kept.ended or 'waits'}   {len(kept.raw)} bytes of {kept.media_type}")
    for why in kept.reasons:
        said = " ".join(filter(None, (why["where"], why["detail"])))
        click.echo(f"  {why['field'] or '(whole record)'}  {why['reason']}  {said}".rstrip())


@quarantine_group.command("redrive")
@click.argument("entry_ids", metavar="[ID]...", nargs=-1)
@click.option("--source", help="All that wait of this source.")
@reported
def redrive_entries(entry_ids: tuple[str, ...], source: str | None) -> None:
    """Put quarantined records through their source again, once the source or its file is mended.

    Each is fetched anew where its key is known, else the bytes that were kept are mapped. Exit status 1 when any still
    waits.

    Example: ipx-gateway quarantine redrive --source customs-xa-detentions
    """
    found = services()
    waiting = [row.id for row in found.intake.quarantine.listed(source)] if source else list(entry_ids)
    if not waiting:
        raise click.ClickException("nothing to drive: name entries, or a source with some that wait")
    counts: Counter[str] = Counter()
    for entry_id in waiting:
        driven = found.intake.redrive.run(entry_id, Deadline.within(DRIVE_SECONDS))
        counts[driven.outcome] += 1
        click.echo(f"{entry_id}  {driven.outcome}  {', '.join(driven.reasons)}".rstrip())
    click.echo(" · ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    sys.exit(1 if counts.keys() - {"mapped", "absent"} else 0)


def _reasons(row: QuarantinedRecord) -> str:
    counted = Counter(why["reason"] for why in row.reasons)
    return ", ".join(reason if count == 1 else f"{reason} x{count}" for reason, count in counted.most_common())
