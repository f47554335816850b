"""`ipx-gateway quota`."""

from typing import Any, Final

import click

from gateway.agencies.models import Quota
from gateway.agencies.quotas import LIMITS, MOST, UNITS
from gateway.commands.context import actor, json_option, reported, services, show

COLUMNS = ("subject", *LIMITS, *(f"used_this_{unit}" for unit in UNITS))
KEEP: Final = -1


class _Limit(click.ParamType[int | None]):
    """A number from 1 on, or `none`."""

    name = "N|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == KEEP:
            return KEEP
        if value == "none":
            return None
        return click.IntRange(1, MOST).convert(value, param, ctx)


@click.group("quota")
def quota_group() -> None:
    """How much an agency or one of its clients may ask for."""


@quota_group.command("set")
@click.argument("subject", metavar="AGENCY[.SYSTEM]")
@click.option("--per-minute", type=_Limit(), default=KEEP, help="Exchanges in a minute.")
@click.option("--per-day", type=_Limit(), default=KEEP, help="Exchanges in a day of UTC.")
@click.option("--query-records", type=_Limit(), default=KEEP, help="Records in the answer to one query.")
@reported
def set_quota(subject: str, per_minute: int | None, per_day: int | None, query_records: int | None) -> None:
    """Limit what an agency or a client may ask for, from its next call on; what is not named stays.

    All exchanges count that are asked for, refused ones too; a repeat of the same bytes does not. Above the limit the
    answer is 429 with Retry-After, and no holder is asked. A call must fit the agency's quota and the client's.

    \b
    Example: ipx-gateway quota set customs-xa --per-minute 120 --per-day 50000
    Example: ipx-gateway quota set customs-xa.intake --query-records 100
    Example: ipx-gateway quota set customs-xa --per-day none
    """  # noqa: D301  (click wants the character \b itself)
    quotas = services().quotas
    present = quotas.of(subject)
    given = {"per_minute": per_minute, "per_day": per_day, "query_records": query_records}
    limits: dict[str, Any] = {name: getattr(present, name) if limit == KEEP else limit for name, limit in given.items()}
    if limits == {name: getattr(present, name) for name in LIMITS}:
        raise click.UsageError("name at least one limit that changes")
    quotas.set(subject, **limits, actor=actor())
    click.echo(f"quota of {subject}: {_words(limits)}, from its next call on")


@quota_group.command("show")
@click.argument("subject", metavar="AGENCY[.SYSTEM]")
@reported
def show_quota(subject: str) -> None:
    """Show one quota, and how much of it is used in this minute and this day."""
    for name, value in _row(services().quotas.of(subject)).items():
        click.echo(f"{name:18} {value if value is not None else 'no limit'}")


@quota_group.command("list")
@json_option
@reported
def list_quotas(*, as_json: bool) -> None:
    """List the quotas that are set; who is not listed has no limit."""
    show(map(_row, services().quotas.all()), COLUMNS, as_json=as_json)


def _row(quota: Quota) -> dict[str, Any]:
    used = services().quotas.used(quota.subject)
    limits = {name: getattr(quota, name) for name in LIMITS}
    return {"subject": quota.subject, **limits, **{f"used_this_{unit}": count for unit, count in used.items()}}


def _words(limits: dict[str, int | None]) -> str:
    said = {"per_minute": "exchanges a minute", "per_day": "exchanges a day", "query_records": "records a query"}
    return ", ".join(f"{limit} {said[name]}" for name, limit in limits.items() if limit is not None) or "no limit"
