"""`ipx keygen`: make a client's key."""

from pathlib import Path

import click

from ipx import keyfile
from ipx.commands.printing import print_json
from ipx.keys import Algorithm


@click.command()
@click.option(
    "--alg",
    type=click.Choice(keyfile.ALGORITHMS),
    default="Ed25519",
    show_default=True,
    help="PS256 signs a client in, but cannot sign requests.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Where the private key goes. The file must not exist; only you will be able to read it.",
)
def keygen(alg: Algorithm, out: Path) -> None:
    """Make a key pair for a client system.

    The private key is written to the file and stays with you. The public key is printed: send it to the gateway's
    operator, who registers it for your client.

    \b
    Examples:
      ipx keygen --out customs-xa.intake.jwk
      ipx keygen --alg ES256 --out intake.jwk > intake.public.jwk
    """  # noqa: D301  (click wants the character \b itself)
    key = keyfile.generate(alg)
    keyfile.write_key(out, key)
    print_json(keyfile.public_jwk(key))
    click.echo(f"Private key in {out} (mode 0600). Register the public key above; its name is {key.kid}.", err=True)
