"""Settings from the environment, all read at once, so that a start names everything that is missing.

`docs/settings.md` describes each; a test compares the two.
"""

import base64
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environs import Env, EnvValidationError
from marshmallow.validate import OneOf

from gateway import cores, setting_checks
from gateway.errors import SettingsError
from gateway.keyplace import KeyPlace, read_place
from ipx.notekey import NoteKey

SECRET_PREFIX = "IPX_SECRET_"  # noqa: S105  (the prefix of names, not a secret)

HOW_TO_MAKE = {
    "IPX_ORIGIN": "the public address of this gateway, such as https://gw.example",
    "IPX_KEY_ENCRYPTION_KEY": "32 random bytes in base64: `ipx-gateway keys init` makes one",
    "IPX_RECEIPT_KEY": "path of the PKCS#8 key that signs receipts: `ipx-gateway keys init` makes one",
    "IPX_LOG_KEY": "path of the PKCS#8 Ed25519 key that signs checkpoints: `ipx-gateway keys init` makes one",
}


@dataclass(frozen=True, slots=True)
class PeopleSettings:
    """How people sign in to the consoles."""

    is_second_factor_required: bool = True
    """Only a gateway on loopback, such as the demo, may do without."""
    upstream_issuer: str | None = None
    """Where people may sign in besides: an OpenID provider's issuer; with client id and secret, or none of them."""
    upstream_client_id: str | None = None
    upstream_client_secret: str | None = None
    upstream_name: str | None = None
    upstream_acr: str | None = None
    """The authentication context that counts as a second factor there; None: `amr` is read."""


@dataclass(frozen=True, slots=True)
class Pool:
    """How a process keeps its connections; it has one pool for each of the two databases."""

    size: int = 20
    overflow: int = 20
    """How many more may be open for a while."""
    recycle_seconds: int = 1800
    """After which a connection is replaced: before a firewall or a proxy on the way forgets it."""
    is_prepared: bool = True
    """Whether statements may be prepared on the server. Not behind a proxy that gives each transaction another one."""


