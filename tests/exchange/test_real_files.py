"""Real marks of two offices, from their own files through policy, redaction, seal, log and offline verification."""

import httpx
import pytest

from ipx import evidence
from ipx.answers import Released
from ipx.client import Client
from ipx.errors import EvidenceError
from policies.engine import PolicyRef, PolicyText, revision_of
from tests.exchange.servers import Rewired, serving
from tests.exchange.world import CUSTOMS, Gateway, ask

OFFICES = {
    "euipo": ("trademark/euipo", "*.xml", "euipo-tm-xml", "018222919"),
    "uspto": ("trademark/tsdr", "*-ST96.xml", "tsdr-st96", "78002299"),
}
POLICY = """@id("customs-{office}-border")
@legal_basis("Register Publicity Regulation, art. 9")
@retain_days("90")
permit (
  principal in IPX::Agency::"customs-xa",
  action in [
    IPX::Action::"acknowledge", IPX::Action::"release", IPX::Action::"trademark.biblio", IPX::Action::"trademark.mark",
    IPX::Action::"trademark.goods"
  ],
  resource is IPX::Trademark
)
when {{ context.purpose == IPX::Purpose::"border_enforcement" }};
"""


def register(gateway, office, folder):
    path, match, pack, _ = OFFICES[office]
    services = gateway.services
    services.agencies.add(
        office,
        kind="ip_office",
        name=office.upper(),
        jurisdictions=["XC"],
        scopes=["exchange:request"],
        purposes=["examination"],
        actor="operator:test",
    )
    services.sources.add(
        f"""source: {{name: {office}-marks, holder: {office}, record_type: trademark, schema_version: 1, kind: files}}
licence: {{name: open data, onward: attribution}}
freshness: {{expect: P7D, stale: P21D}}
reach: {{location: "{folder / path}", match: "{match}", ready: {{quiet_seconds: 0}}}}
pack: {pack}
""",
        actor="operator:test",
    )
    cedar = POLICY.format(office=office)
    ref = PolicyRef("holder", office, f"customs-{office}-border", revision_of(cedar))
    services.policies.put(PolicyText(ref, cedar), actor="operator:test")
    services.holder_keys.seal(office)
    with services.database.write() as session:
        services.trust_lists.publish(session, "operator:test")


@pytest.mark.parametrize("office", OFFICES)
def test_a_real_mark_is_released_over_http_and_verifies_offline(demo, settings, ipdata, office):
    gateway = Gateway(demo, settings)
    register(gateway, office, ipdata)
    number = OFFICES[office][3]
    with (
        serving(demo, settings) as (address, _),
        Client(settings.origin, CUSTOMS, gateway.key(CUSTOMS), http=httpx.Client(transport=Rewired(address))) as client,
    ):
        answer = client.request(ask(f"urn:ipx:{office}:trademark:{number}"))

    assert isinstance(answer, Released)
    assert answer.fields["application_number"] == number
    assert answer.fields["goods_services"]
    assert "owners" not in answer.fields
    assert "trademark.owner" in [item.group for item in answer.withheld]
    report = evidence.verify(answer.evidence.raw, gateway.trust, now=gateway.services.clock())
    assert report.outcome == "released"
    changed = answer.evidence.raw.replace(b'"sealed_by":"gateway"', b'"sealed_by":"holder"')
    assert changed != answer.evidence.raw
    with pytest.raises(EvidenceError):
        evidence.verify(changed, gateway.trust, now=gateway.services.clock())
    gateway.close()
