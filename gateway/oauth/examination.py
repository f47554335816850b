"""Examines whatever a client shows, for operators: a token, an assertion or a proof; the text says which it is."""

from dataclasses import dataclass
from typing import Any

from gateway.oauth.debugger import TOKEN_PATH, AssertionDebugger
from gateway.oauth.findings import Document
from gateway.oauth.jose import JwsError, parse
from gateway.oauth.token_debugger import CALL_METHOD, CALL_PATH, TokenDebugger, TokenQuestion


@dataclass(frozen=True, slots=True)
class Examined:
    """What was shown, and the call it belongs to; what is absent is not examined."""

    text: str
    proof: str | None = None
    method: str | None = None
    path: str | None = None
    scope: str | None = None


def examine(assertions: AssertionDebugger, tokens: TokenDebugger, shown: Examined) -> list[Document]:
    """Say which checks it passes, telling all that this gateway knows. Nothing is used up or recorded."""
    method, path, proof = shown.method, shown.path, shown.proof
    match _typ(shown.text):
        case "at+jwt":
            question = TokenQuestion(shown.text, proof, method or CALL_METHOD, path or CALL_PATH, shown.scope)
            return tokens.examine(question, lambda _token: True)
        case "dpop+jwt":
            form = {"dpop_proof": shown.text}
        case _:
            form = {"client_assertion": shown.text} | ({"dpop_proof": proof} if proof else {})
    form |= {"method": method or "POST", "path": path or TOKEN_PATH} | ({"scope": shown.scope} if shown.scope else {})
    return assertions.steps(form, tells_all=True)


def _typ(text: str) -> Any:
    try:
        return parse(text).header.get("typ")
    except JwsError:
        return None  # the debugger of assertions says what is wrong with its form
