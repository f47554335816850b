"""Settings from the environment, all read at once, so that a start names everything that is missing.

`docs/settings.md` describes each; a test compares the two.
"""

import base64
import binascii
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environs import Env, EnvValidationError
from marshmallow import ValidationError

from gateway.errors import SettingsError

SECRET_PREFIX = "IPX_SECRET_"  # noqa: S105  (the prefix of names, not a secret)

HOW_TO_MAKE = {
    "IPX_ORIGIN": "the public address of this gateway, such as https://gw.example",
    "IPX_KEY_ENCRYPTION_KEY": "32 random bytes in base64: `ipx-gateway keys init` makes one",
    "IPX_RECEIPT_KEY": "path of the PKCS#8 key that signs receipts: `ipx-gateway keys init` makes one",
    "IPX_LOG_KEY": "path of the PKCS#8 Ed25519 key that signs checkpoints: `ipx-gateway keys init` makes one",
}


@dataclass(frozen=True, slots=True)
class Settings:
    origin: str
    """`https://gw.example`: issuer of tokens, audience of requests, base of all addresses. Never taken from `Host`."""
    database_url: str
    checkpoint_database_url: str
    """A separate database on another volume: it holds only the last published checkpoint."""
    key_encryption_key: bytes
    receipt_key: Path
    log_key: Path
    trust_key: Path | None
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
    client_certificate_header: str | None = None
    """In which a trusted proxy hands on a client's certificate; None: the gateway's own socket, or no mutual TLS."""
    trusted_proxies: tuple[str, ...] = ()
    redis_url: str | None = None

    @property
    def log_origin(self) -> str:
        """The log's name on its checkpoints (C2SP tlog-checkpoint): host and path, no scheme."""
        return urlsplit(self.origin).netloc + "/log"

    @property
    def resource(self) -> str:
        """The API's identifier as a token audience (RFC 8707)."""
        return self.origin + "/v1"


def read_settings() -> Settings:
    """Read all settings from the process environment.

    Raises:
        SettingsError: one or more are missing or malformed; the message names each and says how to make it.
    """
    env = Env(eager=False, prefix="IPX_")
    var = Path(os.environ.get("IPX_VAR", "var"))
    origin = env.str("ORIGIN", validate=_is_origin)
    database_url = env.str("DATABASE_URL", default=f"sqlite:///{var / 'gateway.db'}")
    checkpoint_database_url = env.str(
        "CHECKPOINT_DATABASE_URL", default=f"sqlite:///{var / 'checkpoints' / 'checkpoints.db'}"
    )
    key_encryption_key = env.str("KEY_ENCRYPTION_KEY", validate=_is_key)
    receipt_key = env.path("RECEIPT_KEY", validate=_is_file)
    log_key = env.path("LOG_KEY", validate=_is_file)
    trust_key = env.path("TRUST_KEY", default=None)
    node = env.str("NODE", default=platform.node())
    holder_seconds = env.float("HOLDER_SECONDS", default=10.0)
    exchange_seconds = env.float("EXCHANGE_SECONDS", default=30.0)
    sources = env.path("SOURCES", default=var / "sources")
    bind = env.str("BIND", default="127.0.0.1:8080")
    workers = env.int("WORKERS", default=2)
    threads = env.int("THREADS", default=16)
    client_certificate_header = env.str("CLIENT_CERTIFICATE_HEADER", default=None)
    trusted_proxies: list[str] = env.list("TRUSTED_PROXIES", default=[])
    redis_url = env.str("REDIS_URL", default=None)
    try:
        env.seal()
    except EnvValidationError as error:
        raise SettingsError(_explain(error)) from error
    return Settings(
        origin=origin,
        database_url=database_url,
        checkpoint_database_url=checkpoint_database_url,
        key_encryption_key=base64.b64decode(key_encryption_key),
        receipt_key=receipt_key,
        log_key=log_key,
        trust_key=trust_key,
        node=node,
        holder_seconds=holder_seconds,
        exchange_seconds=exchange_seconds,
        sources=sources,
        secrets=secrets_in_environment(),
        bind=bind,
        workers=workers,
        threads=threads,
        client_certificate_header=client_certificate_header,
        trusted_proxies=tuple(trusted_proxies),
        redis_url=redis_url,
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


def _is_origin(text: str) -> None:
    loopback = r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?"
    if not re.fullmatch(rf"https://[a-z0-9.-]+(?::\d{{1,5}})?|{loopback}", text):
        raise ValidationError("must be https://host[:port] in lower case without a path (http only on loopback)")


def _is_key(text: str) -> None:
    try:
        size = len(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise ValidationError("is not base64") from error
    if size != 32:  # noqa: PLR2004  (AES-256)
        raise ValidationError(f"must be 32 bytes, not {size}")


def _is_file(path: Path) -> None:
    if not path.is_file():
        raise ValidationError(f"names a file that does not exist: {path}")
