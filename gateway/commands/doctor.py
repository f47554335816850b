"""`ipx-gateway doctor`: is this deployment sound, and what is to be done where it is not."""

import sys

import click

from gateway.commands.context import json_option, show
from gateway.doctor.examination import examine


@click.command("doctor")
@json_option
def doctor(*, as_json: bool) -> None:
    """Look this deployment over, part by part, and say what to do.

    Exit status 0: all is well, 1: something to look at, 2: something is broken. Run it where the gateway runs, with the
    gateway's settings and as its user; it is safe while the gateway serves.
    """
    found = list(examine())
    rows = [
        {"check": one.check, "level": one.level.name.lower(), "found": one.found, "remedy": one.remedy or None}
        for one in found
    ]
    show(rows, ("check", "level", "found", "remedy"), as_json=as_json)
    sys.exit(int(max(one.level for one in found)))
