"""Calling back what one gave out, and answering for what one was given: `/v1/recalls` for both sides."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal
from urllib.parse import quote, urlencode

from ipx.client import Client
from ipx.jws import Json
from ipx.problems import AskError, MalformedAnswerError
from ipx.request import URN

MAKING: Final = "records:recall"
READING: Final = "exchange:request"
RECALL_TYP: Final = "ipx-recall+jwt"
ACKNOWLEDGEMENT_TYP: Final = "ipx-acknowledgement+jwt"
KINDS: Final = ("corrected", "sealed", "unsealed", "recalled", "erased")
ACTIONS: Final = ("deleted", "restricted", "replaced", "not_held", "refused")
PAGE_ROWS: Final = 200
Role = Literal["holder", "addressee"]
Recall = dict[str, Json]


class Recalls:
    """What a client's agency called back, and what it was told to correct, restrict or delete."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def make(self, record: str, kind: str, reason: str, *, order: str | None = None) -> Recall:
        """Tell everybody who was given a record of one's own what has become of it.

        Args:
            record: its name.
            kind: one of `KINDS`.
            reason: in words; signed and told to all of them.
            order: of the court or authority; a seal needs one.

        Raises:
            AskError: a malformed record name, an empty reason.
            ForbiddenError: the record is another agency's, or the client has not the scope `records:recall`.
            InvalidRequestError: it was given to nobody, or a member cannot be taken; it is named.
        """
        if URN.fullmatch(record) is None:
            raise AskError(f"{record!r} is no record name; one looks like urn:ipx:<holder>:<record type>:<number>")
        if not reason.strip():
            raise AskError("the reason is empty; those who have the record are told it")
        members: dict[str, Json] = {"record": record, "kind": kind, "reason": reason}
        if order is not None:
            members["order"] = order
        signed = self._client.sign_statement(members, typ=RECALL_TYP)
        return self._client.post("/recalls", signed, scope=MAKING).json()

    def acknowledge(self, recall: str, action: str, *, reason: str | None = None) -> Recall:
        """Say what has become of one's copies of a recalled record.

        Raises:
            NotFoundError: this agency was told of no such recall.
            ConflictError: it was acknowledged before, or nothing is to be acknowledged.
            InvalidRequestError: the action does not fit, or a refusal gives no reason.
        """
        members: dict[str, Json] = {"recall": recall, "action": action}
        if reason is not None:
            members["reason"] = reason
        signed = self._client.sign_statement(members, typ=ACKNOWLEDGEMENT_TYP)
        path = f"/recalls/{quote(recall, safe='')}/acknowledgements"
        return self._client.post(path, signed, scope=READING).json()

    def show(self, recall: str) -> Recall:
        """Give one: to its holder with all who were told, to one of them its own part.

        Raises:
            NotFoundError: there is none of this id that this agency made or was told of.
        """
        return self._client.get(f"/recalls/{quote(recall, safe='')}", scope=READING).json()

    def every(self, role: Role, *, is_open: bool = False) -> Iterator[Recall]:
        """Give all on one side, newest first, page by page as they are taken.

        Args:
            role: as the holder those it made, as an addressee those it was told of; told so, they count as delivered.
            is_open: only those that somebody is still to acknowledge, or disputes.
        """
        wanted = {"role": role, "state": "open" if is_open else "all", "limit": str(PAGE_ROWS)}
        yield from self._pages("/recalls", wanted)

    def releases(self, record: str) -> Iterator[dict[str, Json]]:
        """Give every exchange by which a record of one's own was handed over, newest first: to whom, which groups.

        Args:
            record: its name.

        Raises:
            AskError: a malformed record name.
            ForbiddenError: the record is another agency's.
        """
        if URN.fullmatch(record) is None:
            raise AskError(f"{record!r} is no record name; one looks like urn:ipx:<holder>:<record type>:<number>")
        yield from self._pages(f"/records/{quote(record, safe='')}/releases", {"limit": str(PAGE_ROWS)})

    def _pages(self, path: str, wanted: Mapping[str, str]) -> Iterator[dict[str, Json]]:
        cursor: Json = None
        while True:
            query = urlencode({**wanted, **({"cursor": cursor} if isinstance(cursor, str) else {})})
            page = self._client.get(f"{path}?{query}", scope=READING).json()
            items, cursor = page.get("items"), page.get("next")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise MalformedAnswerError(f"{self._client.gateway} gave no list at {path}")
            yield from (item for item in items if isinstance(item, dict))
            if cursor is None:
                return
