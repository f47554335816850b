"""Sign-ins of people to the consoles, as the audit trail tells of them: begun, refused, ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.auditor.filters import SIGN_INS, SignInFilter
from gateway.auditor.scope import Scope
from gateway.auditor.search import Act, Page, Search, instant

_OUTCOMES: Final = {act: outcome for outcome, act in SIGN_INS.items()}


@dataclass(frozen=True, slots=True)
class SignedIn:
    """One sign-in as a list shows it."""

    id: str
    at: datetime
    person: str | None
    """Username; None where nobody has the name that was tried, which is not written down."""
    outcome: str
    """Of `gateway.auditor.filters.SIGN_INS`."""
    via: str | None
    """By what it was proved: `passkey`, `password and code` …"""
    factor: str | None
    """What did not hold, where it was refused."""
    address: str | None
    actor: str
    """Who did it; of a refused one `stranger`, of an ended one perhaps an administrator."""
    log_index: int | None

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "at": instant(self.at),
            "person": self.person,
            "outcome": self.outcome,
            "via": self.via,
            "factor": self.factor,
            "ip": self.address,
            "actor": self.actor,
            "log_index": self.log_index,
        }


def sign_ins(search: Search, scope: Scope, wanted: SignInFilter, *, after: int | None, limit: int) -> Page[SignedIn]:
    """Give one page of sign-ins, newest first, as `Search.exchanges` gives exchanges."""
    page = search.acts(scope, wanted, after=after, limit=limit)
    return Page([_signed_in(act) for act in page.items], page.total, page.after)


def every_sign_in(search: Search, scope: Scope, wanted: SignInFilter) -> Iterator[SignedIn]:
    """Give all of them, newest first, read piece by piece as they are taken."""
    return map(_signed_in, search.every_act(scope, wanted))


def _signed_in(act: Act) -> SignedIn:
    kind, _, name = act.subject.partition(":")
    return SignedIn(
        id=act.id,
        at=act.at,
        person=name if kind == "person" and name else None,
        outcome=_OUTCOMES[act.act],
        via=act.detail.get("via"),
        factor=act.detail.get("factor"),
        address=act.detail.get("ip"),
        actor=act.actor,
        log_index=act.log_index,
    )
