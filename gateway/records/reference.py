"""Writes the page of all record types: `python -m gateway.records.reference > docs/records.md`.

With `IPX_RECORD_TYPES` set, the operator's own types stand in it too.
"""

import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from gateway.records.catalogue import CATALOGUE, Catalogue, RecordType
from gateway.records.codes import code_table, table_names
from gateway.records.identifiers import RULES
from gateway.records.own_types import own_folder
from gateway.records.rule_words import sentence
from gateway.records.shapes import Kind

ENVELOPE = "record"
HEAD = """\
# Records

What a record of each type may say. Generated from the declarations in `gateway/records/types/` by `python -m
gateway.records.reference > docs/records.md`; a test compares the two.

- A **field** is what goes or stays as a whole. Each stands in one **group**, and a group is the smallest thing a
  policy grants: its full name is `<type>.<group>`. Each group has one **class** (public, official, confidential,
  sealed) and may be **personal** (`+p`).
- Kinds of values: a word of a [code list](#code-lists) is `code:list`, an [identifier](#identifiers) in its one
  form is `number:kind`, a [shape](#shapes) is an object, `[…]` a list; `!` means that it must be there. A coded
  field keeps the source's own text beside it, in `<field>_raw`. `←` names the element of WIPO ST.96 V6_0.
- What a mapping did not know is kept in `extensions`, a confidential group of every type that no policy shipped
  here grants.
- What breaks a rule under *refused* is quarantined; what breaks one under *flagged* is served and shown to the
  operator.
- Statutes named here are leads for a lawyer, not advice.

Every record also has, each hidden until granted: `record.provenance` (official), `record.links` (official),
`record.retention` (official); and in clear: its name, type, holder, source, revision, instants, status, who sealed
it, and its language.
"""

OWN = """\
## A type of your own

A record type is a declaration; none is code. Put `<type>.toml` into a folder and name the folder in
`IPX_RECORD_TYPES` for every program (gateway, worker, `ipx-gateway`). The type then exists for source files,
policies, exchanges, pushed records, the consoles and this page (`python -m gateway.records.reference`). A
declaration that contradicts itself, or has the name of one of these, stops the start with one line.

<!-- tested: own type -->
```toml
# A traditional knowledge entry, as a community's register keeps it.
schema_version = 1
published_register = true           # named by the office's number; else by an opaque name

[groups.biblio]
class = "public"

[groups.biblio.fields]
office = {is = "code:st3!"}
entry_number = {is = "text!"}
title = {is = ["lang_text"]}
recorded_on = {is = "past_date"}
lapsed_on = {is = "date"}
field_of_use = {is = "code:field-of-use"}

[groups.custodians]
class = "official"
fields = {custodians = {is = ["party"]}}

[groups.secret_use]
class = "sealed"
fields = {secret_use = {is = "text"}}

[facts]
parties = ["custodians"]
happened_on = ["recorded_on"]
stage = [{has = "lapsed_on", is = "lapsed"}, {is = "registered"}]

[rules]
refuse = [{rule = "not_before", field = "lapsed_on", earlier = "recorded_on"}]

[labels.en]
type = "traditional knowledge entry"
biblio = "what the register publishes"
custodians = "custodians"
secret_use = "secret use"

[labels.zh]
type = "传统知识登记"
biblio = "登记公开内容"
```

`is` is a kind as above. `includes = ["right"]` adds owner, owner's contact and representative. A list of your own
is `codes/<list>.toml` in the same folder (`version`, `source`, `[words]`), a shape of your own stands in
`_shapes.toml`; both only add. `stage` must be a word of the list `stage`, and its last clause must always speak.
After a change of groups, policies in force are compiled anew at the next start: one that names a group which is
gone stops that, so take the policy back first. Raise `schema_version` when a field changes its meaning.
"""


