"""`make compose`: what deploy/ has for one machine, on a real container engine, by the lines of docs/operators.md.

make compose                              units under systemd; compose.yaml from its first start to its restored backup
make compose COMPOSE="--where-possible"   end well, and say why, where no engine can run

Needs Docker with compose. Root can start an engine of its own where none answers (Debian: docker.io, docker-compose),
and make the images where no registry of images can be reached (debootstrap).
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import click

from tests.bench import figures
from tests.bench.figures import say
from tests.compose import images
from tests.compose.deployment import Deployment, deployment
from tests.compose.engine import Engine, EngineError, NoEngineError, engine
from tests.compose.units import machine

STORES = ("postgres", "checkpoints", "redis")
GATEWAYS = ("gateway-1", "gateway-2", "worker")
UNTIL_TOLD = "600"
GOES_ON_SECONDS = 60.0
LOOK_AT_IT = 1
"""With which the doctor ends where nothing is broken and something is to be looked at."""


class WrongError(Exception):
    """Something is not as the guide says."""


def require(claim: str, is_so: object, found: object = "") -> None:
    if not is_so:
        raise WrongError(f"not so: {claim} {found}".rstrip())
    click.echo(f"ok   {claim}")


def the_image(engine: Engine) -> None:
    """What stands in the image, and that the demo runs in it as it will be run: without rights, on a read-only disk."""
    run = ["run", "--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "none"]
    who = engine.docker(*run, "--entrypoint", "id", images.OURS, "--user").strip()
    require("the image runs as user 10001", who == "10001", who)
    tools = ("pip", "pytest", "playwright", "mypy")
    asked = f"from importlib.util import find_spec; print([one for one in {tools} if find_spec(one)])"
    found = engine.docker(*run, "--entrypoint", "python", images.OURS, "-c", asked).strip()
    require("no tool of its developers is in it", found == "[]", found)
    said = engine.docker(*run, images.OURS, "demo", "--once")
    require("the demo's story goes well in it, without a network", "tampered refused" in said, said[-500:])


def the_first_day(place: Deployment) -> None:
    say("keys, secrets, the first start")
    place.guide("begin")
    place.guide("start")
    place.await_healthy(*STORES, *GATEWAYS, "nginx")
    click.echo("ok   every container says that it is well")
    place.register()
    place.guide("publish the trust list")
    require("an exchange through TLS and the proxy is released, and verifies by the trust list", place.ask())
    levels = _said_by_doctor(place)
    is_well = levels.keys() >= {"database", "log", "replay store"} and "error" not in levels.values()
    require("the doctor finds nothing broken", is_well, levels)
    require("figures are for who knows the word for them", place.status_of("/metrics") == 401)


def _said_by_doctor(place: Deployment) -> dict[str, str]:
    """Give the level of each of its checks.

    Raises:
        EngineError: it found something broken, or did not run.
    """
    try:
        said = place.guide("look it over")
    except EngineError as error:
        if error.status != LOOK_AT_IT:
            raise
        said = error.said
    return dict(re.findall(r"^(\S.*?) +(ok|warning|error) ", said, re.MULTILINE))


def faults(place: Deployment) -> None:
    say("one store after the other stops, and starts again")
    for store in STORES:
        place.compose("stop", "--timeout", "5", store)
        refused = _until(lambda: place.status_of("/readyz") == 503)
        require(f"without {store} no node is ready", refused)
        place.compose("start", store)
        require(f"with {store} it goes on without hands", _until(lambda: place.status_of("/readyz") == 200))
    require("exchanges are released again", place.ask())


def upgrade(place: Deployment) -> None:
    say("a new version, node by node, while an agency calls")
    place.engine.docker("tag", images.OURS, "ipx-gateway:0.1.1")
    calls = place.engine.begin(place.caller("ipx-calls", "call", UNTIL_TOLD))
    try:
        place.guide("upgrade")
    finally:
        place.engine.docker("stop", "--time", "30", "ipx-calls")
        told, _ = calls.communicate(timeout=60)
    said = json.loads(told.decode("utf-8").strip().splitlines()[-1])
    require(f"not one of {said['released']} calls failed", said["released"] > 100 and not said["failures"], said)
    running = {place.told(name, ".Config.Image") for name in GATEWAYS}
    require("nodes and worker run the new version", running == {"ipx-gateway:0.1.1"}, running)


def back_up_and_restore(place: Deployment) -> None:
    say("a backup, and the way back")
    place.guide("back up")
    place.guide("restore")
    place.await_healthy(*GATEWAYS)
    require("over a restored database the log goes on", place.ask())
    place.guide("restore")
    for node in GATEWAYS[:2]:
        told = _until(lambda node=node: "a backup was restored" in place.compose("logs", "--tail", "200", node))
        require(f"over a backup that is behind {node} does not start, and says why", told)
    require("and nothing is answered", place.status_of("/readyz") == 502)


def the_witness(place: Deployment) -> None:
    say("a witness of other parties' logs")
    place.guide("witness")
    place.await_healthy("witness")
    click.echo("ok   a witness runs beside it, with keys and a database of its own")


def the_units(engine: Engine) -> None:
    say("a node and a worker on a machine of their own, under systemd")
    with machine(engine) as place:
        place.guide("install the units")
        place.guide("start the units")
        place.await_ready()
        click.echo("ok   a node runs under systemd with no rights and a read-only system")
        place.run("systemctl", "kill", "--signal=KILL", "ipx-gateway")
        place.await_ready()
        restarts = place.property_of("ipx-gateway", "NRestarts")
        require("it is started again after it was killed", restarts == "1", restarts)
        place.run("systemctl", "stop", "ipx-gateway", "ipx-worker")
        ended = {place.property_of(unit, "Result") for unit in ("ipx-gateway", "ipx-worker")}
        require("node and worker end well when they are told to", ended == {"success"}, ended)


def _until(is_so: Callable[[], bool]) -> bool:
    give_up = monotonic() + GOES_ON_SECONDS
    while not is_so():
        if monotonic() > give_up:
            return False
        sleep(0.3)
    return True


@click.command(help=__doc__)
@click.option("--where-possible", is_flag=True, help="Exit status 0 where no engine can run here.")
def main(*, where_possible: bool) -> None:
    started = monotonic()
    try:
        with engine() as running, TemporaryDirectory(prefix="ipx-compose-") as name:
            for standin in images.prepare(running):
                click.echo(f"#    stands in: {standin}, made of Debian's packages")
            the_image(running)
            the_units(running)
            with deployment(running, Path(name)) as place:
                for part in (the_first_day, faults, upgrade, the_witness, back_up_and_restore):
                    part(place)
    except NoEngineError as error:
        click.echo(f"not run: {error}", err=True)
        sys.exit(0 if where_possible else 2)
    except (WrongError, EngineError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    figures.heading(f"{monotonic() - started:.0f} s")


main()
