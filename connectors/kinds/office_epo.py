"""EPO Open Patent Services 3.2, as python-epo-ops-client writes its requests."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import epo_ops
from epo_ops.middlewares import Middleware

from connectors.kinds.office import Request

BASE = "https://ops.epo.org/3.2/rest-services"
TOKEN_PATH = "/3.2/auth/accesstoken"  # noqa: S105  (an address)
WEEK_BYTES = 4_000_000_000
"""What OPS lets a registered user have in a week without charge (fair use policy)."""

HITS_MAX = 2000
"""OPS shows no more of a search, however many there are."""

_NUMBERED = frozenset({"reference_type", "number", "country", "kind", "date", "endpoint", "constituents"})


class _TakenError(Exception):
    """Carries what the library would have sent out of it."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


class _Taking(Middleware):  # type: ignore[misc]  # the library has no types
    def process_request(self, env: Any, url: str, data: Any, **more: Any) -> Any:
        del env
        headers = tuple((n, v) for n, v in more.get("headers", {}).items() if n.lower() != "authorization")
        params = more.get("params")
        # By GET the number stands in the address, and again as parameters, which the service does not read.
        if data is None:
            raise _TakenError(Request("GET", url, headers))
        if isinstance(params, dict) and params:
            url += f"?{urlencode(params)}"
        if isinstance(data, dict):
            plain = tuple(pair for pair in headers if pair[0].lower() != "content-type")
            form = ("Content-Type", "application/x-www-form-urlencoded")
            raise _TakenError(Request("POST", url, (*plain, form), urlencode(data).encode()))
        raise _TakenError(Request("POST", url, headers, str(data).encode()))


class _NoToken:
    """Takes the place of the library's own token: ours is fetched, renewed and kept secret by the way of every call."""

    token = "-"  # noqa: S105  (none)
    is_expired = False


class EpoOps:
    OPERATIONS: Mapping[str, frozenset[str]] = {
        "published_data": _NUMBERED,
        "family": _NUMBERED - {"endpoint"},
        "legal": _NUMBERED - {"endpoint", "constituents"},
        "register": _NUMBERED - {"endpoint", "country", "kind"},
        "published_data_search": frozenset({"cql", "constituents"}),
        "register_search": frozenset({"cql"}),
    }
    SEARCHES = frozenset({"published_data_search", "register_search"})

    def preset(self, reach: Mapping[str, Any]) -> dict[str, Any]:
        base = reach.get("base", BASE)
        place = urlsplit(base)
        return {
            "base": base,
            "auth": {
                "oauth2": "client_credentials",
                "token": f"{place.scheme}://{place.netloc}{TOKEN_PATH}",
                "client": reach.get("client", ""),
                "secret": reach.get("secret", ""),
                "renew_before": "PT60S",
                "dead": {"status": 400, "text": "invalid_access_token"},
            },
            "success": "/*[local-name() = 'world-patent-data']",
            "absent": {"status": [404], "body": "//*[local-name() = 'code'] = 'SERVER.EntityNotFound'"},
            "truncated": f"//@total-result-count > {HITS_MAX}",
            "paging": {
                "range": _range_header(reach),
                "in": "header",
                "step": 100,
                "first": 1,
                "total": "//@total-result-count",
                "end": "total",
            },
            "throttle": {
                "on": [{"status": 403, "header": "X-Rejection-Reason"}],
                "lights": "X-Throttling-Control",
                "retry_after": "milliseconds",
                "remaining": {"header": "X-RegisteredQuotaPerWeek-Used", "of": WEEK_BYTES},
            },
        }

    def request(self, base: str, operation: str, arguments: Mapping[str, str]) -> Request:
        client: Any = epo_ops.Client("-", "-", middlewares=[_Taking()])
        client._access_token = _NoToken()  # noqa: SLF001  (the library has no public way)
        client.__service_url_prefix__ = base
        given = dict(arguments)
        parts = [part for part in given.pop("constituents", "").split(",") if part] or None
        try:
            if operation in self.SEARCHES:
                more = {"constituents": parts} if operation == "published_data_search" else {}
                getattr(client, operation)(given["cql"], **more)
            else:
                if parts:
                    given["constituents"] = parts  # type: ignore[assignment]  # a list, for the library
                kind = given.pop("reference_type", "publication")
                getattr(client, operation)(kind, _number(given), **given)
        except _TakenError as taken:
            return taken.request
        except KeyError as error:
            raise ValueError("an argument is missing") from error
        raise ValueError("the library sent nothing")


def _number(given: dict[str, Any]) -> Any:
    """Make the library's number of the arguments that are parts of one, and take them away from the others."""
    number, date = given.pop("number"), given.pop("date", None)
    country, kind = given.pop("country", None), given.pop("kind", None)
    if country is not None:
        return epo_ops.models.Docdb(number, country, kind, date)
    return epo_ops.models.Epodoc(number, kind, date)


def _range_header(reach: Mapping[str, Any]) -> str:
    """The register's search reads another header than that of publications."""
    is_register = reach.get("search", {}).get("operation") == "register_search"
    return "Range" if is_register else "X-OPS-Range"


SERVICE = EpoOps()
