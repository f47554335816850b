"""What browsers are told about every answer: what a page may load, and from whom."""

import base64
import secrets

from flask import Response, g

ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Strict-Transport-Security", "max-age=63072000; includeSubDomains"),
)
FOR_PEOPLE = (*ALWAYS, ("Referrer-Policy", "same-origin"))
FOR_PROGRAMS = (
    *ALWAYS,
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
)


def nonce() -> str:
    """Give this request's nonce (128 bits): only scripts that carry it run."""
    if "csp_nonce" not in g:
        g.csp_nonce = base64.b64encode(secrets.token_bytes(16)).decode()
    return str(g.csp_nonce)


def allow_editor() -> None:
    """Let this page hold the Cedar editor, which writes its own styles and draws its marks as data: images."""
    g.csp_editor = True


def set_headers(response: Response) -> Response:
    """Add what is missing: the strict policy on pages, nothing at all on everything else."""
    headers = response.headers
    is_page = response.mimetype == "text/html"
    present = {name.lower() for name, _ in headers}  # looked through once, not for each
    for name, value in FOR_PEOPLE if is_page else FOR_PROGRAMS:
        if name.lower() not in present:
            headers.add(name, value)
    if is_page:
        headers.setdefault("Content-Security-Policy", _policy())
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Cache-Control", "no-store")
        headers.add("Vary", "Cookie, Accept-Language")
    return response


def _policy() -> str:
    editor = g.get("csp_editor", False)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce()}'",
            f"style-src 'self' 'nonce-{nonce()}'" if editor else "style-src 'self'",
            "img-src 'self' data:" if editor else "img-src 'self'",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
