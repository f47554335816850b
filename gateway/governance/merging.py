"""Two changes of the same policies or tests, made one: that of a draft, and what came into force meanwhile."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from gateway.errors import Fault

Keep = Literal["ours", "theirs"]
"""Whose version of what two changes changed: the draft's, or the one that came into force."""

KEEP: Final[tuple[Keep, ...]] = get_args(Keep)


def merged(
    base: Mapping[str, int], theirs: Mapping[str, int], ours: Mapping[str, int], kind: str, keep: Keep | None
) -> tuple[dict[str, int], list[Fault]]:
    """Merge two changes of one set: what only one side changed is taken from it.

    Args:
        base: row ids by name, before either change.
        theirs: those that came into force meanwhile.
        ours: those of the draft.
        kind: `policies` or `tests`.
        keep: whose version counts of what both changed.

    Returns:
        row ids by name; and a fault for each name that both changed, where `keep` is None.
    """
    chosen_ids: dict[str, int] = {}
    faults = []
    for name in sorted({*base, *theirs, *ours}):
        old, their, our = base.get(name), theirs.get(name), ours.get(name)
        is_conflict = our != old and their not in (old, our)
        if is_conflict and keep is None:
            faults.append(
                Fault(
                    f"/{kind}/{name}",
                    "changed_on_both_sides",
                    "somebody else's change came into force: keep ours or theirs",
                )
            )
        chosen = their if our == old or (is_conflict and keep == "theirs") else our
        if chosen is not None:
            chosen_ids[name] = chosen
    return chosen_ids, faults
