"""Who changes policies in these tests, and a way through a whole change."""

from gateway.governance.editors import Editor
from policies.engine import PolicyRef, PolicyText, revision_of

BOTH = frozenset({"policy_editor", "policy_approver"})
ALICE = Editor("person:alice", None, frozenset({"policy_editor"}))
BOB = Editor("person:bob", None, frozenset({"policy_approver"}))
BEN = Editor("person:ben", None, frozenset({"policy_approver"}))
OFFICE = Editor("person:olga", "ipo-xa", BOTH)
CUSTOMS = Editor("person:carl", "customs-xa", BOTH)

MARK = "customs-trademark-border"
NEGATIVE = {
    "name": "customs-gets-nothing-for-statistics",
    "question": {
        "asking": {"code": "customs-xa", "kind": "customs", "jurisdictions": ["XA"]},
        "record_type": "trademark",
        "purpose": "statistics",
        "facts": {"unpublished": True},
    },
    "expect": {"outcome": "denied"},
}


def text_of(gateway, policy_id=MARK, owner="ipo-xa", tier="holder"):
    _, texts = gateway.services.policies.active()
    return next(
        one.cedar for one in texts if (one.ref.tier, one.ref.owner, one.ref.policy_id) == (tier, owner, policy_id)
    )


def narrowed(text):
    """Take the owner out of what customs may see."""
    return text.replace('IPX::Action::"trademark.owner",', "").replace(', IPX::Action::"trademark.owner"', "")


def draft(gateway, policies, *, editor=ALICE, tests=None, owner="ipo-xa", tier="holder", title="A change"):
    changes = gateway.services.governance.changes
    opened = changes.open(editor, tier, owner, title=title, reason="because")
    return changes.save(editor, opened.id, version=opened.version, policies=policies, tests=tests)


def checked(gateway, policies, *, editor=ALICE, **options):
    changes = gateway.services.governance.changes
    saved = draft(gateway, policies, editor=editor, **options)
    return changes.run_evidence(editor, saved.id, version=saved.version)


def asked(gateway, policies, *, editor=ALICE, **options):
    found = checked(gateway, policies, editor=editor, **options)
    assert found.state == "checked", found.evidence
    return gateway.services.governance.changes.ask_review(editor, found.id, version=found.version)


def approve(gateway, change, *reviewers):
    for reviewer in reviewers or (BOB,):
        change = gateway.services.governance.reviews.say(
            reviewer,
            change.id,
            version=change.version,
            evidence_sha256=change.evidence_sha256,
            verdict="approve",
            ticks=change.widened,
        )
    return change


def activate(gateway, policies, *reviewers, editor=ALICE, **options):
    change = approve(gateway, asked(gateway, policies, editor=editor, **options), *reviewers)
    return gateway.services.governance.activations.activate(editor, change.id, version=change.version)


def revised(tier, owner, policy_id, cedar):
    """Give a policy's text under the name of its revision."""
    return PolicyText(PolicyRef(tier, owner, policy_id, revision_of(cedar)), cedar)
