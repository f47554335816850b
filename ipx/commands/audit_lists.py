"""Lists of `ipx audit`: the options of their filters, and how a page of each is told."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from ipx.auditing import FoundPage, Kind
from ipx.commands.printing import print_json, table
from ipx.jws import Json

Command = TypeVar("Command", bound=Callable[..., Any])
Item = dict[str, Json]
_FILTERS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "exchanges": (
        ("requester", "AGENCY", "asked by this agency"),
        ("holder", "AGENCY", "asked of this agency"),
        ("by", "ID", "by this system"),
        ("record-type", "TYPE", "for records of this type"),
        ("record", "URN", "for this very record"),
        ("right", "KEY", "about this right: XA|trademark|202400017"),
        ("purpose", "WORD", "for this purpose"),
        ("legal-basis", "TEXT", "whose legal basis holds these words"),
        ("case", "NUMBER", "of this case, written as in the request"),
        ("outcome", "WORDS", "released,denied,pending,failed,withdrawn: any of these"),
        ("reason", "CODE", "refused or failed for this reason"),
        ("withheld", "GROUP", "without this field group"),
        ("book", "DIGEST", "decided by the policies of this digest, or its first digits"),
        ("person", "NAME", "asked by this person, as the request names them, or decided by this officer"),
        ("policy-version", "VERSION", "decided by this version of policies: ipo-xa@1a2b3c4d"),
    ),
    "sign-ins": (
        ("person", "NAME", "of this person, as they sign in"),
        ("agency", "AGENCY", "of this agency's people"),
        ("outcome", "WORDS", "signed_in,refused,signed_out,ended: any of these"),
    ),
    "acts": (
        ("agency", "AGENCY", "done by this agency, or to it and what is its own"),
        ("actor", "NAME", "done by this person or system"),
        ("act", "WORD", "this act, or all of one kind: client, policy, audit"),
        ("subject", "NAME", "done to this"),
    ),
    "recalls": (
        ("holder", "AGENCY", "made by this holder"),
        ("addressee", "AGENCY", "of which this agency was told"),
        ("kind", "WORD", "corrected, sealed, unsealed, recalled or erased"),
        ("record-type", "TYPE", "of records of this type"),
        ("record", "URN", "of this very record"),
        ("state", "WORD", "open, overdue, acknowledged, disputed or told, at one addressee at least"),
        ("right", "KEY", "given out in an exchange about this right"),
        ("purpose", "WORD", "given out for this purpose"),
        ("legal-basis", "TEXT", "given out on a legal basis that holds these words"),
        ("case", "NUMBER", "given out for this case"),
        ("person", "NAME", "given out to this person, or by this officer's decision"),
        ("policy-version", "VERSION", "given out by this version of policies"),
    ),
}
_FILTERS["decisions"] = _FILTERS["exchanges"]
_TIMES = (
    ("since", "TIME", "from this day or instant on"),
    ("until", "TIME", "before this instant; a day means all of it"),
)

limit_option = click.option(
    "--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Lines to show."
)


def filters(kind: Kind) -> Callable[[Command], Command]:
    """Give a command the options of a list's filter."""

    def add(command: Command) -> Command:
        for name, meta, said in reversed((*_FILTERS[kind], *_TIMES)):
            command = click.option(f"--{name}", metavar=meta, help=f"Only {said}.")(command)
        return command

    return add


def national(command: Command) -> Command:
    """Give a command the option to look at all agencies."""
    said = "All agencies, where your system may (scope audit:national); else your own agency's side."
    return click.option("--national", is_flag=True, help=said)(command)


def wanted(given: dict[str, str | None]) -> dict[str, str]:
    """Give the filter that was typed."""
    names = {"by": "client"}  # `--client` says who calls
    return {names.get(name, name): value for name, value in given.items() if value is not None}


def show_page(kind: Kind, page: FoundPage, *, as_json: bool) -> None:
    """Print a page of a list, and how many there are in all."""
    if as_json:
        print_json({"total": page.total, "items": [*page.items]})
        return
    heading, row, rest = _TOLD[kind]
    for line in table([heading, *map(row, page.items)]):
        click.echo(line)
    click.echo(f"{len(page.items)} of {page.total} {rest}")


def _outcome(item: Item) -> str:
    return str(item["outcome"]) + (f" ({item['reason']})" if item.get("reason") else "")


def _exchange(item: Item) -> tuple[str, ...]:
    between = f"{item['requester']} → {item['holder']}"
    return str(item["received_at"]), str(item["id"]), between, str(item["record_type"]), _outcome(item)


def _decision(item: Item) -> tuple[str, ...]:
    policies, withheld = item.get("policies"), item.get("withheld")
    return (
        str(item["decided_at"] or item["received_at"]),
        str(item["exchange"]),
        f"{item['requester']} → {item['holder']}",
        _outcome(item),
        ", ".join(map(str, policies.values())) if isinstance(policies, dict) else "-",
        f"{len(withheld)} groups" if isinstance(withheld, list) and withheld else "-",
    )


def _act(item: Item) -> tuple[str, ...]:
    return str(item["at"]), str(item["actor"]), str(item["act"]), str(item["subject"])


def _sign_in(item: Item) -> tuple[str, ...]:
    said = item.get("via") or item.get("factor")
    return (*(str(item[name] or "-") for name in ("at", "person", "outcome")), str(said or "-"), str(item["ip"] or "-"))


def _recall(item: Item) -> tuple[str, ...]:
    return (
        *(str(item[name]) for name in ("made_at", "id", "kind", "holder", "record_type")),
        str(item["due_at"] or "-") + (" overdue" if item["overdue"] else ""),
        f"{item['acknowledged']} of {item['addressed']}",
    )


Told = tuple[tuple[str, ...], Callable[[Item], tuple[str, ...]], str]
_TOLD: Final[dict[str, Told]] = {
    "exchanges": (
        ("TIME (UTC)", "EXCHANGE", "FROM → TO", "TYPE", "OUTCOME"),
        _exchange,
        "exchanges. Open one: ipx audit show ID",
    ),
    "decisions": (
        ("TIME (UTC)", "EXCHANGE", "FROM → TO", "OUTCOME", "POLICIES", "WITHHELD"),
        _decision,
        "decisions. Why: ipx audit show ID",
    ),
    "acts": (("TIME (UTC)", "WHO", "DID", "TO"), _act, "acts."),
    "sign-ins": (("TIME (UTC)", "PERSON", "OUTCOME", "BY WHAT", "FROM WHERE"), _sign_in, "sign-ins."),
    "recalls": (
        ("TIME (UTC)", "RECALL", "KIND", "HOLDER", "TYPE", "DUE", "ACKNOWLEDGED"),
        _recall,
        "recalls. Open one: ipx audit recall ID",
    ),
}
"""Of each list: its heading, how one line is told, and what follows the count."""


def objects(value: Json) -> list[dict[str, Json]]:
    """Take the objects of a list; nothing of anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
