"""A new record type is a file; a file that contradicts itself does not load."""

import re
import shutil
from importlib import resources
from pathlib import Path

import pytest

from gateway.records.catalogue import Catalogue
from gateway.records.declarations import DeclarationError
from gateway.records.policy_catalogue import policy_catalogue

TYPES = Path(str(resources.files("gateway.records").joinpath("types")))

LAYOUT_DESIGN = """
schema_version = 1
published_register = true
includes = ["right"]

[groups.biblio]
class = "public"

[groups.biblio.fields]
office = {is = "code:st3!"}
application_number = {is = "text!"}
filed_on = {is = "past_date"}
granted_on = {is = "past_date"}

[facts]
own_right = "layout_design"
parties = ["owners"]
happened_on = ["granted_on"]
stage = [{has = "granted_on", is = "granted"}, {is = "applied"}]

[rules]
refuse = [{rule = "not_before", field = "granted_on", earlier = "filed_on"}]
"""


@pytest.fixture
def load(tmp_path):
    """Loads the parts every type uses and one declaration."""

    def loaded(text, name="layout_design"):
        for part in TYPES.glob("_*.toml"):
            shutil.copy(part, tmp_path)
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        return Catalogue.read(tmp_path)

    return loaded


def test_a_new_type_is_a_file_and_appears_in_the_schema_of_policies(load):
    catalogue = load(LAYOUT_DESIGN)

    known = catalogue.types["layout_design"]
    assert known.fields["owners"] == "layout_design.owner"
    assert known.fields["extensions"] == "layout_design.extensions"
    assert known.is_published_register
    policies = policy_catalogue(catalogue)
    assert {group.name for group in policies.record_types[0].groups} == set(known.groups)


@pytest.mark.parametrize(
    ("written", "instead", "fault"),
    [
        ('filed_on = {is = "past_date"}', 'owners = {is = "text"}', "stands in two groups"),
        ('filed_on = {is = "past_date"}', 'status = {is = "text"}', "name of a clear claim"),
        ('filed_on = {is = "past_date"}', 'filedOn = {is = "past_date"}', "not in snake case"),
        ('filed_on = {is = "past_date"}', 'filed_on = {is = "day"}', "no kind of value is called day"),
        ('filed_on = {is = "past_date"}', 'filed_on = {is = "code:nothing"}', "no code table nothing"),
        ('filed_on = {is = "past_date"}', 'filed_on = {st96 = "X"}', "lacks its kind"),
        ('filed_on = {is = "past_date"}', 'filed_on = {is = "text", numbers = {EM = "EM.none"}}', "no identifier"),
        ('filed_on = {is = "past_date"}', 'filed_on = {is = "text", numbers = {QX = "nice"}}', "is no office"),
        ('class = "public"', 'class = "secret"', "has no class"),
        ('class = "public"', "personal = true", "has no class"),
        ("[groups.biblio.fields]", "[groups.biblio.feilds]", "unknown keys"),
        ('rule = "not_before"', 'rule = "not_ahead"', "no rule is called not_ahead"),
        ('earlier = "filed_on"', 'earlier = "filed"', "names fields that are not there: filed"),
        ('earlier = "filed_on"', 'later = "filed_on"', "missing a required argument"),
        ('parties = ["owners"]', 'parties = ["authors"]', "fields that are not there: authors"),
        (', {is = "applied"}]', "]", "give no stage"),
        ('is = "applied"', 'is = "asleep"', "without a stage"),
        ('own_right = "layout_design"', 'own_right = "chip"', "no right type chip"),
        ("schema_version = 1", "schema_version = 1\ncolour = 1", "unknown keys"),
        ("schema_version = 1", "schema_version = ", "Invalid value"),
    ],
)
def test_a_declaration_that_contradicts_itself_does_not_load(written, instead, fault, load):
    with pytest.raises(DeclarationError, match=re.escape(fault)):
        load(LAYOUT_DESIGN.replace(written, instead, 1))


def test_a_state_over_a_group_that_is_not_there_does_not_load(load):
    state = '\n[[states]]\nwhen = "deferred"\nacts_as = "sealed"\ngroups = ["content"]\n'

    with pytest.raises(DeclarationError, match="names a group that is not there"):
        load(LAYOUT_DESIGN + state)
