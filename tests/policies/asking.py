"""A question that customs are granted at the border, and what a decision says, in a word."""

from policies.engine import Denial, Release

BASIS = '@legal_basis("a law")'


def border(world, **changes):
    return world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement", **changes)


def refusal(decision):
    assert isinstance(decision, Denial)
    return decision.refused_by, decision.reason


def disclosed(decision):
    return set(decision.disclosed) if isinstance(decision, Release) else decision


def reasons(decision):
    return {withheld.group: withheld.reason for withheld in decision.withheld}
