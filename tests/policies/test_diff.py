"""The semantic difference: what it calls equivalent no question tells apart; what it shows Cedar has confirmed."""

import random
import subprocess
from dataclasses import replace

import pytest

from policies.diff import Limits, compare, compare_apart
from policies.engine import decide
from policies.hearing import Hearing
from tests.policies.conftest import AGENCIES, CATALOGUE, case, owner, question
from tests.policies.conftest import book as book_of
from tests.policies.conftest import policy as policy_of

BASIS = '@legal_basis("a law")'
REGISTRY = {code: one for code, one in AGENCIES.items() if code != "supplier-xa"}
CONDITIONS = (
    'context.purpose == IPX::Purpose::"border_enforcement"',
    '[IPX::Purpose::"arbitration", IPX::Purpose::"examination"].contains(context.purpose)',
    'principal.agency.kind == IPX::AgencyKind::"court"',
    "principal.agency.jurisdictions.contains(resource.jurisdiction)",
    'principal.agency.jurisdictions.contains(IPX::Jurisdiction::"XB")',
    "!resource.unpublished",
    "resource.final || resource.notified",
    '[IPX::Stage::"registered", IPX::Stage::"lapsed"].contains(resource.stage)',
    "context has case_reference && context.case_reference.verified",
    "context has case_reference && resource.case_numbers.contains(context.case_reference.number)",
    "context has representing && resource.right_keys.containsAny(context.representing.right_keys)",
    "context has case_reference && resource.parties.containsAll(context.case_reference.defendants)",
    "resource.parties.isEmpty()",
    'resource has happened_on && resource.happened_on < datetime("2026-06-01")',
    'context.now < datetime("2026-12-01").offset(duration("30d"))',
    'context.approvals.contains(IPX::Approval::"personal_data")',
    'if resource.final then context.legal_basis == "art. 4" else resource.consent_all',
    "principal.agency == resource.holder",
    "principal.assurance >= 2",
    "context.overdue_acknowledgements > 40",
)


def permit(condition, groups=("trademark.biblio", "trademark.mark"), policy_id="extra"):
    listed = ", ".join(f'IPX::Action::"{name}"' for name in ("acknowledge", "release", *groups))
    cedar = f"permit (principal, action in [{listed}], resource is IPX::Trademark) when {{ {condition} }};"
    return policy_of("holder", "ipo-xb", policy_id, cedar, BASIS)


def forbid(condition, policy_id="stop"):
    cedar = f"forbid (principal, action, resource is IPX::Trademark) when {{ {condition} }};"
    return policy_of("holder", "ipo-xb", policy_id, cedar, '@reason("stop")')


def changes(found):
    return {pair.name: pair.change for pair in found.pairs}


def questions(seed, count):
    drawn = random.Random(seed)
    for _ in range(count):
        facts = {
            "jurisdiction": drawn.choice(["XA", "XB"]),
            "stage": drawn.choice(["registered", "lapsed", "unknown"]),
            "unpublished": drawn.random() < 0.3,
            "final": drawn.random() < 0.5,
            "notified": drawn.random() < 0.3,
            "consent_all": drawn.random() < 0.5,
            "case_numbers": frozenset(drawn.sample(["XA-2026-7", "X"], drawn.randint(0, 2))),
            "right_keys": frozenset(drawn.sample(["r1", "r2"], drawn.randint(0, 2))),
            "parties": frozenset(drawn.sample(["p1", "p2"], drawn.randint(0, 2))),
        }
        yield question(
            drawn.choice(["customs-xa", "court-xa", "court-xb", "arbitration-xa", "ipo-xb"]),
            "ipo-xb",
            "trademark",
            drawn.choice(["border_enforcement", "arbitration", "examination", "statistics"]),
            facts=facts,
            case_reference=drawn.choice([None, case(), case(verified=False)]),
            representing=drawn.choice([None, owner("r1")]),
            legal_basis=drawn.choice(["art. 4", "none"]),
            approvals=frozenset(drawn.sample(["personal_data"], drawn.randint(0, 1))),
        )


def allowed(book, asked, name):
    slice_ = book.holder_slice("ipo-xb", "trademark")
    names = {"acknowledge": ["acknowledge"], "release": ["release"]}.get(name, ["release", name])
    answers = Hearing(book, [asked]).ask(slice_, [names])[0]
    return all(answers[action].is_allowed for action in names)


