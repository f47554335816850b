"""The client of a gateway: sign in, ask for a record, check the answer.

    with Client("https://gw.example", "customs-xa.intake", key, trust=trust) as client:
        answer = client.request(Ask("urn:ipx:ipo-xa:trademark:202400017", "border_enforcement", "Customs Act, s. 4"))
        match answer:
            case Released(): use(answer.fields)
            case Denied() | Failed(): keep(answer.evidence.raw)

A denial and a failure are answers with a receipt; whatever left no outcome behind is raised (`ipx.problems`).
"""

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import quote, urlencode

import httpx

from ipx import evidence
from ipx.answers import Answer, ReleasedRecords, read_answer
from ipx.channel import Call, Channel, Reply
from ipx.discovery import discover
from ipx.dpop import prove
from ipx.errors import EvidenceError, FormatError
from ipx.journal import Journal, kept_of_answer
from ipx.jws import Json, dump_json
from ipx.keyfile import SignInKey
from ipx.keys import Signer, generate_signer
from ipx.listing import Listed, Side, read_listed
from ipx.problems import MalformedAnswerError, UnprovenError
from ipx.report import Report
from ipx.request import Ask, AskSeveral, asked_by, purpose_and_basis, sign_request, sign_statement
from ipx.tokens import Grant, Tokens, purpose_grant
from ipx.trust import Trust
from ipx.waiting import Deadline, Patience, Time

SCOPE = "exchange:request"
ZIP = "application/zip"
ASICE = "application/vnd.etsi.asic-e+zip"
PAGE_LINES = 100
_OK = 200
_CREATED = 201
_DELETED = 204
_UNAUTHORIZED = 401
_TRIES = 4
"""Calls of one request at most: the first, one after a nonce challenge, one after a new token, one after both."""
_ERROR = re.compile(r'error="([^"]*)"')