@dataclass(frozen=True, slots=True)
class Settings:
    origin: str
    """`https://gw.example`: issuer of tokens, audience of requests, base of all addresses. Never taken from `Host`."""
    database_url: str
    checkpoint_database_url: str
    """A separate database on another volume: it holds only the last published checkpoint."""
    key_encryption_key: bytes
    receipt_key: KeyPlace
    log_key: KeyPlace
    trust_key: KeyPlace | None
    """Signs the trust list. Absent where it is kept offline and `ipx-gateway trust publish --key` is used."""
    node: str
    """Names this machine in rows that a crash may leave open."""
    holder_seconds: float
    exchange_seconds: float
    sources: Path
    """What `${IPX_SOURCES}` means in a source file."""
    secrets: Mapping[str, str]
    """What `${secret:NAME}` means in a source file: variables `IPX_SECRET_<NAME>`."""
    bind: str
    workers: int
    threads: int
    pin_workers: str = "auto"
    """Whether each worker keeps to one core: `on`, `off` or `auto` (`gateway.cores`)."""
    client_certificate_header: str | None = None
    """In which a trusted proxy hands on a client's certificate; None: the gateway's own socket, or no mutual TLS."""
    trusted_proxies: tuple[str, ...] = ()
    redis_url: str | None = None
    pool: Pool = field(default_factory=Pool)
    drain_seconds: float = 0.0
    """How long a node that is told to end goes on serving, not ready, so that others stop sending to it."""
    source_state: Path | None = None
    """Where indexes and copies of sources outlive the process; None: each process makes its own."""
    record_types: Path | None = None
    """An operator's own declarations of record types; the catalogue reads them when the program starts."""
    st96_schemas: Path | None = None
    """WIPO's flattened schemas of ST.96 V6_0: XML that breaks them is not given."""
    is_key_set_private: bool = False
    """Whether clients' key sets may be fetched from addresses of private networks and of this machine."""
    tls_certificate: Path | None = None
    """With its key: the gateway ends TLS itself. Read by `gunicorn_conf`."""
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    """Who issues clients' certificates; with it the gateway's own socket asks for one."""
    container_key: Path | None = None
    """Signs ASiC-E containers and nothing else; with its certificate, or neither."""
    container_certificate: Path | None = None
    answer_days: float = 7.0
    """How long the fields of a release are kept for being fetched again; what proves it stays."""
    retention_months: Mapping[str, int] = field(default_factory=dict)
    """By record type, how many whole months exchanges are kept; types that are not named are kept."""
    tsa_url: str | None = None
    """A time-stamp authority (RFC 3161); evidence then needs its stamps."""
    tsa_roots: Path | None = None
    tsa_policy: str | None = None
    evidence_overdue_hours: float = 4.0
    """How long entries may wait for a time-stamp before no new exchange is taken."""
    witnesses: tuple[tuple[NoteKey, str], ...] = ()
    """Keys and addresses of those who cosign this gateway's checkpoints."""
    witness_quorum: int = 0
    witness_key: KeyPlace | None = None
    """Cosigns the checkpoints of `witnessed_logs`: makes this gateway a witness of its peers."""
    witnessed_logs: tuple[NoteKey, ...] = ()
    people: PeopleSettings = field(default_factory=PeopleSettings)
    metrics_token: str | None = None
    """Whoever holds it may read `/metrics`; None: there is no such address."""
    traces_url: str | None = None
    """Where traces go (OTLP over HTTP); None: none are made."""
    has_consoles: bool = True
    """Whether pages for people are served besides the API."""

    @property
    def console_origin(self) -> str:
        """Where people go: the same place by name, for browsers keep no passkey for a number."""
        return self.origin.replace("http://127.0.0.1", "http://localhost", 1)

    @property
    def has_mutual_tls(self) -> bool:
        """Whether a client's certificate can reach this gateway at all."""
        return self.tls_client_ca is not None or self.client_certificate_header is not None

    @property
    def witness_name(self) -> str:
        """This gateway's name as a witness; its address is the same behind the scheme."""
        return urlsplit(self.origin).netloc + "/witness"

    @property
    def log_origin(self) -> str:
        """The log's name on its checkpoints (C2SP tlog-checkpoint): host and path, no scheme."""
        return urlsplit(self.origin).netloc + "/log"

    @property
    def resource(self) -> str:
        """The API's identifier as a token audience (RFC 8707)."""
        return self.origin + "/v1"


