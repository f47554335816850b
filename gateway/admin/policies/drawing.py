"""A stored policy as pages show it: its card in both languages, its form, its text."""

from collections.abc import Mapping
from dataclasses import dataclass

from policies.cards import Card, card
from policies.engine import PolicyText, parse


@dataclass(frozen=True, slots=True)
class DrawnPolicy:
    """`cards` by language, `en` and `zh`; empty where the policy can only be shown as text."""

    text: PolicyText
    effect: str
    title: str
    legal_basis: str
    cards: Mapping[str, Card]

    @property
    def place(self) -> Mapping[str, str]:
        """Name its page."""
        return {"tier": self.text.ref.tier, "owner": self.text.ref.owner, "policy_id": self.text.ref.policy_id}


def draw(text: PolicyText, names: Mapping[str, str]) -> DrawnPolicy:
    """Draw a policy that passed the gate.

    Args:
        text: as stored.
        names: of agencies and sources by their codes.
    """
    found = parse(text.cedar)
    tree = next(iter([*found.static_policies.values(), *found.templates.values()]))
    drawn = {language: card(tree, language, names) for language in ("en", "zh")}
    return DrawnPolicy(
        text=text,
        effect=tree.effect,
        title=tree.annotations.get("title") or text.ref.policy_id,
        legal_basis=tree.annotations.get("legal_basis", ""),
        cards={language: one for language, one in drawn.items() if isinstance(one, Card)},
    )
