"""A question that customs are granted at the border, and what a decision says, in a word."""

from policies.engine import Denial

BASIS = '@legal_basis("a law")'


def border(world, **changes):
    return world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement", **changes)


def refusal(decision):
    assert isinstance(decision, Denial)
    return decision.refused_by, decision.reason
