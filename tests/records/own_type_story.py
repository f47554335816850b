"""A type of an operator's own through a whole gateway; run by `test_own_types.py` in a process that has declared it.

Prints what happened as JSON. `IPX_RECORD_TYPES` names the folder of the declaration.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from gateway.catalogue.documents import document
from gateway.demo.run import Demo
from gateway.records.catalogue import CATALOGUE
from gateway.records.policy_catalogue import policy_catalogue
from gateway.records.reference import reference
from ipx import evidence
from policies.cards import card, labels
from policies.engine import PolicyRef, PolicyText, parse, revision_of
from policies.schema import cedar_schema
from tests.exchange.world import CUSTOMS, Gateway

SOURCE = """\
source: {{name: community-register, holder: ipo-xa, record_type: knowledge_entry, schema_version: 1, kind: files}}
licence: {{name: register publicity, onward: attribution}}
freshness: {{expect: P7D, stale: P21D}}
reach: {{location: {folder}, match: "*.json", ready: {{quiet_seconds: 0}}}}
read: {{format: json}}
key: entry_number
revised: {{path: changed, use: [{{datetime: UTC}}]}}
map:
  office: {{const: XA}}
  entry_number: {{path: number, use: [trim], required: true}}
  title: {{each: "[@]", map: {{text: {{path: title, use: [collapse], required: true}}, lang: {{const: en}}}}}}
  recorded_on: {{path: recorded, use: [{{date: ["%Y-%m-%d"]}}]}}
  lapsed_on: {{path: lapsed, use: [{{date: ["%Y-%m-%d"]}}]}}
  field_of_use: {{path: field, use: [trim, {{code: field-of-use}}], raw: true}}
  custodians: {{each: custodians, map: {{name: {{path: "@", use: [collapse], required: true}}}}}}
  secret_use: {{path: secret, use: [collapse]}}
"""
POLICY = """\
@id("knowledge-border")
@title("Customs learn what the community's register publishes")
@legal_basis("XA Traditional Knowledge Act, s. 3")
permit (
  principal in IPX::Agency::"customs-xa",
  action in [
    IPX::Action::"acknowledge",
    IPX::Action::"release",
    IPX::Action::"knowledge_entry.biblio"
  ],
  resource is IPX::KnowledgeEntry
)
when { context.purpose == IPX::Purpose::"border_enforcement" };
"""
ENTRIES = {
    "TK-7": {
        "number": "TK-7",
        "title": "Dyeing with river lichen",
        "recorded": "2019-05-02",
        "changed": "2024-01-02T03:04:05Z",
        "field": "DYE",
        "custodians": ["Lichen Valley Council"],
        "secret": "the mordant",
    },
    "TK-8": {
        "number": "TK-8",
        "title": "Lapsed before it was recorded",
        "recorded": "2019-05-02",
        "lapsed": "2018-05-02",
        "changed": "2024-01-02T03:04:05Z",
        "field": "DYE",
    },
}


def words() -> dict[str, object]:
    """What people read of the type, and policies of its groups."""
    schema = cedar_schema(policy_catalogue())
    return {
        "is_in_schema": "KnowledgeEntry" in schema and '"knowledge_entry.biblio"' in schema,
        "page": [line for line in reference().splitlines() if line.startswith("| [`knowledge_entry`]")],
        "labels": [
            labels("en")["type"]["knowledge_entry"],
            labels("zh")["type"]["knowledge_entry"],
            labels("en")["action"]["knowledge_entry.custodians"],
        ],
        "api": document(CATALOGUE.types["knowledge_entry"]),
        "card": str(card(next(iter(parse(POLICY).static_policies.values())), "en")),
    }


def story(folder: Path) -> dict[str, object]:
    """Register source and policy, ask for a good entry and for one that contradicts itself."""
    entries = folder / "entries"
    entries.mkdir()
    for number, entry in ENTRIES.items():
        (entries / f"{number}.json").write_text(json.dumps(entry), encoding="utf-8")
    demo = Demo(folder / "demo", 18080)
    demo.prepare()
    gateway = Gateway(demo, demo.settings)
    try:
        services = gateway.services
        services.sources.add(SOURCE.format(folder=entries), actor="operator:test")
        ref = PolicyRef("holder", "ipo-xa", "knowledge-border", revision_of(POLICY))
        services.policies.put(PolicyText(ref, POLICY), actor="operator:test")
        released = gateway.ask(CUSTOMS, "ipo-xa", "knowledge_entry", "TK-7")
        report = evidence.verify(released.evidence.raw, gateway.trust, now=datetime.now(UTC))
        broken = gateway.ask(CUSTOMS, "ipo-xa", "knowledge_entry", "TK-8")
        return {
            "record": gateway.urn("ipo-xa", "knowledge_entry", "TK-7"),
            "fields": {name: value for name, value in released.fields.items() if name != "provenance"},
            "withheld": sorted(one.group for one in released.withheld),
            "verified": [report.outcome, report.disclosed],
            "broken": [type(broken).__name__, broken.reason],
        }
    finally:
        gateway.close()


if __name__ == "__main__":
    only_words = "--only-words" in sys.argv
    sys.stdout.write(json.dumps(words() if only_words else story(Path(sys.argv[1]))))
