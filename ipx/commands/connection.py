"""What every command needs that calls a gateway as a registered client: the options, and the client made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ipx import keyfile, trustfile
from ipx.client import Client
from ipx.journal import Journal
from ipx.keys import Signer
from ipx.problems import KeyFileError
from ipx.trust import Trust

_OPTIONS = (
    click.option("--gateway", required=True, metavar="URL", envvar="IPX_GATEWAY", help="Address of the gateway."),
    click.option(
        "--client", "client_id", required=True, metavar="ID", envvar="IPX_CLIENT", help="Your registered client."
    ),
    click.option(
        "--key",
        "key_path",
        required=True,
        type=click.Path(path_type=Path),
        envvar="IPX_KEY",
        help="Its private key file.",
    ),
    click.option(
        "--sign-in-key",
        "sign_in_key_path",
        type=click.Path(path_type=Path),
        help="Another registered key to sign in with, such as an RSA key; --key then signs requests only.",
    ),
)


@dataclass(frozen=True, slots=True)
class Connection:
    """Who calls whom, as the options say."""

    gateway: str
    client_id: str
    key_path: Path
    sign_in_key_path: Path | None

    def client(self, trust: Trust | None, journal: Journal | None = None) -> Client:
        """Make the client, to be closed after use.

        Raises:
            KeyFileError: a key file cannot be used.
        """
        sign_in_key = keyfile.read_key(self.sign_in_key_path) if self.sign_in_key_path is not None else None
        return Client(
            self.gateway,
            self.client_id,
            signer_in(self.key_path),
            trust=trust,
            sign_in_key=sign_in_key,
            journal=journal,
        )


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--gateway --client --key --sign-in-key`; the command gets them as `connection`."""

    def run(*, gateway: str, client_id: str, key_path: Path, sign_in_key_path: Path | None, **rest: Any) -> Any:
        return command(connection=Connection(gateway, client_id, key_path, sign_in_key_path), **rest)

    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def trust_option(words: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the option `--trust`, which it needs: `trust_path`.

    Args:
        words: its help.
    """
    return click.option(
        "--trust",
        "trust_path",
        required=True,
        type=click.Path(path_type=Path),
        envvar="IPX_TRUST",
        help=words,
    )


def trust_of(path: Path | None) -> Trust | None:
    """Read the trust list that a command was given.

    Raises:
        TrustFileError: it cannot be relied on.
    """
    return trustfile.read(path).trust if path is not None else None


def signer_in(path: Path) -> Signer:
    """Read a key that signs requests.

    Raises:
        KeyFileError: it cannot be read, or serves to sign in only.
    """
    key = keyfile.read_key(path)
    if isinstance(key, keyfile.RsaKey):
        raise KeyFileError(
            f"{path} is an RSA key: it signs a client in, but requests need Ed25519 or ES256",
            next_step="Register a second key made with `ipx keygen --alg Ed25519`.",
        )
    return key
