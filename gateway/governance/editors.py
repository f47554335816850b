"""Who acts on policies, and whose policies those may be."""

from dataclasses import dataclass, field

from gateway.governance.errors import NotEntitledError

POLICY_EDITOR, POLICY_APPROVER = "policy_editor", "policy_approver"


@dataclass(frozen=True, slots=True)
class Editor:
    """Somebody who acts on policies.

    `actor` is the name in audit entries: `person:<username>`, `client:<id>` or `operator:<account>`. `agency` is None
    for the gateway's own authority, which may touch all tiers; an agency's editors touch its holder and egress
    policies only.
    """

    actor: str
    agency: str | None
    roles: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def operator(cls, actor: str) -> "Editor":
        """Give whoever types commands at the gateway's own shell: all roles, nation-wide."""
        return cls(actor, None, frozenset({POLICY_EDITOR, POLICY_APPROVER}))

    def covers(self, tier: str, owner: str) -> bool:
        """Whether the policies of a tier and owner are this editor's business."""
        return self.agency is None or (tier != "guardrail" and owner == self.agency)

    def require(self, tier: str, owner: str, *roles: str) -> None:
        """Pass whoever has any of the roles and whose business this tier and owner are.

        Raises:
            NotEntitledError: not both.
        """
        if not self.roles.intersection(roles):
            raise NotEntitledError(f"this needs one of the roles {', '.join(roles)}")
        if not self.covers(tier, owner):
            raise NotEntitledError(f"{tier} policies of {owner} are not those of {self.agency}")
