"""The form of names that agencies, clients and sources may have: safe in URNs, Cedar entity ids, paths and logs."""

import re

from gateway.errors import Fault, InvalidInputError

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{1,62}")
CLIENT_ID = re.compile(r"(?P<agency>[A-Za-z0-9][A-Za-z0-9-]{1,62})\.(?P<system>[A-Za-z0-9][A-Za-z0-9-]{0,62})")


def require_code(text: str, pointer: str) -> str:
    """Pass an agency or source code on, or refuse it naming the member it came from."""
    if not CODE.fullmatch(text):
        raise InvalidInputError(
            [Fault(pointer, "bad_code", "2 to 63 letters, digits and hyphens, beginning with a letter or digit")]
        )
    return text


def agency_of_client(client_id: str) -> str:
    """Give the agency code inside a client id `<agency>.<system>`."""
    match = CLIENT_ID.fullmatch(client_id)
    if match is None:
        raise InvalidInputError([Fault("/client", "bad_client_id", "write it <agency code>.<system>")])
    return match["agency"]
