"""`ipx-gateway openapi`: the API's description as a file."""

from dataclasses import replace
from pathlib import Path

import click

from gateway.app import create_app
from gateway.commands.context import reported, services
from gateway.openapi.views import text_of


@click.command("openapi")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here instead of printing it.")
@reported
def openapi(out: Path | None) -> None:
    """Write the OpenAPI 3.1 document of /v1, as this gateway serves it at /v1/openapi.json.

    For generators of clients and for comparing versions: it is made from the routes, nothing is asked of a server.
    """
    built = services()
    api_alone = replace(built, settings=replace(built.settings, has_consoles=False))
    text = text_of(create_app(api_alone), built.settings.origin)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, "utf-8")
        click.echo(f"{out}: {len(text)} characters")
