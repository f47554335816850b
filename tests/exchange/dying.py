"""A real server that is killed, all of it at once, when an exchange reaches a step. Used by test_crashes.py."""

import os
import signal

from gateway.app import create_app
from gateway.exchange.steps import Step
from gateway.settings import read_settings
from gateway.wiring import build


def application(step: str):
    fatal = Step(step)

    def die(reached: Step) -> None:
        if reached is fatal:
            os.killpg(0, signal.SIGKILL)

    return create_app(build(read_settings(), listener=die))
