"""Documents that nobody signed, made of some that somebody did."""


def with_another_signature(token: str) -> str:
    """Change one character of a compact JWS's signature, whatever it was: ends of signatures are often the same."""
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
