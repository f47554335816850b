"""The traps of Cedar that were found by running it, each with what stands against it here."""

import json
import threading
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.records.policy_catalogue import policy_catalogue
from policies import cedar
from policies.diff import compare
from policies.documents import OutsideCatalogueError, context, entities, instant_text
from policies.engine import BookError, Denial, compile_book, decide
from policies.gate import gate
from policies.hearing import named_plainly
from policies.lint import lint
from policies.matrix import plain_record
from policies.obligations import read
from policies.schema import entity_type
from policies.untrusted import examine
from tests.policies.conftest import CATALOGUE, NOW, question
from tests.policies.conftest import book as book_of
from tests.policies.conftest import policy as policy_of

ROOT = Path(__file__).resolve().parent.parent.parent
REAL = policy_catalogue()
PERMIT = (
    '@id("a-b") @legal_basis("x") permit (principal, action in [IPX::Action::"acknowledge", '
    'IPX::Action::"release", IPX::Action::"trademark.biblio"], resource is IPX::Trademark)'
)


def border(**changes):
    return question("customs-xa", "ipo-xa", "trademark", "border_enforcement", **changes)


def codes(text, tier="holder", owner="ipo-xa"):
    return {finding.code for finding in lint(text, tier, owner, CATALOGUE)}


@pytest.fixture(scope="module")
def open_book():
    """Everything is granted to everybody: whatever is denied is denied for what it lacks."""
    permit = '@id("all") @legal_basis("x") permit (principal, action, resource);'
    texts = [policy_of("holder", "ipo-xa", "all", permit), policy_of("egress", "customs-xa", "all", permit)]
    return compile_book(REAL, texts, ())


@pytest.mark.parametrize("record_type", [known.name for known in REAL.record_types])
def test_removing_any_attribute_of_any_record_type_denies(open_book, record_type):
    whole = border()
    asked = replace(whole, record_type=record_type, record=plain_record(REAL, whole.holder))
    assert not isinstance(decide(open_book, asked), Denial)

    for fact in REAL.facts:
        if fact.is_optional:
            continue
        facts = {name: value for name, value in asked.record.facts.items() if name != fact.name}
        decision = decide(open_book, replace(asked, record=replace(asked.record, facts=facts)))
        assert isinstance(decision, Denial), fact.name
        assert decision.refused_by == "error"


@pytest.mark.parametrize("record_type", [known.name for known in REAL.record_types])
def test_no_entity_document_may_lack_any_attribute_it_must_have(open_book, record_type):
    """Cedar itself refuses it, for each type of record and everybody else in the question."""
    asked = replace(border(), record_type=record_type, record=plain_record(REAL, border().holder))
    documents = entities(REAL, asked)
    optional = {fact.name for fact in REAL.facts if fact.is_optional}
    seen = set()

    for entity in documents:
        for name in sorted(entity["attrs"].keys() - optional):
            kept = entity["attrs"].pop(name)
            with pytest.raises(cedar.CedarRefusedError):
                cedar.known_entities(json.dumps(documents), open_book.schema)
            entity["attrs"][name] = kept
            seen.add((entity["uid"]["type"], name))

    cedar.known_entities(json.dumps(documents), open_book.schema)
    assert {kind for kind, _ in seen} == {"IPX::Agency", "IPX::Client", f"IPX::{entity_type(record_type)}"}
    required = {fact.name for fact in REAL.facts if not fact.is_optional}
    assert {name for kind, name in seen if kind.endswith(entity_type(record_type))} == required


@pytest.mark.parametrize("member", ["purpose", "legal_basis", "mode", "now", "approvals"])
def test_a_context_that_lacks_any_member_is_refused_by_the_schema(open_book, member):
    asked = replace(border(), record=plain_record(REAL, border().holder))
    written = context(REAL, asked)
    del written[member]
    known = cedar.known_entities(json.dumps(entities(REAL, asked)), open_book.schema)
    request = cedar.request(
        ("IPX::Client", asked.client.id), "release", ("IPX::Trademark", "plain"), json.dumps(written)
    )
    rules = open_book.holder_slice("ipo-xa", "trademark").rules

    with pytest.raises(cedar.CedarRefusedError):
        cedar.ask([request], rules, known, open_book.schema)


def test_trap_1_a_forbid_over_a_class_holds():
    stop = policy_of(
        "guardrail",
        "gateway",
        "stop-public",
        'forbid (principal, action in IPX::Action::"class.public", resource);',
        '@reason("stop")',
    )

    decision = decide(book_of(stop), border())

    assert isinstance(decision, Denial)
    assert decision.reason == "stop"


