"""What the sign-in pages share: the services behind them, from where a call comes, and whether it came too often."""

from dataclasses import dataclass
from typing import Any, Final

from flask import current_app, request

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.oauth.replay import ReplayStore
from gateway.oauth.throttle import Throttle
from gateway.oauth.transport import TrustedProxies
from gateway.people.datastore import PeopleDatastore
from gateway.people.locks import Locks
from gateway.people.models import Person
from gateway.people.service import People
from gateway.people.sign_ins import SignIns
from gateway.people.upstream import Upstream

EXTENSION: Final = "ipx_people"
FAILURES_PER_MINUTE: Final = 20
"""From one address, in each worker: more than a forgetful person needs, fewer than guessing does."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where people prove who they are."""

    database: Database
    people: People
    sign_ins: SignIns
    locks: Locks
    failures: Throttle
    used: ReplayStore
    proxies: TrustedProxies
    clock: Clock
    datastore: PeopleDatastore
    upstream: Upstream | None
    origin: str
    console_origin: str
    secret: bytes
    """Session cookies, codes and links are signed and hashed with keys derived from it."""
    is_second_factor_required: bool

    @property
    def hosts(self) -> frozenset[str]:
        """What a browser may call this gateway: on loopback also by name, since passkeys have no place at a number."""
        return frozenset({self.origin.partition("://")[2], self.console_origin.partition("://")[2]})

    @property
    def is_loopback(self) -> bool:
        return self.origin.startswith("http://")

    def address(self) -> str:
        return self.proxies.address_of(request)

    def is_crowded(self) -> bool:
        """Whether too many tries failed from where this call comes."""
        return self.failures.is_exhausted(self.address())

    def refuse(self, person: Person | None, factor: str, *, counted: bool = True) -> None:
        """Write a refused sign-in down; afterwards the caller learns nothing but that it was refused."""
        self.failures.count(self.address())
        self.locks.refuse(person, factor=factor, address=self.address(), counted=counted)


def desk() -> Desk:
    """Give the desk of this application."""
    found: Any = current_app.extensions[EXTENSION]
    return found  # type: ignore[no-any-return]
