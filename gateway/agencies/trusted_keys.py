"""Clients' keys as the trust list names them."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.agencies.models import ClientKey
from ipx.keys import EVIDENCE_ALGORITHMS, TrustedKey, public_key


def requester_keys(session: Session) -> list[TrustedKey]:
    """Give every key that may sign requests, also ended and revoked ones; those for signing in only (PS256) are not."""
    rows = session.scalars(
        select(ClientKey).where(ClientKey.alg.in_(EVIDENCE_ALGORITHMS)).order_by(ClientKey.client_id, ClientKey.id)
    )
    return [
        TrustedKey(
            role="requester",
            kid=row.kid,
            owner=row.client_id,
            public=public_key(row.jwk),
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            revoked_at=row.revoked_at,
            reason=row.revoked_reason,
        )
        for row in rows
    ]
