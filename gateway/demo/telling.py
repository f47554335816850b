"""How the story is told: acts with a heading, what happens in a sentence or two, and the outcome as a small table."""

import textwrap
from collections.abc import Callable, Iterable, Mapping
from itertools import count, groupby

from gateway.demo.turns import Turn
from ipx.answers import Answer, Denied, Failed, Pending, Released, ReleasedRecords, Withdrawn, Withheld
from ipx.commands.printing import lines_of, printable, table
from ipx.field_groups import by_group
from ipx.jws import Json

Echo = Callable[[str], None]
WIDTH = 110
LONGEST_VALUE = 46


class Teller:
    """Prints the story line by line to whoever listens."""

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._numbers = count(1)

    def act(self, heading: str, what_happens: str) -> None:
        self._echo("")
        self._echo(f"{next(self._numbers)}. {heading}")
        self.say(what_happens)

    def say(self, text: str) -> None:
        for line in textwrap.wrap(text, WIDTH - 3):
            self._echo(f"   {line}")

    def rows(self, rows: Iterable[tuple[str, ...]]) -> None:
        for line in table(rows, indent="     "):
            self._echo(line)

    def asks(self, turn: Turn) -> None:
        wanted = f" ({', '.join(turn.groups)})" if turn.groups else ""
        case = f", case {turn.case_ref}" if turn.case_ref else ""
        self._echo("")
        self._labelled(
            "asks",
            [
                f"{turn.client} asks {turn.holder} for {turn.record_type} {turn.key}{wanted}",
                f"for {turn.purpose}, {turn.legal_basis}{case}",
            ],
        )

    def outcome(self, answer: Answer, record_type: str) -> None:
        """Print one answer: what was released and withheld, or why not, and where it stands in the log."""
        match answer:
            case Released():
                groups = by_group(record_type, answer.fields)
                self._labelled("released", [line for group in groups.items() for line in _group_lines(*group)])
                self._labelled("withheld", _withheld_lines(answer.withheld))
                self._labelled(
                    "obliges", _wrapped(f"{name}: {_short(value)}" for name, value in answer.obligations.items())
                )
                seal = f", record sealed by the {answer.sealed_by}"
            case ReleasedRecords():
                self._labelled("released", [f"{len(answer.records)} records"])
                seal = f", records sealed by the {answer.sealed_by}"
            case Denied():
                self._labelled("denied", [f"{answer.title} ({answer.reason})"])
                self._labelled("withheld", _withheld_lines(answer.withheld))
                seal = ""
            case Failed():
                self._labelled("failed", [f"{answer.title} ({answer.reason}, at the stage {answer.stage})"])
                seal = ""
            case Pending():
                needed = " or ".join(" and ".join(names) for names in answer.approvals_needed)
                self._labelled("pending", [f"waits for {needed} until {answer.until}"])
                seal = ""
            case Withdrawn():
                self._labelled("withdrawn", ["the requester took it back"])
                seal = ""
        self._labelled("evidence", [f"entry {answer.evidence.log_index} of the log{seal}"])

    def finish(self, line: str) -> None:
        self._echo("")
        self._echo(line)

    def _labelled(self, label: str, lines: list[str]) -> None:
        for number, line in enumerate(lines):
            self._echo(f"     {label if number == 0 else '':9}{printable(line)}")


def _group_lines(group: str, members: Mapping[str, Json]) -> list[str]:
    shown = {name: value for name, value in members.items() if not name.endswith("_raw")}
    return _wrapped((f"{name}: {_short(value)}" for name, value in shown.items()), first=f"{group}  ")


def _withheld_lines(withheld: Iterable[Withheld]) -> list[str]:
    """Groups with one reason and one policy in one paragraph; every group is named."""
    by_cause = sorted(withheld, key=lambda row: (row.policy or "", row.reason, row.group))
    return [
        line
        for (policy, reason), rows in groupby(by_cause, key=lambda row: (row.policy, row.reason))
        for line in _wrapped((row.group for row in rows), first=f"{reason} ({policy or 'no policy grants it'}): ")
    ]


def _wrapped(parts: Iterable[str], first: str = "") -> list[str]:
    return textwrap.wrap(first + ", ".join(parts), WIDTH - 14, subsequent_indent="  ", break_on_hyphens=False)


def _short(value: Json) -> str:
    text = "; ".join(_gist(item) for item in value) if isinstance(value, list) else _gist(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _gist(value: Json) -> str:
    """Of an object what a person would call it by, of anything else all."""
    if isinstance(value, dict):
        for name in ("name", "description", "text", "texts"):
            if name in value:
                return _short(value[name])
    return "; ".join(lines_of(value))
