"""The trust list this gateway publishes: whose key signs what, and how its log is known (format in `ipx.trust`)."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.evidence.acts import ActTrail
from gateway.evidence.demands import Demands
from gateway.evidence.errors import UnpublishableError
from gateway.evidence.keys import holder_keys
from gateway.evidence.models import TrustList
from gateway.evidence.outsiders import Outsiders
from gateway.evidence.shard import Shard, read_shards
from ipx import jws
from ipx.encoding import b64, b64url, b64url_bytes
from ipx.errors import EvidenceError
from ipx.jws import Json, dump_json
from ipx.keys import EVIDENCE_ALGORITHMS, Signer, TrustedKey, public_key
from ipx.note import NoteKey
from ipx.trust import TYP, load

RequesterKeys = Callable[[Session], Sequence[TrustedKey]]
"""Gives the clients' keys, ended and revoked ones too: old requests must still verify."""


class TrustLists:
    """Builds, signs, logs and serves trust lists: the version never falls, each names the hash of the one before."""

    def __init__(
        self,
        database: Database,
        *,
        requester_keys: RequesterKeys,
        receipt_signer: Signer,
        log_key: NoteKey,
        issuer: str,
        acts: ActTrail,
        clock: Clock,
        signer: Signer | None,
        outsiders: Outsiders | None = None,
    ) -> None:
        """Take what a list is made of.

        Args:
            database: holds the lists and the holders' keys.
            requester_keys: the clients' keys.
            receipt_signer: its public half is listed in the role `gateway`.
            log_key: the log's origin and key.
            issuer: this gateway's origin.
            acts: where each publication becomes an audit entry and a leaf.
            clock: dates lists.
            signer: the trust key; None where it is kept offline and handed to `publish`.
            outsiders: who confirms checkpoints; a list that names them demands it of all evidence.
        """
        self._database = database
        self._requester_keys = requester_keys
        self._receipt_signer = receipt_signer
        self._log_key = log_key
        self._issuer = issuer
        self._acts = acts
        self._clock = clock
        self._signer = signer
        self._outsiders = outsiders or Outsiders()
        self._known_demands = 0, Demands()
        """Of which version; reading a list of many keys takes milliseconds, and each checkpoint served asks."""

    def latest(self) -> str:
        """Give the list in force, as signed.

        Raises:
            UnknownError: none was published yet.
        """
        return self._latest_row().jws

    def signed_by(self) -> Mapping[str, str]:
        """Give the public key (JWK) that signed the list in force, for readers who pin it on first use.

        Raises:
            UnknownError: none was published yet.
        """
        return self._latest_row().signed_by

    def demands(self) -> Demands:
        """Tell what the list in force demands of a checkpoint; nothing where none was published yet."""
        with self._database.read() as session:
            version = session.scalar(select(func.max(TrustList.version))) or 0
        if version != self._known_demands[0]:
            self._known_demands = version, _demands(_payload(self.latest()))
        return self._known_demands[1]

    def publish(self, session: Session, actor: str, *, signer: Signer | None = None) -> TrustList:
        """Sign a new list where anything in it has changed, else give the one in force.

        The list, its audit entry and its leaf are written in the caller's transaction.

        Raises:
            UnpublishableError: no key signs it, or every reader would refuse it.
        """
        last = session.scalars(select(TrustList).order_by(TrustList.version.desc()).limit(1)).one_or_none()
        before: dict[str, Any] = {} if last is None else _payload(last.jws)
        signing = signer or self._signer
        if signing is None:
            raise UnpublishableError("the trust key is kept offline: publish with the key file at hand")
        content = self._content(session, before)
        if last is not None and last.signed_by == dict(signing.public_jwk) and _content(before) == content:
            return last
        now = self._clock()
        version = 1 if last is None else last.version + 1
        payload: dict[str, Json] = {
            "iss": self._issuer,
            "version": version,
            "iat": _seconds(now),
            "prev": None if last is None else b64url(sha256(last.jws.encode("ascii")).digest()),
            **content,
        }
        token = self._signed(payload, signing)
        digest = sha256(token.encode("ascii")).hexdigest()
        row = TrustList(version=version, jws=token, sha256=digest, signed_by=dict(signing.public_jwk), created_at=now)
        session.add(row)
        session.flush()
        self._acts.record(session, actor, "trust_list.published", f"trust:{version}", {"sha256": digest})
        return row

    def _latest_row(self) -> TrustList:
        with self._database.read() as session:
            row = session.scalars(select(TrustList).order_by(TrustList.version.desc()).limit(1)).one_or_none()
        if row is None:
            raise UnknownError("no trust list was published yet")
        return row

    def _content(self, session: Session, before: Mapping[str, Any]) -> dict[str, Json]:
        keys = [
            key
            for key in (*self._requester_keys(session), *holder_keys(session))
            if key.public.alg in EVIDENCE_ALGORITHMS
        ]
        return {
            "keys": [*self._gateway_keys(before), *(_member(key) for key in keys)],
            "log": {"origin": self._log_key.name, "vkeys": [self._log_key.vkey]},
            **_ended(read_shards(session.connection())),
            **_confirmed_by(self._outsiders),
        }

    def _gateway_keys(self, before: Mapping[str, Any]) -> list[Json]:
        """List the receipt key; an earlier one stays, ended, so that its receipts still verify."""
        now = int(self._clock().timestamp())
        current = self._receipt_signer.kid
        known = [key for key in before.get("keys", ()) if key["role"] == "gateway"]
        listed: list[Json] = []
        for key in known:
            if key["kid"] == current and key["valid_until"] is not None:
                raise UnpublishableError(f"the receipt key {current} was replaced before; a key that ended stays ended")
            is_over = key["kid"] != current and key["valid_until"] is None
            # What it signed in this very second, before this list was made, was signed in time.
            listed.append({**key, "valid_until": max(now, key["valid_from"]) + 1} if is_over else key)
        if all(key["kid"] != current for key in known):
            listed.append(
                _member(
                    TrustedKey(
                        role="gateway",
                        kid=current,
                        owner=self._issuer,
                        public=public_key(self._receipt_signer.public_jwk),
                        valid_from=self._clock(),
                    )
                )
            )
        return listed

    def _signed(self, payload: Mapping[str, Json], signer: Signer) -> str:
        try:
            load(dump_json(dict(payload)), pinned=None, at_least=0)
            return jws.sign(payload, signer, typ=TYP)
        except EvidenceError as error:
            raise UnpublishableError(f"every reader would refuse this trust list: {error}") from error


