"""One exchange on one page, and what proves it."""

from importlib.resources import files

import svcs
from flask import render_template, request
from flask.typing import ResponseReturnValue

from gateway.auditor.addresses import ROLE
from gateway.auditor.handing_out import evidence_file
from gateway.auditor.looking import Looks
from gateway.auditor.one_exchange import ExchangeReader
from gateway.auditor.scope import of_person
from gateway.people.access import current_person, needs
from gateway.settings import Settings


@needs(ROLE)
def exchange(exchange_id: str) -> ResponseReturnValue:
    """Show one exchange: its steps, the request in words, what was decided, its proof made at this moment."""
    scope = of_person(current_person())
    found = svcs.flask.get(ExchangeReader).read(scope, exchange_id)
    svcs.flask.get(Looks).opened(scope, exchange_id)
    withheld = found.receipt.get("withheld")
    return render_template(
        "audit/exchange.html",
        found=found,
        scope=scope,
        row=found.row,
        withheld=withheld if isinstance(withheld, list) else [],
        commands=openssl_commands(svcs.flask.get(Settings).origin, exchange_id),
        origin=svcs.flask.get(Settings).origin,
    )


@needs(ROLE)
def evidence(exchange_id: str) -> ResponseReturnValue:
    """Hand out all that proves one exchange; that it was taken out is a leaf of the log."""
    return evidence_file(of_person(current_person()), exchange_id, request.args.get("format", "zip"))


def openssl_commands(origin: str, exchange_id: str) -> str:
    """Write the commands that check a bundle with nothing of ours: those of docs/auditors.md, for this bundle."""
    fetched = "\n".join(
        f"curl --fail --silent {origin}/log/{name} --output {name}" for name in ("trust.jws", "trust.jwk")
    )
    made = """jq -n --rawfile trust trust.jws --slurpfile pinned trust.jwk \\
  '{pinned: $pinned[0], trust: ($trust | rtrimstr("\\n"))}' >trust.json"""
    script = files("gateway.auditor").joinpath("check.sh").read_text("utf-8")
    return f"{fetched}\n{made}\ncp {exchange_id}.zip bundle.zip\n\n{script}"
