"""What only the web server knows of a call: the path of the request line as it came in, undecoded."""

from urllib.parse import quote

from flask import Request

from gateway.oauth.dpop import Call


def call_of(request: Request, *, token: str | None = None) -> Call:
    """Describe a call for the judge of proofs."""
    return Call(
        proof=request.headers.get("DPoP"),
        method=request.method,
        path=raw_path(request),
        token=token,
    )


def raw_path(request: Request) -> str:
    """Give the path as the client sent it. `PATH_INFO` is decoded: two addresses would look like one."""
    target = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    if not isinstance(target, str):
        return quote(request.path)
    if not target.startswith("/"):  # absolute form (RFC 9112, section 3.2.2); its authority counts for nothing here
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target.partition("?")[0].partition("#")[0]
