"""USPTO Open Data Portal, patent file wrappers, as pyUSPTO writes its requests."""

import inspect
from collections.abc import Mapping
from typing import Any

import requests
from pyUSPTO import HTTPConfig, PatentDataClient, USPTOConfig
from requests.adapters import BaseAdapter

from connectors.kinds.office import Request

BASE = "https://api.uspto.gov"
PER_MINUTE = 45
"""The portal wants one call at a time, and no more of them in a minute."""

ROWS_MAX = 10_000
"""The portal pages no further into a search."""

_BY_NUMBER = (
    "get_application_by_number",
    "get_application_metadata",
    "get_application_assignment",
    "get_application_continuity",
    "get_application_foreign_priority",
    "get_application_transactions",
)
_UNUSED = frozenset({"self", "post_body", "additional_query_params", "offset", "limit"})


class _TakenError(Exception):
    """Carries what the library would have sent out of it."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


class _Taking(BaseAdapter):
    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body or b""
        headers = tuple((n, str(v)) for n, v in request.headers.items() if n.lower() in ("accept", "content-type"))
        raw = body if isinstance(body, bytes) else str(body).encode()
        raise _TakenError(Request(request.method or "GET", request.url or "", headers, raw))

    def close(self) -> None:
        pass


class UsptoOdp:
    OPERATIONS: Mapping[str, frozenset[str]] = {
        **dict.fromkeys(_BY_NUMBER, frozenset({"application_number"})),
        "search_applications": frozenset(inspect.signature(PatentDataClient.search_applications).parameters) - _UNUSED,
    }
    SEARCHES = frozenset({"search_applications"})

    def preset(self, reach: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "base": BASE,
            "auth": {"key": reach.get("key", ""), "header": "X-API-KEY"},
            "success": "patentFileWrapperDataBag",
            "absent": {"status": [404], "body": "code == `404` || code == '404'"},
            "truncated": f"count > `{ROWS_MAX}`",
            "paging": {"offset": "offset", "first": 0, "size": {"limit": 100}, "total": "count", "end": "total"},
            "throttle": {"rate": {"requests": PER_MINUTE, "per": "PT1M", "burst": 1}, "on": [429]},
        }

    def request(self, base: str, operation: str, arguments: Mapping[str, str]) -> Request:
        config = USPTOConfig(api_key="-", patent_data_base_url=base, http_config=HTTPConfig(max_retries=0))
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", _Taking())
        session.mount("http://", _Taking())
        config._session = session  # noqa: SLF001  (the library has no public way)
        try:
            getattr(PatentDataClient(config=config), operation)(**arguments)
        except _TakenError as taken:
            return taken.request
        raise ValueError("the library sent nothing")


SERVICE = UsptoOdp()