@pytest.mark.parametrize(
    "condition",
    [
        "principal.assurance + 9223372036854775807 < 0",
        "principal.assurance * 9223372036854775807 > principal.assurance * 3",
        'IPX::Agency::"of-nowhere".suspended',
    ],
    ids=["addition", "multiplication", "absent entity"],
)
def test_trap_2_an_erroring_forbid_denies_the_whole_exchange(condition):
    failing = policy_of(
        "guardrail",
        "gateway",
        "failing",
        f"forbid (principal, action, resource) when {{ {condition} }};",
        '@reason("stop")',
    )

    decision = decide(book_of(failing), border())

    assert isinstance(decision, Denial)
    assert (decision.refused_by, decision.reason) == ("error", "policy_failed")


@pytest.mark.parametrize(
    ("text", "code"), [("(" * 700 + ")" * 700, "too_deep"), ("a" + " && a" * 2000, "too_many_operators")]
)
def test_trap_3_what_would_kill_the_process_does_not_reach_the_parser(text, code):
    assert code in {finding.code for finding in gate(text)}


@pytest.mark.parametrize(
    "condition",
    [
        "resource.sealed && !resource.sealed",
        'principal.agency.kind == IPX::AgencyKind::"court" && principal.agency.kind == IPX::AgencyKind::"customs"',
    ],
)
def test_trap_4_a_forbid_that_is_valid_and_never_true_is_an_error(condition):
    stop = policy_of(
        "guardrail",
        "gateway",
        "never",
        f"forbid (principal, action, resource) when {{ {condition} }};",
        '@reason("stop")',
    )

    found = compare(book_of(), book_of(stop), "guardrail", "gateway", {})

    assert ("never", "never_applies", "error") in {(one.policy, one.code, one.severity) for one in found.findings}
    assert not found.is_sound


@pytest.mark.parametrize(
    "condition",
    ['resource.stage == IPX::Status::"active"', 'principal in IPX::Purpose::"arbitration"', "principal in resource"],
)
def test_trap_4_a_word_of_another_list_does_not_stand_in_a_forbid_unseen(condition):
    text = f'@id("a-b") @reason("x") forbid (principal, action, resource) when {{ {condition} }};'

    found = codes(text, "guardrail", "gateway")
    if not found:  # valid to Cedar: then the analysis says that it can never be true
        stop = policy_of("guardrail", "gateway", "a-b", text)
        found = {one.code for one in compare(book_of(), book_of(stop), "guardrail", "gateway", {}).findings}

    assert found & {"not_valid", "never_applies"}


def test_trap_4_a_typo_in_a_purpose_is_not_valid():
    assert codes(PERMIT + ' when { context.purpose == IPX::Purpose::"border_enforcment" };') == {"not_valid"}


def test_trap_5_a_guardrail_does_not_rest_on_what_may_be_absent():
    text = (
        '@id("a-b") @reason("x") forbid (principal, action, resource) '
        'when { resource has happened_on && resource.happened_on < datetime("2020-01-01") };'
    )

    assert "optional_fact" in codes(text, "guardrail", "gateway")


def test_trap_6_an_action_of_another_type_is_found_and_an_empty_annotation_is_one():
    text = PERMIT.replace(
        'IPX::Action::"trademark.biblio"', 'IPX::Action::"trademark.biblio", IPX::Action::"design.biblio"'
    )

    assert "foreign_group" in codes(text + ";")
    assert read({"watermark": None}) == read({"watermark": ""})


def test_trap_7_an_instant_is_written_as_cedar_reads_it():
    assert instant_text(NOW) == "2026-11-25T08:00:00.000Z"
    with pytest.raises(OutsideCatalogueError):
        instant_text(NOW.replace(tzinfo=None))


@pytest.mark.parametrize("written", ["2026-11-25T08:00:00+00:00", "2026-11-25T08:00:00.000000Z"])
def test_trap_7_what_python_writes_is_refused_and_not_misread(open_book, written):
    asked = replace(border(), record=plain_record(REAL, border().holder))
    told = {**context(REAL, asked), "now": {"__extn": {"fn": "datetime", "arg": written}}}
    known = cedar.known_entities(json.dumps(entities(REAL, asked)), open_book.schema)
    request = cedar.request(("IPX::Client", asked.client.id), "release", ("IPX::Trademark", "plain"), json.dumps(told))

    with pytest.raises(cedar.CedarRefusedError):
        cedar.ask([request], open_book.holder_slice("ipo-xa", "trademark").rules, known, open_book.schema)


