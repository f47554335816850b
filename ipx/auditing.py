"""What an auditor's system does at a gateway: finds exchanges and acts again, opens one, takes its evidence out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal
from urllib.parse import quote, urlencode

from ipx import evidence
from ipx.client import ASICE, ZIP, Client
from ipx.errors import EvidenceError
from ipx.jws import Json
from ipx.problems import MalformedAnswerError, UnprovenError
from ipx.trust import Trust
from ipx.waiting import utc_now

OWN: Final = "audit:read"
NATIONAL: Final = "audit:national"
PAGE_ROWS: Final = 200
VERIFIED_AT_ONCE: Final = 1000
"""Entries of the log that one call proves at most."""
Kind = Literal["exchanges", "decisions", "acts", "sign-ins", "flags", "recalls"]


@dataclass(frozen=True, slots=True)
class FoundPage:
    """One page of what was found."""

    items: tuple[dict[str, Json], ...]
    total: int
    """Of all pages, counted by the gateway."""
    next: str | None


class Auditor:
    """Reads what the client's agency may audit: its own side of all exchanges, or the nation's."""

    def __init__(self, client: Client, *, is_national: bool = False) -> None:
        self._client = client
        self._scope = f"{OWN} {NATIONAL}" if is_national else OWN

    def page(self, kind: Kind, wanted: Mapping[str, str], *, limit: int, cursor: str | None = None) -> FoundPage:
        """Find one page, newest first.

        Args:
            kind: of what.
            wanted: the filter, as docs/auditors.md lists its members.
            limit: at most so many, no more than 200.
            cursor: `next` of the page before.

        Raises:
            InvalidRequestError: a member of the filter is unknown or cannot be read; it is named.
            MalformedAnswerError: what comes is no such page.
        """
        query = {**wanted, "limit": str(limit)} | ({"cursor": cursor} if cursor is not None else {})
        found = self._client.get(f"/audit/{kind}?{urlencode(query)}", scope=self._scope).json()
        items, total, onward = found.get("items"), found.get("total"), found.get("next")
        if not isinstance(items, list) or type(total) is not int or not (onward is None or isinstance(onward, str)):
            raise MalformedAnswerError(f"{self._client.gateway} gave no list of {kind}")
        if not all(isinstance(item, dict) for item in items):
            raise MalformedAnswerError(f"{self._client.gateway} gave no list of {kind}")
        return FoundPage(tuple(item for item in items if isinstance(item, dict)), total, onward)

    def every(self, kind: Kind, wanted: Mapping[str, str]) -> Iterator[dict[str, Json]]:
        """Give all that is found, newest first, page by page as they are taken. Raises as `page` does."""
        cursor = None
        while True:
            page = self.page(kind, wanted, limit=PAGE_ROWS, cursor=cursor)
            yield from page.items
            if page.next is None:
                return
            cursor = page.next

    def export(self, kind: Kind, wanted: Mapping[str, str], form: Literal["csv", "ndjson"], into: BinaryIO) -> None:
        """Write all that is found into a file, as the gateway streams it; it notes the export in its log."""
        query = urlencode({**wanted, "format": form})
        self._client.download(f"/audit/{kind}/export?{query}", into, scope=self._scope)

    def flag(self, flag: str) -> dict[str, Json]:
        """Open one flag: its reason in words, what came of it, and the search that finds its exchanges.

        Raises:
            NotFoundError: there is none of this id that this system may see.
        """
        return self._client.get(f"/audit/flags/{quote(flag, safe='')}", scope=self._scope).json()

    def mark(self, flag: str, changes: Mapping[str, str], *, seen: str) -> dict[str, Json]:
        """Change status, assignee or note of a flag; the gateway notes it in its log.

        Args:
            flag: its id.
            changes: what is to be otherwise, by member.
            seen: `version` of the flag as it was read, by `flag` or in a page.

        Raises:
            NotFoundError: there is none of this id that this system may see.
            InvalidRequestError: a change cannot be made; it is named.
            ProblemError: of the slug `stale-version`: somebody changed the flag since it was read.
        """
        path = f"/audit/flags/{quote(flag, safe='')}"
        return self._client.post(path, dict(changes), scope=self._scope, seen=seen).json()

    def readers(self, identifier: str) -> list[dict[str, Json]]:
        """List who was given records about one person, as it may be told to that person today, newest first.

        Args:
            identifier: a number of the person, as records write it.

        Raises:
            InvalidRequestError: there is no number.
            MalformedAnswerError: what comes is no such list.
        """
        found = self._client.post("/audit/subjects", {"identifier": identifier}, scope=self._scope).json().get("items")
        if not isinstance(found, list):
            raise MalformedAnswerError(f"{self._client.gateway} gave no list")
        return [item for item in found if isinstance(item, dict)]

    def log(self, check: Literal["", "/consistency", "/entries"] = "", **wanted: int) -> dict[str, Json]:
        """Read the log's standing, or have the gateway prove a part of it anew.

        Args:
            check: `/consistency` of the sizes `old` and `new`, `/entries` from `first` to `last`; else the standing.
            wanted: those numbers.

        Raises:
            InvalidRequestError: a number is not one of the log's; it is named.
        """
        query = f"?{urlencode(wanted)}" if wanted else ""
        return self._client.get(f"/audit/log{check}{query}", scope=self._scope).json()

    def verify_entries(self, first: int, last: int, *, shard: int | None = None) -> dict[str, Json]:
        """Have the gateway hash a range of entries anew, however long, and prove each, piece by piece.

        Args:
            first: number of the first entry, from 0.
            last: of the last one.
            shard: of which tree of the log, by its number; None: of the one that grows.

        Returns:
            What it said of the last piece, or of the first that does not hold, from `first` on.

        Raises:
            InvalidRequestError: a number is not one of the log's; it is named.
        """
        start, where = first, {} if shard is None else {"shard": shard}
        while True:
            end = min(last, start + VERIFIED_AT_ONCE - 1)
            found = self.log("/entries", first=start, last=end, **where)
            if found.get("holds") is not True or end >= last:
                return {**found, "first": first}
            start = end + 1

    def report(self, wanted: Mapping[str, str]) -> dict[str, Json]:
        """Take the figures of a time: who asks whom, how much a day, how it ended, why, and how long holders take.

        Args:
            wanted: `since` and `until`, as a search takes them; the last thirty days where neither is said.
        """
        query = f"?{urlencode(wanted)}" if wanted else ""
        return self._client.get(f"/audit/reports{query}", scope=self._scope).json()

    def recall(self, recall: str) -> dict[str, Json]:
        """Open one recall: what the holder signed, who was told, what they answered.

        Raises:
            NotFoundError: there is none of this id that this system may see.
        """
        return self._client.get(f"/audit/recalls/{quote(recall, safe='')}", scope=self._scope).json()

    def searches(self) -> list[dict[str, Json]]:
        """List searches that were kept under a name: one's own, and those shared within the agency.

        Raises:
            MalformedAnswerError: what comes is no such list.
        """
        found = self._client.get("/audit/searches", scope=self._scope).json().get("items")
        if not isinstance(found, list):
            raise MalformedAnswerError(f"{self._client.gateway} gave no list")
        return [item for item in found if isinstance(item, dict)]

    def keep(self, name: str, kind: str, query: Mapping[str, str], *, is_shared: bool = False) -> dict[str, Json]:
        """Keep a search under a name.

        Args:
            name: one that no other of one's own has.
            kind: of which list: `exchanges decisions acts sign_ins recalls`.
            query: the filter.
            is_shared: for all auditors of the agency.

        Raises:
            InvalidRequestError: the name, the list or a member of the filter cannot be used; it is named.
            ConflictError: one of one's own has this name.
        """
        body: dict[str, Json] = {"name": name, "kind": kind, "query": dict(query), "shared": is_shared}
        return self._client.post("/audit/searches", body, scope=self._scope).json()

    def forget(self, search: str) -> None:
        """Delete a kept search of one's own.

        Raises:
            NotFoundError: there is none of this id that is one's own.
        """
        self._client.delete(f"/audit/searches/{quote(search, safe='')}", scope=self._scope)

    def exchange(self, exchange: str) -> dict[str, Json]:
        """Open one exchange: request, receipt, proof, and what else there was about the same things.

        Raises:
            NotFoundError: there is none of this id that this system may see.
        """
        return self._client.get(f"/audit/exchanges/{quote(exchange, safe='')}", scope=self._scope).json()

    def bundle(self, exchange: str, trust: Trust | None, *, asice: bool = False) -> bytes:
        """Take out all that proves an exchange; where there is a trust list, verified.

        Raises:
            NotFoundError: there is none of this id that this system may see.
            UnprovenError: it does not hold, or is of another exchange.
        """
        accept, query = (ASICE, "?format=asice") if asice else (ZIP, "")
        path = f"/audit/exchanges/{quote(exchange, safe='')}/bundle{query}"
        data = self._client.get(path, scope=self._scope, accept=accept).body
        if trust is not None:
            try:
                report = evidence.verify(data, trust, now=utc_now())
            except EvidenceError as error:
                raise UnprovenError(str(error), data) from error
            if report.exchange != exchange:
                raise UnprovenError(f"asked for exchange {exchange}, got {report.exchange}", data)
        return data