def read_settings() -> Settings:  # noqa: PLR0915  (one line a setting)
    """Read all settings from the process environment.

    Raises:
        SettingsError: one or more are missing or malformed; the message names each and says how to make it.
    """
    env = Env(eager=False, prefix="IPX_")
    var = Path(os.environ.get("IPX_VAR", "var"))
    origin = env.str("ORIGIN", validate=setting_checks.is_origin)
    database_url = env.str("DATABASE_URL", default=f"sqlite:///{var / 'gateway.db'}")
    checkpoint_database_url = env.str(
        "CHECKPOINT_DATABASE_URL", default=f"sqlite:///{var / 'checkpoints' / 'checkpoints.db'}"
    )
    key_encryption_key = env.str("KEY_ENCRYPTION_KEY", validate=setting_checks.is_key)
    receipt_key = env.str("RECEIPT_KEY", validate=setting_checks.is_place)
    log_key = env.str("LOG_KEY", validate=setting_checks.is_place)
    trust_key = env.str("TRUST_KEY", default=None, validate=setting_checks.is_place)
    node = env.str("NODE", default=platform.node())
    holder_seconds = env.float("HOLDER_SECONDS", default=10.0, validate=setting_checks.is_wait)
    exchange_seconds = env.float("EXCHANGE_SECONDS", default=30.0, validate=setting_checks.is_wait)
    sources = env.path("SOURCES", default=var / "sources")
    record_types = env.path("RECORD_TYPES", default=None, validate=setting_checks.is_folder)
    st96_schemas = env.path("ST96_SCHEMAS", default=None, validate=setting_checks.is_folder)
    source_state = env.path("SOURCE_STATE", default=None, validate=setting_checks.is_private_folder)
    bind = env.str("BIND", default="127.0.0.1:8080")
    workers = env.int("WORKERS", default=2)
    threads = env.int("THREADS", default=16)
    pin_workers = env.str("PIN_WORKERS", default="auto", validate=OneOf(cores.CHOICES))
    client_certificate_header = env.str("CLIENT_CERTIFICATE_HEADER", default=None)
    trusted_proxies: list[str] = env.list("TRUSTED_PROXIES", default=[])
    redis_url = env.str("REDIS_URL", default=None)
    pool = Pool(
        size=env.int("DATABASE_POOL", default=20, validate=setting_checks.is_positive),
        overflow=env.int("DATABASE_OVERFLOW", default=20, validate=setting_checks.is_not_negative),
        recycle_seconds=env.int("DATABASE_RECYCLE_SECONDS", default=1800, validate=setting_checks.is_positive),
        is_prepared=env.bool("DATABASE_PREPARED", default=True),
    )
    drain_seconds = env.float("DRAIN_SECONDS", default=0.0, validate=setting_checks.is_pause)
    is_key_set_private = env.bool("KEY_SET_PRIVATE", default=False)
    tls_certificate = env.path("TLS_CERTIFICATE", default=None, validate=setting_checks.is_file)
    tls_key = env.path("TLS_KEY", default=None, validate=setting_checks.is_file)
    tls_client_ca = env.path("TLS_CLIENT_CA", default=None, validate=setting_checks.is_file)
    container_key = env.path("CONTAINER_KEY", default=None, validate=setting_checks.is_file)
    container_certificate = env.path("CONTAINER_CERTIFICATE", default=None, validate=setting_checks.is_file)
    answer_days = env.float("ANSWER_DAYS", default=7.0, validate=setting_checks.is_duration)
    retention_months: dict[str, int] = env.dict(
        "RETENTION_MONTHS", default={}, subcast_values=int, validate=setting_checks.are_months
    )
    tsa_url = env.str("TSA_URL", default=None)
    tsa_roots = env.path("TSA_ROOTS", default=None, validate=setting_checks.is_file)
    tsa_policy = env.str("TSA_POLICY", default=None)
    evidence_overdue_hours = env.float("EVIDENCE_OVERDUE_HOURS", default=4.0, validate=setting_checks.is_duration)
    witnesses: list[str] = env.list("WITNESSES", default=[], validate=setting_checks.are_witnesses)
    witness_quorum = env.int("WITNESS_QUORUM", default=None, validate=setting_checks.is_positive)
    witness_key = env.str("WITNESS_KEY", default=None, validate=setting_checks.is_place)
    witnessed_logs: list[str] = env.list("WITNESSED_LOGS", default=[], validate=setting_checks.are_logs)
    people = _read_people(env)
    has_consoles = env.bool("CONSOLES", default=True)
    traces_url = env.str("TRACES_URL", default=None, validate=setting_checks.is_address)
    metrics_token = env.str("METRICS_TOKEN", default=None, validate=setting_checks.is_secret)
    try:
        env.seal()
    except EnvValidationError as error:
        raise SettingsError(_explain(error)) from error
    if (tls_certificate is None) != (tls_key is None) or (tls_client_ca is not None and tls_certificate is None):
        raise SettingsError("IPX_TLS_CERTIFICATE and IPX_TLS_KEY go together, and IPX_TLS_CLIENT_CA needs both")
    _require_sound(people, origin)
    return Settings(
        origin=origin,
        database_url=database_url,
        checkpoint_database_url=checkpoint_database_url,
        key_encryption_key=base64.b64decode(key_encryption_key),
        receipt_key=read_place(receipt_key),
        log_key=read_place(log_key),
        trust_key=read_place(trust_key) if trust_key else None,
        node=node,
        holder_seconds=holder_seconds,
        exchange_seconds=exchange_seconds,
        sources=sources,
        record_types=record_types,
        st96_schemas=st96_schemas,
        source_state=source_state,
        secrets=secrets_in_environment(),
        bind=bind,
        workers=workers,
        threads=threads,
        pin_workers=pin_workers,
        client_certificate_header=client_certificate_header,
        trusted_proxies=tuple(trusted_proxies),
        redis_url=redis_url,
        pool=pool,
        drain_seconds=drain_seconds,
        is_key_set_private=is_key_set_private,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        container_key=container_key,
        container_certificate=container_certificate,
        answer_days=answer_days,
        retention_months=retention_months,
        tsa_url=tsa_url,
        tsa_roots=tsa_roots,
        tsa_policy=tsa_policy,
        evidence_overdue_hours=evidence_overdue_hours,
        witnesses=_witnesses(witnesses),
        witness_quorum=witness_quorum or len(witnesses) // 2 + bool(witnesses),
        witness_key=read_place(witness_key) if witness_key else None,
        witnessed_logs=tuple(NoteKey.parse(vkey) for vkey in witnessed_logs),
        people=people,
        has_consoles=has_consoles,
        metrics_token=metrics_token,
        traces_url=traces_url,
    )


