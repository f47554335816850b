"""The inputs of the policy form say what the policy says, and reading them back gives the same policy."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from gateway.admin.policies.facts import fact_kinds
from gateway.admin.policies.inputs import (
    InputFault,
    NotOnPage,
    blank,
    form_from,
    groups_by_class,
    inputs_of,
    posted_inputs,
)
from gateway.admin.policies.rows import OPERATORS, RowError, RowInput, condition, condition_text, row_input
from gateway.records.policy_catalogue import policy_catalogue
from policies import bundle_files, cedar
from policies.form_values import Form
from policies.forms import read_form, write_form

CATALOGUE = policy_catalogue()
SHIPPED = {str(text.ref): text.cedar for text in bundle_files.load()}
BORDER = next(text for name, text in SHIPPED.items() if "customs-trademark-border" in name)


def browser(inputs):
    """Post what a page with these inputs would post."""
    rows = [
        (f"{clause}-{number}-{part}", getattr(row, part))
        for clause in ("when", "unless")
        for number, row in enumerate(getattr(inputs, clause))
        for part in ("fact", "operator", "value", "text")
    ]
    return MultiDict(
        [
            ("effect", inputs.effect),
            ("who_kind", inputs.who_kind),
            ("who", inputs.who),
            ("record_type", inputs.record_type),
            ("source", inputs.source),
            *([("every_action", "yes")] if inputs.is_every_action else []),
            *(("group-public", name) for name in inputs.actions),
            *((name, value or "yes") for name, value in inputs.annotations),
            *rows,
        ]
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_policy_comes_back_from_the_page(name):
    form = read_form(SHIPPED[name])
    inputs = inputs_of(form, CATALOGUE)

    assert posted_inputs(browser(inputs), inputs) == inputs
    assert read_form(write_form(form_from(inputs, CATALOGUE))) == form


def test_few_shipped_conditions_need_text():
    """The rows of the page say nearly everything the shipped policies say."""
    forms = [inputs_of(read_form(text), CATALOGUE) for text in SHIPPED.values()]
    rows = [row for inputs in forms for row in (*inputs.when, *inputs.unless)]

    assert sum(bool(row.text) for row in rows) <= len(rows) // 10


def test_a_group_taken_out_narrows_the_policy():
    before = inputs_of(read_form(BORDER), CATALOGUE)
    posted = browser(before)
    posted.setlist("group-public", [name for name in before.actions if name != "trademark.owner"])

    text = write_form(form_from(posted_inputs(posted, before), CATALOGUE))

    assert "trademark.owner" in BORDER
    assert '"trademark.owner"' not in text
    assert '"trademark.biblio"' in text


def test_a_row_added_is_a_condition_more():
    before = inputs_of(read_form(BORDER), CATALOGUE)
    posted = browser(before)
    place = f"when-{len(before.when)}"
    for part, value in (("fact", "resource.stage"), ("operator", "one_of"), ("value", "registered granted")):
        posted.add(f"{place}-{part}", value)

    text = write_form(form_from(posted_inputs(posted, before), CATALOGUE))

    assert '[IPX::Stage::"registered", IPX::Stage::"granted"].contains(resource.stage)' in text


def test_a_row_can_be_dropped():
    before = inputs_of(read_form(BORDER), CATALOGUE)
    posted = browser(before)
    posted.add("when-0-drop", "yes")

    assert len(posted_inputs(posted, before).when) == len(before.when) - 1


@pytest.mark.parametrize(
    ("row", "part", "code"),
    [
        (RowInput("resource.colour", "is_true"), "fact", "unknown_fact"),
        (RowInput("context.purpose", "eq", "border_enforcment"), "value", "unknown_word"),
        (RowInput("context.purpose", "eq", ""), "value", "no_value"),
        (RowInput("context.purpose", "contains", "arbitration"), "operator", "no_set"),
        (RowInput("context.purpose", "sings", "arbitration"), "operator", "unknown_operator"),
        (RowInput("principal.assurance", "greater", "much"), "value", "wrong_kind"),
        (RowInput("resource.jurisdiction", "eq", "resource.colour"), "value", "unknown_fact"),
        (RowInput(text="resource.sealed && ("), "text", "not_cedar"),
        (RowInput(text="true }; permit (principal, action, resource) when { true"), "text", "no_condition"),
        (RowInput(text="resource.sealed } unless { resource.final"), "text", "no_condition"),
    ],
)
def test_what_cannot_be_read_names_its_input(row, part, code):
    with pytest.raises(RowError) as error:
        condition(row, CATALOGUE)

    assert (error.value.part, error.value.code) == (part, code)


def test_faults_name_the_inputs_of_the_page():
    inputs = blank("x-1", "trademark")

    assert form_from(replace(inputs, actions=(), who_kind="agency"), CATALOGUE) == (
        InputFault("who", "no_value"),
        InputFault("group", "no_group"),
    )


def test_a_template_is_edited_as_text():
    form = read_form('@id("t-1") permit (principal in ?principal, action, resource is IPX::Trademark);')

    assert inputs_of(form, CATALOGUE) == NotOnPage("scope")


def test_groups_are_ticked_by_class():
    known = CATALOGUE.record_type("trademark")

    assert "trademark.biblio" in groups_by_class(known)["public"]
    assert sum(map(len, groups_by_class(known).values())) == len(known.groups)


FACTS = st.sampled_from(sorted(fact_kinds(CATALOGUE)))
VALUES = st.sampled_from(
    ["border_enforcement", "XA", "seized", "2", "2026-11-25", "resource.jurisdiction", "a b", "true"]
)


@given(st.builds(RowInput, FACTS, st.sampled_from(OPERATORS), VALUES))
@settings(deadline=None, max_examples=200)
def test_whatever_a_row_says_comes_back_as_that_row(row):
    try:
        (found,) = condition(row, CATALOGUE)
    except RowError:
        return
    again = row_input(found, CATALOGUE)

    assert condition(again, CATALOGUE) == (found,)
    assert isinstance(read_form(f"permit (principal, action, resource) when {{ {cedar_of(found)} }};"), Form)


def cedar_of(found):
    text = condition_text(found)
    cedar.parse(f"permit (principal, action, resource) when {{ {text} }};")
    return text
