"""The holder's own system with nothing of ours before it: gives a record to whoever asks, unsigned and unlogged."""

import os
from pathlib import Path

from flask import Flask, Response

application = Flask("direct", static_folder=None)
FOLDER = Path(os.environ.get("LOAD_RECORDS", "."))


@application.get("/<int:number>")
def record(number: int) -> Response:
    return Response((FOLDER / f"{number}.xml").read_bytes(), content_type="application/xml")