@pytest.mark.parametrize("seed", range(5))
def test_no_question_tells_apart_what_is_called_equivalent_and_widening_is_never_missed(seed):
    drawn = random.Random(seed)

    def some():
        texts = [permit(" && ".join(drawn.sample(CONDITIONS, 2)), policy_id=f"p-{n}") for n in range(2)]
        return [*texts, forbid(drawn.choice(CONDITIONS[:8]))]

    old, new = book_of(*some()), book_of(*some())
    found = changes(compare(old, new, "holder", "ipo-xb", REGISTRY))

    for asked in questions(seed, 60):
        for name in ("acknowledge", "release", "trademark.biblio", "trademark.mark"):
            before, after = allowed(old, asked, name), allowed(new, asked, name)
            if before != after:
                expected = "more_permissive" if after else "less_permissive"
                assert found[name] in {expected, "incomparable", "not_analysed"}, (name, asked)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_construct_is_analysed(condition):
    found = compare(book_of(), book_of(permit(condition, groups=["trademark.goods"])), "holder", "ipo-xb", REGISTRY)

    assert changes(found)["trademark.goods"] == "more_permissive"
    assert set(changes(found).values()) <= {"equivalent", "more_permissive"}


def test_the_same_said_otherwise_is_equivalent():
    one = permit("!(resource.unpublished || resource.final)")
    other = permit("!resource.unpublished && !resource.final")

    found = compare(book_of(one), book_of(other), "holder", "ipo-xb", REGISTRY)

    assert set(changes(found).values()) == {"equivalent"}
    assert set(found.untouched) == {known.name for known in CATALOGUE.record_types} - {"trademark"}


def test_a_witness_is_a_question_that_only_one_side_allows():
    old = book_of(permit('context.purpose == IPX::Purpose::"arbitration"', groups=["trademark.goods"]))
    new = book_of(permit('principal.agency.kind == IPX::AgencyKind::"court"', groups=["trademark.goods"]))

    pair = next(one for one in compare(old, new, "holder", "ipo-xb", REGISTRY).pairs if one.name == "trademark.goods")

    assert pair.change == "incomparable"
    assert pair.gained["asking"]["kind"] == "court"
    assert pair.gained["purpose"] != "arbitration"
    assert pair.lost["purpose"] == "arbitration"
    assert pair.lost["asking"]["kind"] != "court"


def test_what_the_register_says_of_an_agency_is_taken_for_a_fact():
    court = 'principal in IPX::Agency::"customs-xa" && principal.agency.kind == IPX::AgencyKind::"court"'
    extra = permit(court.replace('principal in IPX::Agency::"customs-xa" && ', ""), groups=["trademark.goods"])
    cedar = extra.cedar.replace("permit (principal,", 'permit (principal in IPX::Agency::"customs-xa",')
    never = policy_of("holder", "ipo-xb", "extra", cedar)

    known = compare(book_of(), book_of(never), "holder", "ipo-xb", REGISTRY)
    unknown = compare(book_of(), book_of(never), "holder", "ipo-xb", {})

    assert changes(known)["trademark.goods"] == "equivalent"
    assert changes(unknown)["trademark.goods"] == "more_permissive"
    assert [one.code for one in known.findings if one.policy == "extra"] == ["never_applies"]


@pytest.mark.parametrize(
    "condition",
    [
        "resource.sealed && !resource.sealed",
        'resource.stage == IPX::Stage::"seized" && resource.stage == IPX::Stage::"granted"',
        'context.now < datetime("2026-01-01") && context.now > datetime("2026-06-01")',
    ],
)
def test_a_forbid_that_never_applies_is_an_error_and_a_permit_a_warning(condition):
    found = compare(book_of(), book_of(forbid(condition), permit(condition)), "holder", "ipo-xb", REGISTRY)

    assert {(one.policy, one.code, one.severity) for one in found.findings} == {
        ("stop", "never_applies", "error"),
        ("extra", "never_applies", "warning"),
    }
    assert not found.is_sound


