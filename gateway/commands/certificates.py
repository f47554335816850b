"""`ipx-gateway certificate`: the TLS certificates by which clients may authenticate."""

from pathlib import Path

import click

from gateway.commands.context import actor, reported, services
from gateway.oauth.certificates import read_pem


@click.group("certificate")
def certificate_group() -> None:
    """TLS certificates of clients, for those that use mutual TLS in place of a signed assertion."""


@certificate_group.command("add")
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@click.argument("pem_file", metavar="CERTIFICATE.pem", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--by-names", is_flag=True, help="Take any certificate of this issuer for this subject, renewed ones too."
)
@reported
def add_certificate(client_id: str, pem_file: Path, *, by_names: bool) -> None:
    """Register a certificate of a client: exactly this one, unless --by-names is given."""
    certificate = read_pem(pem_file.read_text("utf-8", errors="replace"))
    services().sign_in.server.client_certificates.add(client_id, certificate, by_names=by_names, actor=actor())
    click.echo(f"certificate {certificate.thumbprint} of {client_id} is registered")


@certificate_group.command("revoke")
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@reported
def revoke_certificates(client_id: str) -> None:
    """End all certificates of a client at once, and the tokens it has."""
    count = services().sign_in.server.client_certificates.revoke(client_id, actor=actor())
    click.echo(f"{count} certificates of {client_id} are revoked")
