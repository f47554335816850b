"""What policies leave to be asked of each record is pushed into SQL, and brings what deciding each record releases."""

import functools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.deadline import Deadline
from connectors.row_filter import EVERYTHING, from_document
from gateway.records.fact_filter import for_source
from gateway.records.facts import PartyKeys, facts
from gateway.records.policy_catalogue import policy_catalogue
from gateway.records.record import make_record
from gateway.records.record_ids import RecordId
from policies.engine import (
    Agency,
    Client,
    PolicyRef,
    PolicyText,
    Question,
    Record,
    Release,
    RowFilter,
    compile_book,
    decide_early,
    decide_many,
    revision_of,
)
from policies.rows import to_document

SOURCE = """
reach:
  url: "${secret:DSN}"
  table: DETENTION
  key: NO
  children: {cases: {table: DETENTION_CASE, on: NO}}
  pushdown:
    stage: {column: STAGE, ops: [eq, ne, in, exists]}
    suspended_on: {column: SUSP, ops: [eq, ne, lt, le, gt, ge, in, exists], as: "%Y%m%d"}
    presented_on: {column: PRES, ops: [eq, ne, lt, le, gt, ge, in, exists], as: "%Y%m%d"}
    importation_date: {column: IMP, ops: [eq, ne, lt, le, gt, ge, in, exists], as: "%Y%m%d"}
    case_numbers: {column: CASE_NO, child: cases, ops: [contains, exists]}
  limits: {rows: 1000}
key: detention_number
map:
  detention_number: {path: NO, use: [trim], required: true}
  stage: {path: STAGE, use: [trim, {code: {"1": suspended, "2": detained, "3": seized, "4": released}}], required: true}
  right_keys: {all: RIGHT_NO, use: [trim, {prefix: "XA|trademark|"}]}
  links:
    each: cases
    map: {edge: {const: cited_in}, case_number: {path: CASE_NO, use: [trim]}, method: {const: declared}}
  suspended_on: {path: SUSP, use: [{date: ["%Y%m%d"]}]}
  presented_on: {path: PRES, use: [{date: ["%Y%m%d"]}]}
  notified_on: {path: NOTIF, use: [{date: ["%Y%m%d"]}]}
  importation_date: {path: IMP, use: [{date: ["%Y%m%d"]}]}
"""
DETENTION = """
CREATE TABLE DETENTION (NO CHAR(8), STAGE CHAR(2), RIGHT_NO VARCHAR(20), SUSP VARCHAR(10), PRES VARCHAR(10),
                        NOTIF VARCHAR(10), IMP VARCHAR(10))
"""
TABLES = (DETENTION, "CREATE TABLE DETENTION_CASE (NO VARCHAR(8), CASE_NO VARCHAR(20))")
DAYS = ["20260101", "20260102", "20260201", "20260301", None, " ", "20260102"]
MOMENTS = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-02T09:30:00Z", "2026-02-01T00:00:00Z"]
CONDITIONS = (
    'resource.stage == IPX::Stage::"seized"',
    'IPX::Stage::"detained" != resource.stage',
    '[IPX::Stage::"seized", IPX::Stage::"released"].contains(resource.stage)',
    'resource.stage == IPX::Stage::"filed"',
    'resource.case_numbers.contains("IPC 1/2026")',
    'resource.case_numbers.containsAny(["IPC 1/2026", "IPC 2/2026"])',
    'resource.case_numbers.containsAll(["IPC 1/2026", "IPC 2/2026"])',
    "resource.case_numbers.isEmpty()",
    'resource.jurisdiction == IPX::Jurisdiction::"XA"',
    'resource.jurisdiction == IPX::Jurisdiction::"XB"',
    "principal.agency.jurisdictions.contains(resource.jurisdiction)",
    'resource.holder == IPX::Agency::"office-xa"',
    "resource has happened_on",
    *(
        f'(resource has happened_on && resource.happened_on {op} datetime("{moment}"))'
        for op in ("<", "<=", ">", ">=", "==", "!=")
        for moment in MOMENTS[1:3]
    ),
    # left to the gateway: facts that no field says alone, and what has no translation
    'resource.right_keys.contains("XA|trademark|1")',
    "resource.notified",
    "resource.sealed",
    'resource.status == IPX::Status::"active"',
    "resource.right_keys == resource.case_numbers",
    '(if resource.notified then resource.stage else IPX::Stage::"seized") == IPX::Stage::"seized"',
)
TREES = st.recursive(
    st.sampled_from(CONDITIONS),
    lambda below: (
        st.builds("({} && {})".format, below, below)
        | st.builds("({} || {})".format, below, below)
        | st.builds("!({})".format, below)
    ),
    max_leaves=4,
)
GROUPS = '"detention.core"'
CATALOGUE = policy_catalogue()
HOLDER = Agency("office-xa", "customs", frozenset({"XA"}), suspended=False)
ASKED = Question(
    client=Client("regulator-xa.desk", frozenset(), 2, suspended=False),
    asking=Agency("regulator-xa", "regulator", frozenset({"XA"}), suspended=False),
    supplier=None,
    holder=HOLDER,
    source="test-source",
    record_type="detention",
    record=None,
    groups=frozenset({"detention.core"}),
    purpose="market_surveillance",
    legal_basis="a law",
    mode="bulk",
    now=datetime(2026, 11, 25, 8, 0, tzinfo=UTC),
    approvals=frozenset(),
    case_reference=None,
    representing=None,
    delegation=None,
)