def test_policies_that_change_nothing_are_found():
    narrow = permit("resource.final && !resource.unpublished", policy_id="narrow")
    wide = permit("resource.final", policy_id="wide")
    gone = permit("resource.sealed && resource.notified", groups=["trademark.goods"], policy_id="gone")
    over = forbid("resource.sealed")
    lonely = policy_of(
        "holder",
        "ipo-xb",
        "lonely",
        'permit (principal, action in [IPX::Action::"acknowledge", IPX::Action::"release", '
        'IPX::Action::"trademark.owner.contact"], resource is IPX::Trademark) when { resource.final };',
        BASIS,
    )

    found = compare(book_of(), book_of(narrow, wide, gone, over, lonely), "holder", "ipo-xb", REGISTRY)

    codes = {(one.policy, one.code) for one in found.findings}
    assert {("narrow", "shadowed"), ("gone", "always_overridden"), ("lonely", "nobody_can_release")} <= codes


def test_obligations_are_compared_beside():
    old = permit("resource.final")
    new = policy_of("holder", "ipo-xb", "extra", old.cedar.replace(BASIS, BASIS + ' @retain_days("30") @watermark'))

    found = compare(book_of(old), book_of(new), "holder", "ipo-xb", REGISTRY)

    assert found.pairs == ()
    assert [(one.policy, one.old, one.new) for one in found.obligations] == [
        ("extra", {}, {"retain_days": 30, "watermark": True})
    ]


def test_egress_and_guardrails_are_compared_on_their_own_side():
    unit = 'permit (principal in IPX::Agency::"customs-xa", action, resource) when { resource.final };'
    more = policy_of("egress", "customs-xa", "more", unit, BASIS)
    stop = policy_of(
        "guardrail",
        "gateway",
        "stop-final",
        "forbid (principal, action, resource) when { resource.final };",
        '@reason("stop")',
    )

    egress = compare(book_of(without=["customs-xa"]), book_of(more, without=["customs-xa"]), "egress", "customs-xa", {})
    guard = compare(book_of(), book_of(stop), "guardrail", "gateway", {})

    assert {pair.change for pair in egress.pairs} == {"more_permissive"}
    assert {pair.record_type for pair in egress.pairs} == {known.name for known in CATALOGUE.record_types}
    assert {pair.change for pair in guard.pairs} == {"less_permissive"}


def test_an_analysis_that_takes_too_much_widens_until_two_people_say_otherwise():
    old, new = book_of(), book_of(permit("resource.final"))

    late = compare_apart(old, new, "holder", "ipo-xb", REGISTRY, Limits(seconds=0))
    small = compare_apart(old, new, "holder", "ipo-xb", REGISTRY, Limits(megabytes=16))

    assert late.widened == small.widened == ("*/not_analysed",)
    assert "seconds" in late.failure


def test_the_child_finds_what_this_process_finds():
    old, new = book_of(), book_of(permit("resource.final"), forbid("resource.notified"))

    here = compare(old, new, "holder", "ipo-xb", REGISTRY)
    there = compare_apart(old, new, "holder", "ipo-xb", REGISTRY)

    assert changes(here) == changes(there)
    assert here.findings == there.findings


def test_the_same_comparison_is_made_once_and_a_failed_one_again(monkeypatch):
    old, new = book_of(), book_of(permit("resource.deferred"))
    started = []
    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: started.append(1) or real(*args, **options))

    late = compare_apart(old, new, "holder", "ipo-xb", REGISTRY, Limits(seconds=0))
    again = compare_apart(old, new, "holder", "ipo-xb", REGISTRY, Limits(seconds=0))
    first, second = (compare_apart(old, new, "holder", "ipo-xb", REGISTRY) for _ in range(2))
    other = compare_apart(old, new, "holder", "ipo-xb", {})

    assert late.failure
    assert again.failure
    assert first == second
    assert not first.failure
    assert not other.failure
    assert len(started) == 4


def test_what_has_no_formula_is_not_analysed_and_so_widens():
    odd = permit('context.now.toDate() == datetime("2026-01-01")', groups=["trademark.goods"])

    found = compare(book_of(), book_of(odd), "holder", "ipo-xb", REGISTRY)

    assert changes(found)["trademark.goods"] == "not_analysed"
    assert "trademark/trademark.goods" in found.widened


def test_a_witness_is_decided_as_it_says(world):
    new = book_of(permit("resource.final", groups=["trademark.goods"]))
    asked = replace(question("customs-xa", "ipo-xb", "trademark", "border_enforcement", facts={"final": True}))

    assert "trademark.goods" in decide(new, asked).disclosed
    assert "trademark.goods" not in decide(book_of(), asked).disclosed
