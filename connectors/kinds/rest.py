"""Kind `rest`: an API over HTTP that answers in JSON or XML, as its source file describes it."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpcore

from connectors.breaker import BreakerState
from connectors.deadline import Deadline
from connectors.formats.document import Limits, Node
from connectors.kinds.failure_log import log_failure
from connectors.kinds.http_caller import Answer, Call, CallFailedError, HttpCaller
from connectors.kinds.rest_answers import AnswerRules, Carried, number_of
from connectors.kinds.rest_auth import authenticator
from connectors.kinds.rest_changes import Progress, newest_of_each, values_asked
from connectors.kinds.rest_paging import Ask, Place, Turned, paging
from connectors.kinds.rest_reach import Action, RestReach, read_reach, template
from connectors.kinds.rest_sender import DeadToken, Sender
from connectors.kinds.rest_throttle import LIGHTS, Throttle
from connectors.mapping import RecordMapping
from connectors.protocol import (
    Absent,
    Capabilities,
    Changes,
    Failed,
    FailReason,
    Found,
    Health,
    Operation,
    Page,
    PageMark,
    RecordKey,
    Watermark,
)
from connectors.quarantine import Reason, UnreadableError
from connectors.references import Resolver
from connectors.row_filter import Op, RowFilter
from connectors.source_file import parse_duration

_log = logging.getLogger(__name__)

Joined = Callable[[Answer], Answer]
"""Makes one document of an answer that came in parts."""

BATCH_ITEMS = 500
"""Changes are handed over once so many have come, at the end of a page."""

REMEMBERED_REVISIONS = 4096
ACCEPT = {"json": "application/json", "xml": "application/xml, text/xml"}


def open_connector(
    mapping_of: Callable[[Limits], RecordMapping],
    reach: Mapping[str, Any],
    resolver: Resolver,
    clock: Callable[[], datetime],
    wire: httpcore.NetworkBackend | None = None,
    action: Callable[[Mapping[str, Any]], Action] = template,
    joining: Callable[[RecordMapping, int], Joined] | None = None,
) -> tuple["RestConnector", RecordMapping]:
    """Open an API. Nothing is called yet.

    Args:
        mapping_of: compiles the mapping within limits of size.
        reach: that part of the source file.
        resolver: of references.
        clock: gives the present instant.
        wire: plays a fault instead of a network, in dry runs.
        action: reads one operation of the source file.
        joining: gives what makes one document of an answer that came in parts.

    Raises:
        SourceFileError: an address, path, condition or certificate that cannot be used.
    """
    known = read_reach(reach, resolver, action)
    mapping = mapping_of(Limits(file_bytes=known.limits.body_bytes, records=known.limits.rows + 1))
    joined = joining(mapping, known.limits.body_bytes) if joining else None
    return RestConnector(mapping, reach, known, resolver, clock, wire, joined=joined), mapping


class RestConnector:
    """Calls run on the caller's thread: the wire below ends every wait by the deadline."""

    def __init__(
        self,
        mapping: RecordMapping,
        document: Mapping[str, Any],
        reach: RestReach,
        resolver: Resolver,
        clock: Callable[[], datetime],
        wire: httpcore.NetworkBackend | None,
        pause: Callable[[float], None] = time.sleep,
        joined: Joined | None = None,
    ) -> None:
        self._mapping = mapping
        self._joined = joined
        self._source = mapping.source
        self._reach = reach
        self._resolver = resolver
        self._clock = clock
        self._caller = HttpCaller(reach.limits, private=reach.is_private, tls=reach.tls, wire=wire)
        self._rules = rules = AnswerRules(mapping, document)
        self._items = rules.items(document.get("items"), "/reach/items")
        self._fetched = rules.items(document.get("fetch", {}).get("items"), "/reach/fetch/items")
        self._deleted = _deleted(document, rules)
        self._paging = paging(document.get("paging"), rules.reader("/reach/paging"))
        throttle = document.get("throttle", {})
        self._throttle = Throttle(throttle, lambda text: rules.condition(text, "/reach/throttle"), clock, pause)
        self._sender = Sender(
            self._caller,
            authenticator(document.get("auth"), resolver, self._caller),
            self._throttle,
            tries=reach.limits.tries,
            headers=(("Accept", ACCEPT[mapping.source.read.format]), *reach.headers),
            dead_token=_dead_token(document),
        )
        self._remaining = _remaining(throttle, rules)
        self._has_body_signals = any(signal.body for signal in self._throttle.signals)
        changes = document.get("changes", {})
        self._overlap = parse_duration(changes.get("overlap", "PT5M"))
        self._since_format: str = changes.get("since", "%Y-%m-%dT%H:%M:%SZ")
        self._lock = threading.Lock()
        self._revisions: OrderedDict[str, datetime] = OrderedDict()
        self._newest: datetime | None = None
        self._quota: int | None = None
        self._was_answered = False

    def capabilities(self) -> Capabilities:
        operations: dict[Operation, Action | None] = {
            "fetch": self._reach.fetch,
            "search": self._reach.search,
            "changes": self._reach.changes,
        }
        pushed = self._reach.search.places if self._reach.search else frozenset()
        return Capabilities(
            operations=frozenset(name for name, action in operations.items() if action),
            pushdown={name: frozenset({Op.EQ, Op.CONTAINS}) for name in pushed},
            deletions=self._deleted is not None,
            signs=None,
            rows_max=self._reach.limits.rows,
        )

    def fetch(self, key: RecordKey, deadline: Deadline) -> Found | Absent | Failed:
        if self._reach.fetch is None:
            return Failed(FailReason.UNSUPPORTED)
        try:
            return self._fetch(self._reach.fetch, key, deadline)
        except CallFailedError as error:
            return self._failed("fetch", error)

    def search(self, wanted: RowFilter, mark: PageMark | None, deadline: Deadline) -> Page | Failed:
        """Read all pages. What the API was asked to narrow is filtered again: whether it did is its own affair."""
        if self._reach.search is None or mark is not None:
            return Failed(FailReason.UNSUPPORTED)
        values = values_asked(wanted, self._reach.search.places)
        try:
            found, _, _ = self._pages(self._reach.search, values, Place(), deadline, self._reach.limits.rows)
        except CallFailedError as error:
            return self._failed("search", error)
        return Page(tuple(found), None, complete=True, left_to_filter=wanted)

    def changes(self, since: Watermark | None, deadline: Deadline) -> Changes | Failed:
        if self._reach.changes is None:
            return Failed(FailReason.UNSUPPORTED)
        progress = Progress.read(since)
        if progress is None:
            return Failed(FailReason.MISCONFIGURED)
        values = {"since": progress.since} if progress.since else {}
        try:
            found, deleted, place = self._pages(self._reach.changes, values, progress.place or Place(), deadline, None)
        except CallFailedError as error:
            return self._failed("changes", error)
        newest = max([item.revised.isoformat() for item in found if item.revised] + [progress.newest or ""]) or None
        if place is not None:
            return Changes(tuple(found), deleted, Progress(progress.since, newest, place).written(), complete=False)
        following = self._since(newest) or progress.since
        return Changes(tuple(found), deleted, Progress(following, newest).written(), complete=True)

    def health(self) -> Health:
        lag = self._clock() - self._newest if self._newest else None
        note = self._reach.host
        is_slow = self._throttle.light in LIGHTS[2:]
        if is_slow:
            note += f", traffic light {self._throttle.light}"
        state = ("degraded" if is_slow else "ok") if self._was_answered else "unknown"
        return Health(state, None, lag, BreakerState.CLOSED, quota_left=self._quota, note=note)  # type: ignore[arg-type]  # one of the three words

    def close(self) -> None:
        self._caller.close()

    def _fetch(self, action: Action, key: RecordKey, deadline: Deadline) -> Found | Absent:
        call = action.call(self._reach.base, {"key": key}, Ask())
        answer, whole = self._asked_and_read(call, deadline)
        if isinstance(whole, Absent):
            return whole
        carried = self._fetched(answer, whole)
        if not carried:
            raise CallFailedError(FailReason.BAD_ANSWER, "a success without a record")
        found = [self._found(item, answer.media_type) for item in carried]
        own = [item for item in found if item.key == key] or found[:1]
        findings = (Reason.DUPLICATE_IN_BATCH,) if len(own) > 1 else self._stale(own[0])
        # Under the key that was asked for: a record of another one does not pass the mapping.
        return replace(own[0], key=key, findings=findings)

    def _pages(
        self, action: Action, values: Mapping[str, str], place: Place, deadline: Deadline, rows_max: int | None
    ) -> tuple[list[Found], tuple[RecordKey, ...], Place | None]:
        """Read pages to the end, or (with no `rows_max`) until a batch is full; gives the place that is next, if any.

        Raises:
            CallFailedError: any page failed, or there are more than `rows_max`; nothing of what was read is given.
        """
        found: list[Found] = []
        deleted: dict[RecordKey, None] = {}
        following: Place | None = place
        while following is not None:
            if following.pages >= self._reach.limits.pages:
                raise CallFailedError(FailReason.TOO_MANY_ROWS, f"more than {following.pages} pages")
            ask = self._paging.ask(following)
            if ask.url is not None and not self._reach.is_own(ask.url):
                raise CallFailedError(FailReason.BAD_ANSWER, "the next page lies on another host")
            call = action.call(self._reach.base, values, ask)
            answer, whole = self._asked_and_read(call, deadline)
            carried = [] if isinstance(whole, Absent) else self._items(answer, whole)
            found += [self._found(item, answer.media_type) for item in carried]
            if self._deleted is not None and not isinstance(whole, Absent):
                deleted |= dict.fromkeys(key for value in self._deleted(whole) if (key := self._mapping.key_of(value)))
            if rows_max is not None and len(found) > rows_max:  # repeats count too: a source that repeats for ever
                raise CallFailedError(FailReason.TOO_MANY_ROWS, f"more than {rows_max} rows")
            if isinstance(whole, Absent):
                following = None
                break
            following = self._paging.following(following, Turned(answer, whole, len(carried), call.url))
            if rows_max is None and len(found) >= BATCH_ITEMS:
                break
        brought = [replace(item, findings=item.findings or self._stale(item)) for item in newest_of_each(found)]
        there = {item.key for item in brought}
        return brought, tuple(key for key in deleted if key not in there), following

    def _asked_and_read(self, call: Call, deadline: Deadline) -> tuple[Answer, Node | Absent]:
        answer = self._sender.send(call, deadline)
        if self._joined is not None:
            answer = self._joined(answer)
        whole = None
        if self._has_body_signals and answer.body:
            try:
                whole = self._rules.whole(answer)
            except CallFailedError:
                whole = None
            refusal = self._throttle.refusal(answer, whole)
            if refusal is not None:
                raise refusal
        judged = self._rules.judged(answer, whole)
        self._was_answered = True
        if self._remaining is not None:
            self._quota = self._remaining(answer, judged)
        return answer, judged

    def _found(self, carried: Carried, media_type: str) -> Found:
        key = revised = None
        try:
            records = self._mapping.format.parse(carried.raw).records()
            if carried.position < len(records):
                identity = self._mapping.identify(records[carried.position])
                key, revised = identity.key, identity.revised
        except UnreadableError:
            pass  # `apply` says so, with its reason
        if revised and (self._newest is None or revised > self._newest):
            self._newest = revised
        ref = f"{self._reach.host}#{key}" if key else self._reach.host
        return Found(carried.raw, media_type, ref, revised, None, self._clock(), key, carried.position)

    def _stale(self, found: Found) -> tuple[Reason, ...]:
        """An answer older than one that was given before: a replica that lags, or a restored backup."""
        if found.key is None or found.revised is None:
            return ()
        with self._lock:
            known = self._revisions.get(found.key)
            if known is not None and found.revised < known:
                return (Reason.OLDER_REVISION,)
            self._revisions[found.key] = found.revised
            self._revisions.move_to_end(found.key)
            while len(self._revisions) > REMEMBERED_REVISIONS:
                self._revisions.popitem(last=False)
        return ()

    def _since(self, newest: str | None) -> str | None:
        if newest is None:
            return None
        return (datetime.fromisoformat(newest) - self._overlap).strftime(self._since_format)

    def _failed(self, operation: Operation, error: CallFailedError) -> Failed:
        hidden = self._resolver.blot_out
        log_failure(_log, self._source.name, error.reason, error, operation=operation, hidden=hidden)
        return Failed(error.reason, error.retry_after)


def _dead_token(document: Mapping[str, Any]) -> DeadToken | None:
    said = document.get("auth", {}).get("dead")
    return DeadToken(said["status"], said["text"].encode()) if said else None


def _deleted(document: Mapping[str, Any], rules: AnswerRules) -> Callable[[Node], list[Any]] | None:
    path = document.get("changes", {}).get("deleted")
    return rules.reads(path, "/reach/changes/deleted") if path else None


def _remaining(document: Mapping[str, Any], rules: AnswerRules) -> Callable[[Answer, Node | Absent], int | None] | None:
    match document.get("remaining"):
        case None:
            return None
        case {"header": str(name), "of": int(whole)}:
            return lambda answer, _: _left(number_of(answer.headers.get(name.lower())), whole)
        case {"header": str(name)}:
            return lambda answer, _: number_of(answer.headers.get(name.lower()))
        case path:
            read = rules.reader("/reach/throttle/remaining")(path)
            return lambda _, whole: None if isinstance(whole, Absent) else number_of(read(whole))


def _left(used: int | None, whole: int) -> int | None:
    return None if used is None else max(0, whole - used)
