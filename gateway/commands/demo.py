"""`ipx-gateway demo`."""

import json
import os
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from gateway.commands.context import reported
from gateway.commands.people import told


@click.command("demo")
@click.option(
    "--dir", "directory", type=click.Path(file_okay=False, path_type=Path), help="Where the world lives; kept."
)
@click.option("--port", type=click.IntRange(1024, 65535), help="Of 127.0.0.1; default 8080, with --once a free one.")
@click.option("--credentials", type=click.Path(dir_okay=False, path_type=Path), help="Write what another client needs.")
@click.option("--once", is_flag=True, help="Play the story, then end, instead of serving until Ctrl-C.")
@click.option(
    "--exchanges",
    type=click.IntRange(min=1),
    metavar="N",
    help="Give the world a past of half a year with so many exchanges, some thousand a second; goes on if interrupted.",
)
@click.option("--database-url", help="Of an empty database for the world, such as postgresql://…; default SQLite.")
@reported
def demo(
    directory: Path | None,
    port: int | None,
    credentials: Path | None,
    exchanges: int | None,
    database_url: str | None,
    *,
    once: bool,
) -> None:
    """Six made-up agencies exchange records, over the real server with the real client; then it keeps serving.

    With --exchanges the auditor's console has something to search. Requests, receipts, leaves, tiles, checkpoints and
    payloads of that past are real and verify; what was asked repeats some fifty exchanges, at other times, and
    fields of releases older than a week are gone, as they would be.

    \b
    Try afterwards, in another shell:
      ipx verify var/demo-8080/answers/….json --trust var/demo-8080/trust.json
      ipx-gateway demo --dir var/past --exchanges 100000
    """  # noqa: D301  (click wants the character \b itself)
    from gateway.demo.past import Past  # noqa: PLC0415  (as the next)
    from gateway.demo.run import Demo, free_port  # noqa: PLC0415  (only the demo needs the whole server)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends the demo ends its server too
    with ExitStack() as stack:
        chosen = port or (free_port() if once else 8080)
        if directory is None:
            directory = (
                Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ipx-demo-")))
                if once
                else Path(f"var/demo-{chosen}")
            )
        click.echo(f"building the demo world in {directory}")
        world = Demo(directory, chosen, database_url=database_url)
        click.echo("registering six agencies, their clients, keys, sources and policies")
        if not once:
            world.relax()
        if exchanges is None:
            world.prepare()
        else:
            past = Past(world)
            past.begin()
            past.seed(exchanges, click.echo)
        click.echo(f"starting the server on {world.origin}")
        server = stack.enter_context(world.serving())
        if credentials is not None:
            text = json.dumps(world.credentials(), indent=2)
            with os.fdopen(os.open(credentials, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(text)
        counts = world.play(click.echo)
        if once:
            return
        click.echo(f"\nserving on {world.origin} until Ctrl-C; trust list pinned in {world.trust_file}")
        click.echo(
            f"consoles: {world.settings.console_origin}/sign-in (here a password alone lets in; elsewhere never)"
        )
        for invitation in world.invite():
            click.echo(f"  {told(invitation, world.settings.console_origin)}")
        try:
            server.wait()
        except KeyboardInterrupt:
            click.echo(f"\nstopping; {counts.line()}")
