"""`ipx-gateway token`: what is wrong with a token, an assertion or a proof, for whoever helps a client."""

import sys
from typing import TextIO

import click

from gateway.commands.context import json_option, reported, services, show
from gateway.oauth.examination import Examined, examine

COLUMNS = ("step", "result", "code", "claim", "expected", "got", "message")


@click.group("token")
def token_group() -> None:
    """Access tokens, assertions and proofs of clients."""


@token_group.command("debug")
@click.argument("file", type=click.File("r"), metavar="FILE|-")
@click.option("--proof", "proof_file", type=click.File("r"), help="The DPoP proof that was sent along.")
@click.option("--method", help="HTTP method of the call.")
@click.option("--path", help="Path of the call, as it was sent, without query.")
@click.option("--scope", help="Scopes that the call needs, or that are to be asked for.")
@json_option
@reported
def debug(
    file: TextIO, proof_file: TextIO | None, method: str | None, path: str | None, scope: str | None, *, as_json: bool
) -> None:
    """Say which checks a client assertion, a DPoP proof or an access token passes, and how to mend those that fail.

    Which of the three it is, is read from the text. Nothing is used up, recorded or printed of it but single claims.
    Exit status 1 where a check fails.

    Example: ipx-gateway token debug assertion.txt --scope exchange:request
    """
    text = file.read().strip()
    proof = proof_file.read().strip() if proof_file else None
    sign_in = services().sign_in
    asked = Examined(text, proof, method, path, scope)
    steps = examine(sign_in.debugger, sign_in.token_debugger, asked)
    show(steps, COLUMNS, as_json=as_json)
    sys.exit(any(step["result"] == "fail" for step in steps))
