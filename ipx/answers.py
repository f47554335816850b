"""What a gateway answered, as values: a release, a denial, a failure, or not yet. Each carries its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass

from ipx.channel import Reply
from ipx.encoding import b64url_bytes
from ipx.errors import FormatError
from ipx.jws import Json, parse_json, text
from ipx.problems import MalformedAnswerError
from ipx.report import Report


@dataclass(frozen=True, slots=True)
class Withheld:
    """A field group that is not in the answer, and why."""

    group: str
    reason: str
    policy: str | None
    """The policy that decided, `<tier>/<owner>/<id>@<revision>`; None where no policy grants the group."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves an outcome to others. `raw` alone is enough for `ipx verify`."""

    exchange: str
    request: str
    receipt: str
    log_index: int
    checkpoint: str
    raw: bytes
    """The answer document exactly as carried."""
    report: Report | None
    """What was checked; None where the client was given no trust list."""
    is_replayed: bool
    """True where the gateway gave the stored answer to a request it had answered before."""


@dataclass(frozen=True, slots=True)
class Released:
    """The record, with the fields that the policies let go."""

    record: str
    """The record as an SD-JWT presentation under the holder's signature."""
    sealed_by: str
    """`holder`: the office signed. `gateway`: the gateway sealed what it fetched; the office vouches for nothing."""
    fields: Mapping[str, Json]
    withheld: tuple[Withheld, ...]
    obligations: Mapping[str, Json]
    timing_ms: Mapping[str, Json]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ReleasedRecord:
    """One of several records: under the holder's signature, with the fields that the policies let go of it."""

    record: str
    fields: Mapping[str, Json]
    withheld: tuple[Withheld, ...]


