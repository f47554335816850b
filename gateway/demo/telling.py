"""How the story is told: acts with a heading, what happens in a sentence or two, and the outcome as a small table."""

import textwrap
from collections.abc import Callable, Iterable
from itertools import count

from gateway.demo.turns import Turn
from ipx.answers import Answer, Denied, Failed, Released, Withheld
from ipx.commands.printing import printable, table
from ipx.field_groups import by_group

Echo = Callable[[str], None]
WIDTH = 100


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
        self.rows(
            [
                ("asks", f"{turn.client} asks {turn.holder} for {turn.record_type} {turn.key}{wanted}"),
                ("", f"for {turn.purpose}, {turn.legal_basis}{case}"),
            ]
        )

    def finish(self, line: str) -> None:
        self._echo("")
        self._echo(line)

    def outcome(self, answer: Answer, record_type: str) -> None:
        """Print one answer: what was released and withheld, or why not, and where it stands in the log."""
        match answer:
            case Released():
                rows = [("released", f"sealed by the {answer.sealed_by}")]
                rows += [
                    ("", f"{group}: {', '.join(members)}")
                    for group, members in by_group(record_type, answer.fields).items()
                ]
                rows += _withheld(answer.withheld)
                rows += [("obligation", f"{name}: {value}") for name, value in answer.obligations.items()]
            case Denied():
                rows = [("denied", f"{answer.title} ({answer.reason})"), *_withheld(answer.withheld)]
            case Failed():
                rows = [("failed", f"{answer.title} ({answer.reason}, stage {answer.stage})")]
        evidence = answer.evidence
        rows.append(("evidence", f"exchange {evidence.exchange}, entry {evidence.log_index} of the log"))
        self.rows([(left, printable(right)) for left, right in rows])


def _withheld(rows: tuple[Withheld, ...]) -> list[tuple[str, str]]:
    return [("withheld", f"{row.group}: {row.reason} ({row.policy or 'no policy grants it'})") for row in rows]