def _demands(payload: Mapping[str, Any]) -> Demands:
    return Demands(
        witnesses=frozenset(NoteKey.parse(witness["vkey"]) for witness in payload.get("witnesses", ())),
        quorum=payload.get("quorum", 0),
        is_stamped=bool(payload.get("tsa_roots")),
    )


def _ended(shards: Sequence[Shard]) -> dict[str, Json]:
    """List the shards that have ended, with how: nobody who has their keys can lengthen them any more."""
    ended: list[Json] = [
        {
            "origin": shard.origin,
            "vkeys": [shard.key.vkey],
            "size": shard.final.size,
            "root": b64(shard.final.root),
        }
        for shard in shards
        if shard.final is not None
    ]
    return {"shards": ended} if ended else {}


def _confirmed_by(outsiders: Outsiders) -> dict[str, Json]:
    members: dict[str, Json] = {}
    if outsiders.witnesses:
        members["witnesses"] = [{"vkey": witness.key.vkey, "url": witness.url} for witness in outsiders.witnesses]
        members["quorum"] = outsiders.quorum
    if outsiders.authority is not None:
        members["tsa_roots"] = [b64(root.public_bytes(Encoding.DER)) for root in outsiders.authority.roots]
        members["tsa_policy"] = outsiders.authority.policy
    return members


def _content(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in {"iss", "version", "iat", "prev"}}


def _member(key: TrustedKey) -> dict[str, Json]:
    member: dict[str, Json] = {
        "role": key.role,
        "kid": key.kid,
        "iss": key.owner,
        "alg": key.public.alg,
        "jwk": dict(key.public.jwk),
        "valid_from": _seconds(key.valid_from),
        "valid_until": _seconds(key.valid_until),
    }
    if key.revoked_at is not None:
        member["revoked_at"] = _seconds(key.revoked_at)
        if key.reason:
            member["reason"] = key.reason
    return member


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _payload(token: str) -> dict[str, Any]:
    """Read a list of our own making: what signed it stands in the same row."""
    payload: dict[str, Any] = json.loads(b64url_bytes(token.split(".")[1]))
    return payload
