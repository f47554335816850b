"""The gateway as ever, but whose token keys and tokens live for seconds: a drill has no hours."""

import os
from datetime import timedelta

from gateway.app import create_app
from gateway.oauth.keys import KeyTimes
from gateway.settings import read_settings
from gateway.wiring import build
from gateway.worker import Worker

TIMES = "IPX_DRILL_TIMES"
"""Seconds that a token lasts, a key is published before it signs, and verifies after it did: `2 1.5 3`."""


def application():
    last, published, verifies = (timedelta(seconds=float(text)) for text in os.environ[TIMES].split())
    times = KeyTimes(published_before_use=published, verifies_after_use=verifies, tokens_last=last)
    services = build(read_settings(), key_times=times)
    Worker(services, round_seconds=0.2).start()
    return create_app(services)
