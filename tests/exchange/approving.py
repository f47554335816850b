"""A holder's policy that waits for an approval, and its officers, for the tests of approvals."""

from gateway.exchange.approvals import Officer
from ipx.client import Client
from policies.engine import PolicyRef, PolicyText, revision_of
from tests.exchange.world import CUSTOMS

CONTACT = "trademark.owner.contact"
OTTO, OLGA = Officer("person:otto", "ipo-xa"), Officer("person:olga", "ipo-xa")
PERSONAL = """@id("contact-by-approval")
@title("Customs receive the owner's contact once an officer has approved it")
@legal_basis("XA Data Protection Act, s. 7")
@retain_days("30")
permit (
  principal in IPX::Agency::"customs-xa",
  action in [
    IPX::Action::"acknowledge", IPX::Action::"release", IPX::Action::"personal",
    IPX::Action::"trademark.owner.contact", IPX::Action::"trademark.priority"
  ],
  resource is IPX::Trademark
)
when {
  context.purpose == IPX::Purpose::"border_enforcement" &&
  context.approvals.contains(IPX::Approval::"personal_data")
};
"""
SEALED = PERSONAL.replace("personal_data", "sealed_release")
TWO = PERSONAL.replace(
    'context.approvals.contains(IPX::Approval::"personal_data")',
    'context.approvals.contains(IPX::Approval::"personal_data") && '
    'context.approvals.contains(IPX::Approval::"settlement_terms")',
)
EITHER = PERSONAL.replace(
    'context.approvals.contains(IPX::Approval::"personal_data")',
    '(context.approvals.contains(IPX::Approval::"personal_data") || '
    'context.approvals.contains(IPX::Approval::"settlement_terms"))',
)


def put(gateway, cedar=PERSONAL, owner="ipo-xa", tier="holder"):
    """Put one policy in force, and let this process know at once."""
    policy_id = cedar.split('"')[1]
    ref = PolicyRef(tier, owner, policy_id, revision_of(cedar))
    gateway.services.policies.put(PolicyText(ref, cedar), actor="operator:test")
    gateway.services.books.newest()


def ask_contact(gateway, **changes):
    """Ask for what only an approval opens."""
    return gateway.ask(CUSTOMS, groups=[CONTACT], **changes)


def only_task(gateway, agency="ipo-xa"):
    [task] = gateway.services.approvals.list(agency)
    return task


def grant(gateway, task, officer=OTTO, **options):
    return gateway.services.approvals.grant(
        task.id, officer, **({"version": task.version, "reason_code": "law_requires"} | options)
    )


def looked_at(gateway, answer, client_id=CUSTOMS):
    """Poll the exchange, as the requester does."""
    client: Client = gateway.client(client_id)
    return client.exchange(answer.evidence.exchange)