def test_trap_8_a_name_never_becomes_cedar_text():
    odd = named_plainly(replace(border(), client=replace(border().client, id='x" || true || "')))

    assert odd.client.id.isalnum()


@pytest.mark.parametrize(
    "text",
    [
        "",
        PERMIT + ";" + PERMIT + ";",
        PERMIT.replace("a-b", "other") + ";",
        PERMIT.replace("a-b", "a\u202eb") + ";",
        PERMIT.replace("a-b", "a\0b") + ";",
    ],
)
def test_trap_9_what_cedar_accepts_and_no_book_does(text):
    with pytest.raises(BookError):
        book_of(policy_of("holder", "ipo-xa", "a-b", text if text.startswith("@id") else "// nothing\n", '@doc("x")'))


def test_trap_9_an_id_stands_once():
    one = policy_of("holder", "ipo-xa", "a-b", PERMIT + ";")

    with pytest.raises(BookError, match="twice"):
        book_of(one, one)


def test_trap_10_no_error_repeats_what_stood_in_a_record(open_book):
    documents = entities(REAL, replace(border(), record=plain_record(REAL, border().holder)))
    record = next(one for one in documents if one["uid"]["type"] == "IPX::Trademark")
    record["attrs"]["sealed"] = "a secret name"

    with pytest.raises(cedar.CedarRefusedError) as error:
        cedar.known_entities(json.dumps(documents), open_book.schema)

    assert "secret" not in f"{error.value!r}{error.value.__cause__!r}"
    assert error.value.__suppress_context__


def test_trap_9_whoever_is_both_sides_stands_once_among_the_entities():
    own = replace(border(), asking=border().holder)
    names = [(one["uid"]["type"], one["uid"]["id"]) for one in entities(CATALOGUE, own)]

    assert len(names) == len(set(names))


def test_trap_10_reasons_come_in_one_order(open_book):
    permits = {
        f"permit-{number}": {
            "effect": "permit",
            "principal": {"op": "All"},
            "action": {"op": "All"},
            "resource": {"op": "All"},
            "conditions": [],
        }
        for number in range(12)
    }
    asked = replace(border(), record=plain_record(REAL, border().holder))
    known = cedar.known_entities(json.dumps(entities(REAL, asked)), open_book.schema)
    request = cedar.request(
        ("IPX::Client", asked.client.id), "release", ("IPX::Trademark", "plain"), json.dumps(context(REAL, asked))
    )

    [answer] = cedar.ask([request], cedar.policy_set(permits), known, open_book.schema)

    assert answer.by == tuple(sorted(permits))


@pytest.mark.parametrize(
    "broken",
    [
        PERMIT,
        PERMIT.replace("trademark.biblio", "trademark.no_such_group") + ";",
        PERMIT + " when { resource.no_such_fact };",
        PERMIT.replace("permit", "allow") + ";",
    ],
    ids=["no end", "group", "fact", "effect"],
)
def test_trap_11_whatever_a_browser_says_the_server_reads_the_text_itself(broken):
    """There is no Cedar in the pages; and if there were, what is not valid here is stored and compiled nowhere."""
    scripts = json.loads((ROOT / "frontend" / "package.json").read_text("utf-8"))

    assert not [name for name in scripts.get("dependencies", {}) if "cedar" in name]
    assert any(found for found in examine([broken])) or codes(broken)
    with pytest.raises(BookError):
        book_of(policy_of("holder", "ipo-xa", "a-b", broken))


def test_trap_12_what_passes_the_gate_is_answered_alike_on_small_and_large_stacks():
    deep = "(" * 20 + "resource.sealed" + ")" * 20
    wide = " && ".join(["!resource.sealed"] * 15 + [f"!{deep}"])
    text = policy_of("holder", "ipo-xa", "a-b", f"{PERMIT} when {{ {wide} }};")
    assert gate(text.cedar) == ()
    answers = []
    before = threading.stack_size()
    try:
        for size in (512 * 1024, 2 << 20, 16 << 20):
            threading.stack_size(size)
            thread = threading.Thread(target=lambda: answers.append(decide(book_of(text), border())))
            thread.start()
            thread.join()
    finally:
        threading.stack_size(before)

    assert len(answers) == 3
    assert answers[0] == answers[1] == answers[2]
    assert any(ref.policy_id == "a-b" for ref in answers[0].basis.by)


def test_trap_12_the_engine_is_pinned_exactly():
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]

    assert [one for one in pins if one.startswith("cedarpy==4.12")]
