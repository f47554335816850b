"""Form and text are two views of one policy: whatever is written comes back, whatever is shown was written."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.engine import parse
from policies.form_values import Entity, Joined, Moment, Path, Row, Scope
from policies.forms import Form, read_form, write_form

NAMES = st.sampled_from(["purpose", "stage", "agency", "kind", "case_reference", "sealed", "number"])
WORDS = st.text(string.ascii_letters + string.digits + '-_ ."\\界', min_size=1, max_size=8)
PATHS = st.builds(
    Path, st.sampled_from(["principal", "resource", "context"]), st.lists(NAMES, min_size=1, max_size=3).map(tuple)
)
ENTITIES = st.builds(Entity, st.sampled_from(["Purpose", "Stage", "Approval", "Agency"]), WORDS)
VALUES = ENTITIES | WORDS | st.booleans() | st.integers(0, 1 << 40) | st.just(Moment("2026-11-25T08:00:00.000Z"))
SETS = st.lists(VALUES, min_size=1, max_size=3).map(tuple)
INFIX = st.sampled_from(["eq", "not_eq", "less", "less_eq", "greater", "greater_eq", "in"])
METHODS = st.sampled_from(["contains", "contains_any", "contains_all"])
ROWS = st.one_of(
    st.builds(Row, INFIX, PATHS, VALUES | PATHS | SETS, st.booleans()),
    st.builds(Row, METHODS, PATHS | SETS, VALUES | PATHS, st.booleans()),
    st.builds(Row, st.sampled_from(["is_true", "has", "is_empty"]), PATHS, st.none(), st.booleans()),
    st.builds(Row, st.just("is"), PATHS, st.sampled_from(["Trademark", "Detention"]), st.booleans()),
)
CONDITIONS = st.recursive(
    ROWS,
    lambda inner: st.builds(Joined, st.lists(inner, min_size=2, max_size=3).map(tuple), st.booleans()),
    max_leaves=6,
)
SCOPES = st.one_of(
    st.builds(Scope),
    st.builds(Scope, type=st.sampled_from(["Trademark", "Detention"])),
    st.builds(Scope, within=ENTITIES),
    st.builds(Scope, only=ENTITIES),
    st.builds(Scope, type=st.just("Trademark"), within=ENTITIES),
)
ACTIONS = st.lists(st.sampled_from(["acknowledge", "release", "trademark.biblio", "trademark.owner"]), min_size=1)


@st.composite
def forms(draw, conditions=CONDITIONS):
    actions = draw(st.none() | ACTIONS.map(tuple))
    names = sorted(draw(st.sets(st.sampled_from(["id", "title", "legal_basis", "retain_days", "watermark"]))))
    return Form(
        effect=draw(st.sampled_from(["permit", "forbid"])),
        annotations=tuple((name, draw(WORDS)) for name in names),
        principal=draw(SCOPES),
        actions=actions,
        is_one_action=actions is not None and len(actions) == 1 and draw(st.booleans()),
        resource=draw(SCOPES),
        when=tuple(draw(st.lists(conditions, max_size=3))),
        unless=tuple(draw(st.lists(conditions, max_size=3))),
    )


def tree(text):
    return next(iter(parse(text).static_policies.values()))


@given(forms(ROWS))
@settings(max_examples=150, deadline=None)
def test_a_form_of_plain_rows_comes_back_as_it_was(form):
    assert read_form(write_form(form)) == form


@given(forms())
@settings(max_examples=150, deadline=None)
def test_a_form_with_joined_conditions_comes_back_as_the_same_tree(form):
    """Brackets that change nothing may be gone: `(a && b) && c` has three rows."""
    written = write_form(form)

    again = read_form(written)

    assert isinstance(again, Form)
    assert tree(write_form(again)) == tree(written)
    assert read_form(write_form(again)) == again
