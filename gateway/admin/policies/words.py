"""The words of pages about policies, in the reader's language: those of the cards, so that page and card agree."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from flask_babel import gettext as _

from gateway.web.language import language
from policies.cards import labels
from policies.schema import Catalogue


def card_language() -> Literal["en", "zh"]:
    """Give the language of cards for this answer."""
    return "zh" if language().startswith("zh") else "en"


def word(kind: str, name: str) -> str:
    """Say a word of the catalogue: `kind` is a table of the card labels (`action`, `type`, `fact`, `obligation`)."""
    return labels(card_language())[kind].get(name) or _readable(name)


def value_word(enum: str, name: str) -> str:
    """Say a word of a code list, under its Cedar name (`Purpose`, `Stage`)."""
    return labels(card_language())["value"].get(f"{enum}.{name}") or _readable(name)


def fact_word(fact: str) -> str:
    """Say a fact as the form offers it: as a thing with values, or as a sentence that holds or does not."""
    found = labels(card_language())
    return found["fact"].get(fact) or found["holds"].get(fact) or fact


def phase_words() -> Mapping[str, str]:
    """Say the phases of collecting evidence."""
    return {
        "waiting": _("About to begin"),
        "lint": _("Rules of writing"),
        "validation": _("Validation against the schema"),
        "tests": _("Policy tests"),
        "diff": _("What the change means"),
        "replay": _("Past exchanges, answered anew"),
        "card": _("Coverage and cards"),
    }


def operator_words() -> Mapping[str, str]:
    """Say the operators of rows."""
    return {
        "is_true": _("holds"),
        "is_false": _("does not hold"),
        "is_given": _("is given"),
        "is_not_given": _("is not given"),
        "eq": _("is"),
        "not_eq": _("is not"),
        "one_of": _("is one of"),
        "none_of": _("is none of"),
        "contains": _("include"),
        "lacks": _("do not include"),
        "contains_any": _("include one of"),
        "contains_all": _("include all of"),
        "is_empty": _("are none"),
        "is_not_empty": _("are some"),
        "less": _("is before, below"),
        "less_eq": _("is not after, at most"),
        "greater": _("is after, above"),
        "greater_eq": _("is not before, at least"),
    }


def tier_words() -> Mapping[str, str]:
    return {"guardrail": _("Guardrail"), "holder": _("Holder"), "egress": _("Asking agency")}


def class_words() -> Mapping[str, str]:
    return {
        "public": _("Public"),
        "official": _("Official"),
        "confidential": _("Confidential"),
        "sealed": _("Sealed"),
    }


def change_state_words() -> Mapping[str, str]:
    return {
        "draft": _("draft"),
        "checked": _("checked"),
        "reviewed": _("reviewed"),
        "scheduled": _("scheduled"),
        "shadow": _("shadow"),
        "active": _("active"),
        "superseded": _("superseded"),
        "rejected": _("sent back"),
        "withdrawn": _("withdrawn"),
    }


def replay_words() -> Mapping[str, str]:
    return {
        "newly_allowed": _("newly allowed"),
        "newly_denied": _("newly denied"),
        "groups": _("other groups"),
        "obligations": _("other obligations"),
    }


def activation_words() -> Mapping[str, str]:
    return {
        "import": _("imported"),
        "change": _("by a change"),
        "rollback": _("rolled back"),
        "emergency": _("emergency denial"),
        "lifted": _("emergency denial ended"),
    }


def choices(values: Iterable[str], words: Mapping[str, str], nothing: str | None = None) -> list[tuple[str, str]]:
    """Make the options of a selection: each value with its word, and before them the one for no choice."""
    found = [(value, words.get(value) or value) for value in values]
    return found if nothing is None else [("", nothing), *found]


def input_problem(code: str, detail: str) -> str:
    """Say what is wrong with an input of the form."""
    sentences: Mapping[str, str] = {
        "unknown_fact": _("There is no fact of this name."),
        "unknown_word": _("“%(detail)s” is no word of this list.", detail=detail),
        "no_value": _("Give a value."),
        "no_set": _("This fact is a single value: choose “is one of”."),
        "unknown_operator": _("Choose how to compare."),
        "wrong_kind": _("The value is not of the fact's kind (%(detail)s).", detail=detail),
        "not_cedar": _("Cedar cannot read this condition: %(detail)s", detail=detail),
        "no_condition": _("This is more than one condition."),
        "no_group": _("Tick at least one group."),
    }
    return sentences[code]


def words_for_templates(catalogue: Catalogue) -> Mapping[str, Any]:
    """Give templates what they say words with."""
    return {
        "word": word,
        "value_word": value_word,
        "fact_word": fact_word,
        "tier_words": tier_words(),
        "class_words": class_words(),
        "operator_words": operator_words(),
        "change_words": replay_words(),
        "choices": choices,
        "types": [(known.name, word("type", known.name)) for known in catalogue.record_types],
        "catalogue": catalogue,
    }


def _readable(name: str) -> str:
    """Say a name that has no label: its last part, in words."""
    return name.rpartition(".")[2].replace("_", " ")
