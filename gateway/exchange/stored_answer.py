"""An answer at rest: what it says beside its evidence, apart from the disclosed fields, which are the first to go.

| object | holds |
|---|---|
| `answer` | JSON: the record's signed part without fields, who sealed it, obligations, withheld groups, erased fields |
| `disclosures` | the disclosed fields, joined by `~`; only of a release; deleted by schedule |
| `pending` | JSON: what a pending exchange waits for and what its approvals are bound to |
| `pending_snapshot` `snapshot` | what the policies were asked, when it became pending and when it ended |

The record's signed part holds digests of fields and the clear envelope: it proves what was handed over, without it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final, Literal

from gateway.exchange.outcomes import (
    ApprovalWanted,
    Failed,
    Outcome,
    Pending,
    Released,
    ReleasedRecords,
    Withdrawn,
    Withheld,
)
from gateway.web.documents import json_bytes
from ipx.sdjwt import digest
from ipx.values import value

ANSWER: Final = "answer"
DISCLOSURES: Final = "disclosures"
WAITING: Final = "pending"


@value
class StoredAnswer:
    issuer_jwt: str | None
    """The record before its first `~`; None where nothing was released."""
    disclosures: tuple[str, ...]
    sealed_by: Literal["holder", "gateway"] | None
    obligations: Mapping[str, Any]
    withheld: list[dict[str, Any]]
    erased: tuple[str, ...] = ()
    """Digests of fields that were handed over and erased since, one by one."""
    is_whole: bool = True
    """False where the disclosures were deleted by schedule."""
    several: "SeveralRecords | None" = None
    """Of a query: `issuer_jwt` then holds its records' on lines, and `disclosures` theirs one after another."""

    @property
    def presentations(self) -> tuple[str, ...]:
        """The records as handed over, without what was erased since."""
        if self.issuer_jwt is None:
            return ()
        if self.several is None:
            return ("~".join([self.issuer_jwt, *self.disclosures, ""]),)
        rest, found = iter(self.disclosures), []
        for jwt, count in zip(self.issuer_jwt.split("\n"), self.several.counts, strict=True):
            found.append("~".join([jwt, *islice(rest, count if self.is_whole else 0), ""]))
        return tuple(found)

    @property
    def presentation(self) -> str | None:
        """The record as handed over, without what was erased since; those of a query on lines of their own."""
        return None if self.issuer_jwt is None else "\n".join(self.presentations)

    @property
    def without_fields(self) -> "StoredAnswer":
        """The answer as it is once its fields are gone."""
        return replace(self, disclosures=(), is_whole=False)

    def without(self, disclosure: str) -> "StoredAnswer":
        """Take a field out for good."""
        several = self.several and self.several.without(self.disclosures.index(disclosure))
        return replace(
            self,
            several=several,
            disclosures=tuple(kept for kept in self.disclosures if kept != disclosure),
            erased=tuple(sorted({*self.erased, digest(disclosure)})),
        )

    def objects(self) -> dict[str, bytes]:
        """Give what is stored, by name."""
        written = {
            "issuer_jwt": self.issuer_jwt,
            "sealed_by": self.sealed_by,
            "obligations": dict(self.obligations),
            "withheld": self.withheld,
            "erased": list(self.erased),
            **({"several": asdict(self.several)} if self.several else {}),
        }
        objects = {ANSWER: json_bytes(written)}
        if self.issuer_jwt is not None:
            objects[DISCLOSURES] = "~".join(self.disclosures).encode("ascii")
        return objects


@dataclass(frozen=True, slots=True)
class SeveralRecords:
    """What is kept of a query's records beside them: of each how many disclosures it has, and what was withheld."""

    counts: tuple[int, ...]
    withheld: tuple[list[dict[str, Any]], ...]
    page: Mapping[str, Any]

    def without(self, place: int) -> "SeveralRecords":
        """Count one disclosure less where it stood."""
        counts, behind = list(self.counts), 0
        for number, count in enumerate(self.counts):
            behind += count
            if place < behind:
                counts[number] -= 1
                break
        return replace(self, counts=tuple(counts))


def answer_of(outcome: Outcome) -> StoredAnswer:
    """Give what has to be kept of an outcome."""
    withheld = () if isinstance(outcome, Failed | Withdrawn) else outcome.withheld
    rows = [{"group": item.group, "reason": item.reason, "policy": item.policy} for item in withheld]
    if isinstance(outcome, ReleasedRecords):
        parted = [record.presentation.split("~")[:-1] for record in outcome.records]
        return StoredAnswer(
            "\n".join(parts[0] for parts in parted),
            tuple(disclosure for parts in parted for disclosure in parts[1:]),
            outcome.sealed_by,
            outcome.obligations,
            rows,
            several=SeveralRecords(
                tuple(len(parts) - 1 for parts in parted),
                tuple([asdict(item) for item in record.withheld] for record in outcome.records),
                outcome.page(),
            ),
        )
    if not isinstance(outcome, Released):
        return StoredAnswer(None, (), None, {}, rows)
    return StoredAnswer(outcome.issuer_jwt, outcome.disclosures, outcome.sealed_by, outcome.obligations, rows)


def read_answer(objects: Mapping[str, bytes]) -> StoredAnswer:
    """Read what `objects` gave, or an `answer` of the first version, which held the whole presentation."""
    members = json.loads(objects[ANSWER])
    presentation = members.pop("presentation", None)
    if "issuer_jwt" not in members:
        parts: list[str] = presentation.split("~")[:-1] if presentation else []
        return StoredAnswer(parts[0] if parts else None, tuple(parts[1:]), **members)
    kept = objects.get(DISCLOSURES)
    several = members.pop("several", None)
    return StoredAnswer(
        several=None
        if several is None
        else SeveralRecords(tuple(several["counts"]), tuple(several["withheld"]), several["page"]),
        disclosures=tuple(kept.decode("ascii").split("~")) if kept else (),
        is_whole=members["issuer_jwt"] is None or kept is not None,
        **{**members, "erased": tuple(members["erased"])},
    )


def objects_of(outcome: Outcome, answer: StoredAnswer) -> dict[str, bytes]:
    """Give all that is stored of an outcome, by name; what is empty need not be."""
    if not isinstance(outcome, Pending):
        return {**answer.objects(), "snapshot": outcome.snapshot}
    written = asdict(replace(outcome, snapshot=b"")) | {"until": outcome.until.isoformat()}
    del written["snapshot"]
    return {WAITING: json.dumps(written).encode(), "pending_snapshot": outcome.snapshot}


def read_pending(data: bytes) -> Pending:
    """Read the object `pending`, without its snapshot."""
    members = json.loads(data)
    return Pending(
        **{
            **members,
            "withheld": tuple(Withheld(**item) for item in members["withheld"]),
            "approvals": tuple(map(tuple, members["approvals"])),
            "wanted": tuple(ApprovalWanted(**{**item, "groups": tuple(item["groups"])}) for item in members["wanted"]),
            "until": datetime.fromisoformat(members["until"]),
            "snapshot": b"",
        }
    )
