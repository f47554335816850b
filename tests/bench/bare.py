"""The bare route: what Flask under gunicorn gives on this machine when there is nothing to do."""

from flask import Flask, Response, jsonify

application = Flask("bare", static_folder=None)


@application.get("/")
def answer() -> Response:
    return jsonify({"outcome": "released"})