def reference(catalogue: Catalogue = CATALOGUE) -> str:
    """Give the page."""
    about = {name: _comment(text) for name, text in _declarations()}
    parts = [HEAD, "| type | is | fields |\n|---|---|--:|"]
    parts[1] += "".join(
        f"\n| [`{name}`](#{name}) | {about.get(name, '').partition('. ')[0].rstrip('.')} | {len(_own_fields(known))} |"
        for name, known in catalogue.types.items()
    )
    parts += [OWN, *(_type(known, about.get(name, "")) for name, known in catalogue.types.items())]
    parts += [_shapes(), _identifiers(), _code_lists()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _type(known: RecordType, about: str) -> str:
    lines = [f"## {known.name}", "", about, ""]
    named = "the office's own number" if known.is_published_register else "an opaque name"
    lines += [f"Schema version {known.schema_version}; a record is named by {named}.", ""]
    lines += ["| group | class | fields | law |", "|---|---|---|---|"]
    for group, said in known.groups.items():
        if not group.startswith(f"{ENVELOPE}."):
            fields = ", ".join(_field(known, field) for field in known.fields_of(group) if not _is_raw(known, field))
            mark = " +p" if said.personal else ""
            lines.append(f"| `{group}` | {said.classification}{mark} | {fields} | {said.law or ''} |")
    lines += ["", *_states(known), *_rules("Refused", known.refuse), *_rules("Flagged", known.flag)]
    return "\n".join(lines)


def _own_fields(known: RecordType) -> list[str]:
    return [
        field
        for field, group in known.fields.items()
        if not group.startswith(f"{ENVELOPE}.") and not _is_raw(known, field)
    ]


def _field(known: RecordType, field: str) -> str:
    metadata = known.schema.fields[field].metadata
    element = f" ← {metadata['st96']}" if metadata["st96"] else ""
    return f"`{field}` {_kind(metadata['is'])}{element}"


def _is_raw(known: RecordType, field: str) -> bool:
    return field.endswith("_raw") and field.removesuffix("_raw") in known.fields


def _kind(kind: Kind) -> str:
    return f"[{kind[0]}]" if isinstance(kind, list) else kind


def _states(known: RecordType) -> Iterator[str]:
    for state in known.states:
        groups = ", ".join(f"`{group}`" for group in sorted(state.groups))
        yield f"While **{state.fact}**, these act as {state.acts_as}: {groups}."
        yield ""


def _rules(title: str, rules: Any) -> Iterator[str]:
    if rules:
        yield f"{title}: {'; '.join(sentence(rule.name, rule.arguments) for rule in rules)}."
        yield ""


def _declarations() -> Iterator[tuple[str, str]]:
    """Name and text of each declaration, of this project and then of the operator."""
    own = own_folder()
    folders: list[Traversable] = [resources.files("gateway.records").joinpath("types"), *([own] if own else [])]
    for folder in folders:
        for entry in folder.iterdir():
            if entry.name.endswith(".toml"):
                yield entry.name.removesuffix(".toml"), entry.read_text(encoding="utf-8")


def _comment(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines)


def _shapes() -> str:
    lines = ["## Shapes", "", "| shape | members | needs at least one of |", "|---|---|---|"]
    declared = {
        shape: said
        for name, text in _declarations()
        if name == "_shapes"
        for shape, said in tomllib.loads(text).items()
    }
    for name, about in sorted(declared.items()):
        members: Mapping[str, Kind] = about["members"]
        like = f"all of `{about['like']}`" if "like" in about else ""
        said = ", ".join(f"`{member}` {_kind(kind)}" for member, kind in members.items())
        needed = ", ".join(f"`{member}`" for member in about.get("any_of", ()))
        lines.append(f"| `{name}` | {' and '.join(part for part in (like, said) if part)} | {needed} |")
    return "\n".join(lines)


def _identifiers() -> str:
    lines = [
        "## Identifiers",
        "",
        "Stored in one form; a number with a wrong check digit is refused apart from one of no form at all.",
        "",
        "| kind | rule |",
        "|---|---|",
    ]
    for kind, rule in sorted(RULES.items()):
        said = (rule.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        lines.append(f"| `{kind}` | {' '.join(said.split())} |")
    return "\n".join(lines)


def _code_lists() -> str:
    lines = ["## Code lists", "", "| list | words | version | from |", "|---|--:|---|---|"]
    for name in table_names():
        table = code_table(name)
        into = f"; read into `{table.into}`" if table.into else ""
        lines.append(f"| `{name}` | {len(table.words)} | {table.version} | {table.source}{into} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(reference())