@dataclass(frozen=True, slots=True)
class ReleasedRecords:
    """The answer to a query: a page of records."""

    records: tuple[ReleasedRecord, ...]
    sealed_by: str
    withheld: tuple[Withheld, ...]
    """What is withheld from one record or more."""
    obligations: Mapping[str, Json]
    next: str | None
    """Name of the last record where there are more: ask for those behind it. None: there are no more."""
    refused: Mapping[str, int]
    """By reason, how many records release nothing; only of those whose existence may be known."""
    unreadable: int
    """Records of the holder's system that could not be read, and so could not be decided."""
    timing_ms: Mapping[str, Json]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Denied:
    """Policy refused. With slug `no-information` not even the record's existence is told."""

    slug: str
    reason: str
    """A word from the policy that refused, such as `not_granted` or `no_information`."""
    title: str
    detail: str
    withheld: tuple[Withheld, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Failed:
    """The exchange broke at `stage`; it stays failed, ask again with a new request."""

    slug: str
    stage: str
    reason: str
    """What broke there, such as `unreachable`; empty where the gateway does not say."""
    title: str
    detail: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Pending:
    """Nothing is decided yet: officers of the holder may grant what is wanted. Ask for the exchange again later."""

    reason: str
    """Why it was not released at once."""
    approvals_needed: tuple[tuple[str, ...], ...]
    """Each of these sets would release something, and no smaller one would."""
    until: str
    """By when the officers must have spoken, `2026-12-01T09:00:00Z`; then it is denied."""
    withheld: tuple[Withheld, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The requester took the request back while it was pending."""

    evidence: Evidence


Answer = Released | ReleasedRecords | Denied | Failed | Pending | Withdrawn


def read_answer(reply: Reply, report: Report | None) -> Answer:
    """Read an answer document, or a problem that carries an outcome.

    Raises:
        MalformedAnswerError: members are missing or of another type, or the outcome is not known to this client.
    """
    document = reply.json()
    try:
        return _read(document, _evidence(document, reply, report))
    except FormatError as error:
        raise MalformedAnswerError(f"the answer of {reply.url} is not whole: {error}") from error


def disclosed_fields(presentation: str) -> dict[str, Json]:
    """List the disclosed fields of a presentation, for reading; whether they are true is the verifier's to say.

    Raises:
        FormatError: a disclosure is not a salt, a name and a value in base64url.
    """
    fields: dict[str, Json] = {}
    for disclosure in presentation.split("~")[1:-1]:
        match parse_json(b64url_bytes(disclosure)):
            case [str(), str(name), value]:
                fields[name] = value
            case _:
                raise FormatError("A disclosure of the record is not a salt, a name and a value.")
    return fields


def _read(document: Mapping[str, Json], evidence: Evidence) -> Answer:
    outcome = text(document, "outcome")
    if outcome == "released" and "records" in document:
        return _several(document, evidence)
    if outcome == "released":
        record = text(document, "record")
        return Released(
            record=record,
            sealed_by=text(document, "sealed_by"),
            fields=disclosed_fields(record),
            withheld=_withheld(document),
            obligations=_object(document, "obligations"),
            timing_ms=_object(document, "timing_ms"),
            evidence=evidence,
        )
    if outcome == "pending":
        return Pending(
            reason=text(document, "reason"),
            approvals_needed=_names(document, "approvals_needed"),
            until=text(document, "until"),
            withheld=_withheld(document),
            evidence=evidence,
        )
    if outcome == "withdrawn":
        return Withdrawn(evidence)
    slug = str(document.get("type", "")).rstrip("/").rpartition("/")[2]
    title, detail, reason = (str(document.get(name, "")) for name in ("title", "detail", "reason"))
    match outcome:
        case "denied":
            return Denied(slug, reason, title, detail, _withheld(document), evidence)
        case "failed":
            return Failed(slug, text(document, "stage"), reason, title, detail, evidence)
        case _:
            raise FormatError(f"The outcome {outcome[:64]!r} is not one that this client knows.")


def _several(document: Mapping[str, Json], evidence: Evidence) -> ReleasedRecords:
    rows, page = document["records"], _object(document, "page")
    refused, unreadable, onward = page.get("refused", []), page.get("unreadable"), page.get("next")
    if not isinstance(rows, list) or not isinstance(refused, list) or type(unreadable) is not int:
        raise FormatError("The answer's records, or what it says of them, are not in form.")
    found = []
    for row in rows:
        members = row if isinstance(row, dict) else {}
        record = text(members, "record")
        found.append(ReleasedRecord(record, disclosed_fields(record), _withheld(members)))
    counts: dict[str, int] = {}
    for item in refused:
        count = item.get("count") if isinstance(item, dict) else None
        if not isinstance(item, dict) or type(count) is not int:
            raise FormatError("The answer's refused records are not reasons with counts.")
        counts[text(item, "reason")] = count
    return ReleasedRecords(
        records=tuple(found),
        sealed_by=text(document, "sealed_by"),
        withheld=_withheld(document),
        obligations=_object(document, "obligations"),
        next=onward if isinstance(onward, str) else None,
        refused=counts,
        unreadable=unreadable,
        timing_ms=_object(document, "timing_ms"),
        evidence=evidence,
    )


def _evidence(document: Mapping[str, Json], reply: Reply, report: Report | None) -> Evidence:
    log = _object(document, "log")
    index = log.get("index")
    if type(index) is not int:
        raise FormatError("The answer names no place in the log.")
    return Evidence(
        exchange=text(document, "id" if "id" in document else "exchange"),
        request=text(document, "request"),
        receipt=text(document, "receipt"),
        log_index=index,
        checkpoint=text(log, "checkpoint"),
        raw=reply.body,
        report=report,
        is_replayed=reply.headers.get("Idempotency-Replayed", "").lower() == "true",
    )


def _withheld(document: Mapping[str, Json]) -> tuple[Withheld, ...]:
    rows = document.get("withheld", [])
    if not isinstance(rows, list):
        raise FormatError("The member 'withheld' is not a list.")
    found = []
    for row in rows:
        if not isinstance(row, dict):
            raise FormatError("A member of 'withheld' is not an object.")
        policy = row.get("policy")
        found.append(Withheld(text(row, "group"), text(row, "reason"), policy if isinstance(policy, str) else None))
    return tuple(found)


def _names(document: Mapping[str, Json], member: str) -> tuple[tuple[str, ...], ...]:
    sets = document.get(member)
    if not isinstance(sets, list) or not all(isinstance(names, list) for names in sets):
        raise FormatError(f"The member {member!r} is not a list of lists.")
    return tuple(tuple(text({member: name}, member) for name in names) for names in sets if isinstance(names, list))


def _object(document: Mapping[str, Json], name: str) -> dict[str, Json]:
    value = document.get(name, {})
    if not isinstance(value, dict):
        raise FormatError(f"The member {name!r} is not an object.")
    return value
