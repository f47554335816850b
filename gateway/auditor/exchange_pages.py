"""One exchange on one page, and what proves it."""

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
        row=found.row,
        withheld=withheld if isinstance(withheld, list) else [],
        origin=svcs.flask.get(Settings).origin,
    )


@needs(ROLE)
def evidence(exchange_id: str) -> ResponseReturnValue:
    """Hand out all that proves one exchange; that it was taken out is a leaf of the log."""
    return evidence_file(of_person(current_person()), exchange_id, request.args.get("format", "zip"))
