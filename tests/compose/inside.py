"""What runs in a container of our own image: registers the sample world, and calls the gateway as an agency's system.

register        the demo's agencies, keys, sources and policies, by the settings of the gateway that is there
ask             one exchange through the proxy, verified by the trust list; prints its id
call SECONDS    exchanges without pause and without patience until told otherwise; prints how many, and what failed
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from gateway.demo import turns
from gateway.demo.run import Demo
from gateway.settings import read_settings
from gateway.wiring import build
from ipx import keyfile, trustfile
from ipx.answers import Released
from ipx.channel import Channel
from ipx.client import Client
from ipx.request import Ask
from ipx.trust import Trust
from ipx.waiting import Patience, Time

WORLD = Path("/world")
ORIGIN = "https://gw.example"
URN = WORLD / "urn"


def register() -> None:
    demo = Demo(WORLD, 8080)
    demo.settings = read_settings()
    demo.prepare()
    services = build(demo.settings)
    try:
        turn = turns.MARK_AT_THE_BORDER
        asked = turn.ask(lambda agency, kind, number: demo.urn(agency, kind, number, services.holder_keys))
        URN.write_text(str(asked.record), "utf-8")
    finally:
        services.close()


def client(patience: Patience, trust: Trust | None = None) -> Client:
    name = turns.MARK_AT_THE_BORDER.client
    key = keyfile.read_key(WORLD / "world" / "keys" / f"{name}.jwk")
    return Client(ORIGIN, name, key, trust=trust, patience=patience)


def wanted() -> Ask:
    return turns.MARK_AT_THE_BORDER.ask(lambda *_: URN.read_text("utf-8"))


def ask() -> None:
    channel = Channel(ORIGIN, patience=Patience(), time=Time())
    trust = trustfile.fetch(channel).trust
    channel.close()
    with client(Patience(), trust) as caller:  # with the trust list it verifies each answer
        answer = caller.request(wanted())
    if not isinstance(answer, Released):
        sys.exit(f"{type(answer).__name__}: {answer}")
    sys.stdout.write(f"{answer.evidence.exchange}\n")


def call(seconds: float) -> None:
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    threading.Timer(seconds, ending.set).start()
    released, failures = 0, []
    with client(Patience(tries=1)) as caller:
        while not ending.is_set():
            try:
                answer = caller.request(wanted())
                released += isinstance(answer, Released)
                if not isinstance(answer, Released):
                    failures.append(str(answer))
            except Exception as error:  # noqa: BLE001  (whatever it is, a call failed)
                failures.append(f"{type(error).__name__}: {error}")
            ending.wait(0.02)
    sys.stdout.write(json.dumps({"released": released, "failures": failures}) + "\n")
    sys.stdout.flush()
    os._exit(0)


def main(words: Sequence[str]) -> None:
    match words:
        case ["register"]:
            register()
        case ["ask"]:
            ask()
        case ["call", seconds]:
            call(float(seconds))
        case _:
            sys.exit(__doc__)


main(sys.argv[1:])