class Client:
    """One registered system talking to one gateway. Safe to share between threads; close it when done.

    Args:
        key: signs the client in, and signs requests.
        trust: the pinned trust list. Where given, every answer is verified before it is handed out.
        sign_in_key: signs the client in instead of `key`, for systems whose only registered sign-in key is RSA.
        proof_key: the key tokens are bound to; a fresh one that never leaves this process where none is given.
        journal: keeps every receipt that this client is given, before the answer is handed out.
    """

    def __init__(
        self,
        gateway: str,
        client_id: str,
        key: Signer,
        *,
        trust: Trust | None = None,
        sign_in_key: SignInKey | None = None,
        proof_key: SignInKey | None = None,
        journal: Journal | None = None,
        patience: Patience | None = None,
        time: Time | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self.client_id = client_id
        self._channel = Channel(gateway, patience=patience or Patience(), time=time or Time(), http=http)
        self._key = key
        self._sign_in_key = sign_in_key or key
        self._proof_key = proof_key or generate_signer("ES256")
        self._trust = trust
        self._journal = journal
        self._lock = threading.Lock()
        self._tokens: Tokens | None = None
        self._nonce: str | None = None

    @property
    def gateway(self) -> str:
        return self._channel.origin

    def sign(self, ask: Ask | AskSeveral) -> str:
        """Sign a request for `send`. Keep the bytes where an answer must not be lost: they may be sent again."""
        return sign_request(
            ask, client_id=self.client_id, gateway=self.gateway, key=self._key, now=self._channel.time.now()
        )

    def sign_statement(self, members: Mapping[str, Json], *, typ: str) -> str:
        """Sign something else that this client says and that is kept as evidence. Raises as `sign` does."""
        now = self._channel.time.now()
        return sign_statement(members, typ=typ, client_id=self.client_id, gateway=self.gateway, key=self._key, now=now)

    def request(self, ask: Ask | AskSeveral) -> Answer:
        """Ask for a record, or for one page of several, and verify the answer.

        Raises:
            UnreachableError: no answer came; nothing tells whether the request arrived.
            ProblemError: the gateway opened no exchange for it.
            UnprovenError: the answer's evidence does not hold.
        """
        return self.send(self.sign(ask))

    def pages(self, ask: AskSeveral) -> Iterator[Answer]:
        """Ask for several records, page by page, each a request of its own; a refusal or failure is the last.

        Raises as `request` does.
        """
        while True:
            answer = self.request(ask)
            yield answer
            if not isinstance(answer, ReleasedRecords) or answer.next is None:
                return
            ask = ask.following(answer.next)

    def send(self, request: str) -> Answer:
        """Send a signed request, with the same bytes again after a network failure. Raises as `request` does."""
        url = f"{self.gateway}/v1/exchanges"
        headers = {"Content-Type": "application/jose"}
        purpose, legal_basis = purpose_and_basis(request)
        grant = purpose_grant(SCOPE, self._resource, purpose=purpose, legal_basis=legal_basis)
        reply = self._call(Call("POST", url, headers, request.encode("ascii")), grant)
        answer = self._answer(reply, request=request)
        if self._journal is not None:  # a repeated answer too: the first one may never have arrived
            self._journal.add([kept_of_answer(reply.body, self.client_id, self._channel.time.now())])
        return answer

    def exchange(self, exchange: str) -> Answer:
        """Fetch the stored answer of an exchange; both of its agencies may.

        Raises:
            NotFoundError: there is none of this id, or this client is no party to it.
        """
        url = f"{self.gateway}/v1/exchanges/{quote(exchange, safe='')}"
        reply = self._call(Call("GET", url, {}), Grant(SCOPE, self._resource))
        answer = self._answer(reply, request=None)
        if answer.evidence.exchange != exchange:
            raise UnprovenError(f"asked for exchange {exchange}, got {answer.evidence.exchange}", reply.body)
        if self._journal is not None and asked_by(answer.evidence.request) == self.client_id:
            self._journal.add([kept_of_answer(reply.body, self.client_id, self._channel.time.now())])
        return answer

    def withdraw(self, exchange: str) -> Answer:
        """Take a pending request back.

        Raises:
            NotFoundError: this client's agency made no such request.
            ConflictError: it is over.
        """
        url = f"{self.gateway}/v1/exchanges/{quote(exchange, safe='')}"
        return self._answer(self._call(Call("DELETE", url, {}), Grant(SCOPE, self._resource)), request=None)

    def bundle(self, exchange: str, *, asice: bool = False) -> bytes:
        """Fetch all that proves an exchange, in one file; where there is a trust list, verified.

        With `asice` it is an ASiC-E container: the same files, with a signature of the gateway's seal certificate that
        is not judged here.

        Raises:
            NotFoundError: there is none of this id, or this client is no party to it.
            AnswerGoneError: it was erased.
            ConflictError: it is not over, or witnesses have not confirmed it in the time this client waits.
            UnprovenError: it does not hold, or is of another exchange.
        """
        accept, query = (ASICE, "?format=asice") if asice else (ZIP, "")
        reply = self._get(f"/{quote(exchange, safe='')}/bundle{query}", accept=accept)
        report = self._verify(reply)
        if report is not None and report.exchange != exchange:
            raise UnprovenError(f"asked for exchange {exchange}, got {report.exchange}", reply.body)
        return reply.body

    def exchanges(self, side: Side, *, case_ref: str | None = None) -> Iterator[Listed]:
        """List the exchanges in which this client's agency was on one side, in the order of the log.

        Raises:
            MalformedAnswerError: what comes is no such list.
        """
        query = {"role": side, "limit": str(PAGE_LINES)} | ({"case_ref": case_ref} if case_ref is not None else {})
        while True:
            page = self._get(f"?{urlencode(query)}").json()
            items, onward = page.get("items"), page.get("next")
            is_last = onward is None
            if not isinstance(items, list) or page.get("complete") is not is_last or not (items or is_last):
                raise MalformedAnswerError(f"{self.gateway} gave no list of exchanges")
            try:
                yield from map(read_listed, items)
            except FormatError as error:
                raise MalformedAnswerError(f"{self.gateway} gave no list of exchanges: {error}") from error
            if is_last:
                return
            query["cursor"] = str(onward)

    def log_file(self, origin: str, path: str) -> bytes:
        """Fetch a public file of a log (C2SP tlog-tiles), whose name says where it is served.

        Raises:
            NotFoundError: there is none at this path.
        """
        scheme = self.gateway.partition("://")[0]
        return self._channel.get(f"{scheme}://{origin}/{path}", self._channel.deadline()).body

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def get(self, path: str, *, scope: str, accept: str = "application/json") -> Reply:
        """Read something below `/v1` with a token for these scopes.

        Raises:
            ProblemError: the gateway refused, with the problem that says why.
        """
        headers = {"Accept": f"{accept}, application/problem+json"}
        reply = self._call(Call("GET", f"{self._resource}{path}", headers), Grant(scope, self._resource))
        if reply.status != _OK:
            raise reply.problem(self._channel.time.now())
        return reply

    def download(self, path: str, into: BinaryIO, *, scope: str) -> None:
        """Write something below `/v1` into a file, however large it is.

        Raises:
            ProblemError: the gateway refused, with the problem that says why.
        """
        call = Call("GET", f"{self._resource}{path}", {"Accept": "*/*"})
        reply = self._call(call, Grant(scope, self._resource), into)
        if reply.status != _OK:
            raise reply.problem(self._channel.time.now())

    def post(self, path: str, document: Mapping[str, Json] | str, *, scope: str, seen: str | None = None) -> Reply:
        """Send a document to something below `/v1` with a token for these scopes; `seen`: the version it is about.

        A text is a signed statement and goes as it is.

        Raises:
            ProblemError: the gateway refused, with the problem that says why.
        """
        form, body = (
            ("jose", document.encode("ascii")) if isinstance(document, str) else ("json", dump_json(dict(document)))
        )
        headers = {"Accept": "application/json, application/problem+json", "Content-Type": f"application/{form}"}
        if seen is not None:
            headers["If-Match"] = f'"{seen}"'
        reply = self._call(Call("POST", f"{self._resource}{path}", headers, body), Grant(scope, self._resource))
        if reply.status not in {_OK, _CREATED}:
            raise reply.problem(self._channel.time.now())
        return reply

    def delete(self, path: str, *, scope: str) -> None:
        """Delete something below `/v1`.

        Raises:
            ProblemError: the gateway refused, with the problem that says why.
        """
        headers = {"Accept": "application/problem+json"}
        reply = self._call(Call("DELETE", f"{self._resource}{path}", headers), Grant(scope, self._resource))
        if reply.status != _DELETED:
            raise reply.problem(self._channel.time.now())

    def _get(self, path: str, *, accept: str = "application/json") -> Reply:
        return self.get(f"/exchanges{path}", scope=SCOPE, accept=accept)

    def _answer(self, reply: Reply, *, request: str | None) -> Answer:
        document = reply.members()
        if "outcome" not in document or "receipt" not in document:
            raise reply.problem(self._channel.time.now())
        if request is not None and document.get("request") != request:
            raise UnprovenError("it answers another request than the one sent", reply.body)
        return read_answer(reply, self._verify(reply, is_fresh=True))

    def _verify(self, reply: Reply, *, is_fresh: bool = False) -> Report | None:
        if self._trust is None:
            return None
        trust = self._trust.unconfirmed() if is_fresh else self._trust
        try:
            return evidence.verify(reply.body, trust, now=self._channel.time.now())
        except EvidenceError as error:
            raise UnprovenError(str(error), reply.body) from error

    @property
    def _resource(self) -> str:
        return f"{self.gateway}/v1"

    def _call(self, call: Call, grant: Grant, into: BinaryIO | None = None) -> Reply:
        """Call the API with a bound token; answer a nonce challenge, renew a dead token, at most `_TRIES` calls."""
        deadline = self._channel.deadline()
        tokens = self._signed_in(deadline)
        for _ in range(_TRIES):
            token = tokens.token(grant, deadline)

            def make(token: str = token) -> Call:
                now = self._channel.time.now()
                proof = prove(self._proof_key, call.method, call.url, now=now, nonce=self._nonce, token=token)
                return replace(call, headers={**call.headers, "Authorization": f"DPoP {token}", "DPoP": proof})

            reply = self._channel.send(make, deadline, into)
            self._nonce = reply.headers.get("DPoP-Nonce", self._nonce)
            if reply.status != _UNAUTHORIZED:
                break
            challenge = _ERROR.search(reply.headers.get("WWW-Authenticate", ""))
            match challenge and challenge[1]:
                case "use_dpop_nonce":
                    continue
                case "invalid_token":
                    tokens.forget(token)
                case _:
                    break
        return reply

    def _signed_in(self, deadline: Deadline) -> Tokens:
        with self._lock:
            if self._tokens is None:
                metadata = discover(self._channel, deadline)
                self._tokens = Tokens(
                    metadata, self._channel, self.client_id, key=self._sign_in_key, proof_key=self._proof_key
                )
            return self._tokens
