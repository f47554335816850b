"""The desk at which people sign in, constructed."""

from urllib.parse import urlsplit

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.oauth.replay import ReplayStore
from gateway.oauth.throttle import Throttle
from gateway.oauth.transport import TrustedProxies
from gateway.people.datastore import PeopleDatastore
from gateway.people.desk import FAILURES_PER_MINUTE, Desk
from gateway.people.locks import Locks
from gateway.people.service import People
from gateway.people.sign_ins import SignIns
from gateway.people.upstream import Provider, Upstream
from gateway.settings import Settings
from gateway.wiring.derived import derived_key


def build_desk(
    settings: Settings,
    database: Database,
    people: People,
    sign_ins: SignIns,
    audit: AuditTrail,
    replay: ReplayStore,
    clock: Clock,
) -> Desk:
    """Construct the desk at which people sign in."""
    return Desk(
        database=database,
        people=people,
        sign_ins=sign_ins,
        locks=Locks(database, audit, clock),
        failures=Throttle(FAILURES_PER_MINUTE, clock),
        used=replay,
        proxies=TrustedProxies(settings.trusted_proxies),
        clock=clock,
        datastore=PeopleDatastore(database, audit, clock),
        upstream=_upstream(settings, clock),
        origin=settings.origin,
        console_origin=settings.console_origin,
        secret=derived_key(settings, b"people"),
        is_second_factor_required=settings.people.is_second_factor_required,
    )


def _upstream(settings: Settings, clock: Clock) -> Upstream | None:
    named = settings.people
    issuer, client_id, secret = named.upstream_issuer, named.upstream_client_id, named.upstream_client_secret
    if issuer is None or client_id is None or secret is None:
        return None
    name = named.upstream_name or urlsplit(issuer).netloc
    return Upstream(Provider(issuer, client_id, secret, name, named.upstream_acr), settings.console_origin, clock)