def secrets_in_environment() -> dict[str, str]:
    """Give what `${secret:NAME}` means in a source file: the variables `IPX_SECRET_<NAME>`."""
    return {
        name.removeprefix(SECRET_PREFIX): value for name, value in os.environ.items() if name.startswith(SECRET_PREFIX)
    }


def variables_in_environment() -> dict[str, str]:
    """Give what `${NAME}` means in a source file: only `IPX_SOURCES`; nothing else of the environment leaks in."""
    return {"IPX_SOURCES": os.environ.get("IPX_SOURCES", str(Path(os.environ.get("IPX_VAR", "var")) / "sources"))}


def _explain(error: EnvValidationError) -> str:
    lines = ["the environment does not suffice to start:"]
    found: Any = error.error_messages  # a mapping from names to messages, whatever its declared type says
    for name, messages in sorted(found.items()):
        hint = HOW_TO_MAKE.get(name)
        lines.append(f"  {name}: {' '.join(map(str, messages))}" + (f" ({hint})" if hint else ""))
    return "\n".join(lines)


def _read_people(env: Env) -> PeopleSettings:
    return PeopleSettings(
        is_second_factor_required=env.bool("SECOND_FACTOR", default=True),
        upstream_issuer=env.str("UPSTREAM_ISSUER", default=None, validate=setting_checks.is_issuer),
        upstream_client_id=env.str("UPSTREAM_CLIENT_ID", default=None),
        upstream_client_secret=env.str("UPSTREAM_CLIENT_SECRET", default=None),
        upstream_name=env.str("UPSTREAM_NAME", default=None),
        upstream_acr=env.str("UPSTREAM_ACR", default=None),
    )


def _require_sound(people: PeopleSettings, origin: str) -> None:
    """Refuse to start with a half-named provider, or with one factor where others than this machine can sign in.

    Raises:
        SettingsError: so it is.
    """
    if not people.is_second_factor_required and origin.startswith("https://"):
        raise SettingsError("IPX_SECOND_FACTOR=false is for a gateway on loopback only, such as the demo")
    provider = (people.upstream_issuer, people.upstream_client_id, people.upstream_client_secret)
    if len({value is None for value in provider}) > 1:
        raise SettingsError("IPX_UPSTREAM_ISSUER, IPX_UPSTREAM_CLIENT_ID and IPX_UPSTREAM_CLIENT_SECRET go together")


def _witnesses(pairs: Sequence[str]) -> tuple[tuple[NoteKey, str], ...]:
    """Read `<vkey> <address>` of each witness."""
    split = [pair.split() for pair in pairs]
    return tuple((NoteKey.parse(vkey), url) for vkey, url in split)