def policy(tier, owner, name, body, annotation):
    cedar = f'@id("{name}") {annotation}\n{body}'
    return PolicyText(PolicyRef(tier, owner, name, revision_of(cedar)), cedar)


EGRESS = policy("egress", "regulator-xa", "all", "permit (principal, action, resource);", '@legal_basis("a law")')
EMPTY = compile_book(CATALOGUE, [EGRESS], ())


@functools.cache
def book(permit_if, forbid_if):
    actions = f'action in [IPX::Action::"acknowledge", IPX::Action::"release", IPX::Action::{GROUPS}]'
    return compile_book(
        CATALOGUE,
        [
            EGRESS,
            policy(
                "holder",
                "office-xa",
                "some-permit",
                f"permit (principal, {actions}, resource is IPX::Detention) when {{ {permit_if} }};",
                '@legal_basis("a law")',
            ),
            policy(
                "holder",
                "office-xa",
                "some-forbid",
                f"forbid (principal, action, resource is IPX::Detention) when {{ {forbid_if} }};",
                '@reason("not_now")',
            ),
        ],
        (),
        previous=EMPTY,
    )


def rows():
    """Every stage with every day there or not, in turn; none to three cases each."""
    for n in range(84):
        days = (DAYS[n % 7], DAYS[(n * 3 + n // 7) % 7], DAYS[(n * 5) % 7], DAYS[(n // 4) % 7])
        values = (f"D{n:03}", f"{n % 4 + 1}", f"{n % 3}" if n % 5 else None, *days)
        yield f"INSERT INTO DETENTION VALUES ({', '.join('NULL' if v is None else repr(v) for v in values)})"
        for case in range(n % 4):
            yield f"INSERT INTO DETENTION_CASE VALUES ('D{n:03}', ' IPC {case + 1}/2026')"


class Register:
    """A register of detentions in a database, and what policies decide on each of its records.

    The same records are the same register, in whichever database: what is decided on all of them is decided once.
    """

    def __init__(self, opened):
        self._opened = opened
        self.everything = self.search(EVERYTHING)[0]

    def __eq__(self, other):
        return self.everything == other.everything

    def __hash__(self):
        return len(self.everything)

    def search(self, wanted):
        page = self._opened.connector.search(wanted, None, Deadline.within(60))
        return {found.key: self._record(found) for found in page.found}, page.left_to_filter

    def _record(self, found):
        mapped = self._opened.apply(found)
        record = make_record(
            RecordId("office-xa", "detention", "x"),
            mapped.fields,
            source="test-source",
            source_ref="there",
            jurisdiction="XA",
            revision="1",
            as_of=ASKED.now - timedelta(days=1),
            recorded_at=ASKED.now,
            sealed_by="gateway",
        )
        known = facts(record, on=ASKED.now.date(), party_keys=PartyKeys(bytes(32)))
        return Record(str(found.key).strip(), known)


def released(policies, records):
    questions = [replace(ASKED, record=record) for record in records.values()]
    decisions = decide_many(policies, questions)
    return {key for key, decision in zip(records, decisions, strict=True) if isinstance(decision, Release)}


@functools.cache
def released_of_all(permit_if, forbid_if, register):
    return released(book(permit_if, forbid_if), register.everything)


@pytest.fixture
def register(holder, opened, write_source):
    holder.run(*TABLES, *rows())
    return Register(opened(write_source(SOURCE, kind="sql", record_type="detention"), DSN=holder.reader))


def check(register, permit_if, forbid_if):
    """Gives whether the source was asked for all of it, and told nothing but what is released."""
    policies = book(permit_if, forbid_if)
    expected = released_of_all(permit_if, forbid_if, register)
    early = decide_early(policies, ASKED)
    if not isinstance(early, RowFilter):
        assert expected == set()
        return True
    asked = from_document(for_source(to_document(early), "detention", {"jurisdiction": "XA", "holder": "office-xa"}))

    found, left = register.search(asked)

    assert released(policies, found) == expected
    if early.is_exact and left == EVERYTHING:
        assert found.keys() == expected
        return True
    return False


@pytest.mark.parametrize("holder", ["sqlite", "postgresql", "mariadb"], indirect=True)
def test_what_is_pushed_down_brings_what_deciding_every_record_releases(register):
    assert len(register.everything) == 84

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(permit_if=TREES, forbid_if=TREES)
    def equal(permit_if, forbid_if):
        check(register, permit_if, forbid_if)

    equal()


@pytest.mark.parametrize("holder", ["sqlite", "postgresql", "mariadb"], indirect=True)
def test_each_condition_is_pushed_down_whole_or_left_to_the_gateway_as_permit_and_as_forbid(register):
    whole = [
        condition
        for condition in CONDITIONS
        if all([check(register, condition, "false"), check(register, "true", condition)])
    ]

    assert whole == list(CONDITIONS[: CONDITIONS.index('resource.right_keys.contains("XA|trademark|1")')])


def test_a_fact_is_never_asked_for_by_a_field_that_says_less():
    asked = for_source({"op": "contains", "field": "right_keys", "value": "XA|trademark|1"}, "detention", {})

    assert asked["op"] == "fact"
