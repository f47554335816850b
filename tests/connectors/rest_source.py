"""Source files over the stub server, as REST sources in JSON and XML have them, and the answers they expect."""

from connectors.protocol import RecordKey
from tests.connectors.stub_server import Reply

C1 = RecordKey("C-1")
SECRET = "s3cr3t+key/="

SOURCE = """
reach:
  base: "BASE"
  private: true
  fetch: {get: "/cases/{key}"}
  search: {get: /cases, query: {right: "{right_keys}", by: "{authority}"}}
  changes: {get: /cases, query: {updatedFrom: "{since}", sort: updatedAt}, deleted: "data.removed[].caseNo"}
  items: data.items
  paging: {cursor: data.next, param: cursor, size: {limit: 2}, end: no-cursor}
  success: "code == '0'"
  absent: "code == 'NO_DATA'"
  truncated: "data.total > `100`"
  throttle: {on: [429, {status: 403, header: X-Rejection-Reason}], retry_after: auto, remaining: data.quota.remaining}
  limits: {connect_seconds: 2, read_seconds: 2, total_seconds: 2, body_bytes: 20000, tries: 1, rows: 50}
read: {format: json, encoding: utf-8}
key: case_number
revised: {path: updatedAt, use: [{datetime: UTC}]}
map:
  case_number: {path: caseNo, use: [trim], required: true}
  authority: {path: authority, use: [trim]}
  right_keys: {all: "rights[].key", use: [trim]}
  fine: {path: fine, use: [decimal]}
"""

OAUTH = {
    "  fetch:": '  auth: {oauth2: client_credentials, token: "BASE/token", client: "${secret:ID}", '
    'secret: "${secret:KEY}", scope: cases.read}\n  fetch:'
}

XML = """
reach:
  base: "BASE"
  private: true
  fetch: {get: "/tm/{key}"}
  search: {get: /tm, query: {owner: "{owner}"}}
  items: "//r:item"
  paging: {page: pageNo, size: {rows: 2}, total: "//r:totalCount", end: total}
  success: "//r:successYN='Y'"
  absent: "//r:successYN='Y' and //r:totalCount='0'"
  limits: {tries: 1}
read: {format: xml, namespaces: {r: "urn:reg"}, records: "//r:item"}
key: application_number
map:
  application_number: {path: "r:no", use: [trim], required: true}
  owner: {path: "r:owner"}
"""


def case(number="C-1", at="2026-01-10T08:00:00Z", **more):
    return {"caseNo": number, "authority": "Regulator", "updatedAt": at, **more}


def good(number="C-1", **more):
    return Reply({"code": "0", **case(number, **more)})


def page(*items, code="0", **more):
    return Reply({"code": code, "data": {"items": list(items), **more}})


def fetched(source, deadline, key=C1):
    return source.connector.fetch(key, deadline)
