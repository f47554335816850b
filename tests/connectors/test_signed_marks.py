"""Signed mark data (RFC 7848): a mark counts if its clearing house signed all of it and took nothing back."""

import base64
from collections import Counter
from datetime import UTC, datetime, timedelta
from textwrap import dedent

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import XMLSigner, methods

from connectors.deadline import Deadline
from connectors.errors import SourceFileError
from connectors.formats.document import Limits
from connectors.mapping import Mapped, RecordMapping
from connectors.protocol import Found
from connectors.quarantine import Quarantined, Reason
from connectors.source_file import read_source
from connectors.sources import open_source
from connectors.xml_signatures import XmlTrust

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SMD_ID = "0000001751376056503931-65535"

MARK = f"""\
<smd:signedMark xmlns:smd="urn:ietf:params:xml:ns:signedMark-1.0" xmlns:mark="urn:ietf:params:xml:ns:mark-1.0" id="_1">
<smd:id>{SMD_ID}</smd:id><smd:issuerInfo issuerID="65535"><smd:org>Clearing House XA</smd:org></smd:issuerInfo>
<smd:notBefore>2026-01-02T03:04:05.600Z</smd:notBefore><smd:notAfter>2027-01-02T03:04:05.600Z</smd:notAfter>
<mark:mark><mark:trademark><mark:id>00052013734689731373468973-65535</mark:id>
<mark:markName>Zwillar &amp; Blue</mark:markName>
<mark:holder entitlement="owner"><mark:name>A. Nobody</mark:name><mark:org>Zwillar Holding SE</mark:org>
<mark:addr><mark:street>1 Nowhere Road</mark:street><mark:city>Nowhere</mark:city><mark:cc>FR</mark:cc></mark:addr>
<mark:voice>+33.1000000</mark:voice><mark:email>nobody@zwillar.example</mark:email></mark:holder>
<mark:contact type="agent"><mark:name>Agent</mark:name><mark:org>Agents Ltd</mark:org></mark:contact>
<mark:jurisdiction>FR</mark:jurisdiction><mark:class>9</mark:class><mark:label>zwillar-blue</mark:label>
<mark:goodsAndServices>Barometers</mark:goodsAndServices><mark:apId>9216963</mark:apId><mark:apDate>2025-09-01T00:00:00.0Z</mark:apDate>
<mark:regNum>9216963</mark:regNum><mark:regDate>2026-01-15T00:00:00.0Z</mark:regDate><mark:exDate>2035-09-01T00:00:00.0Z</mark:exDate>
</mark:trademark></mark:mark></smd:signedMark>"""


class Authority:
    """A made-up certificate authority with one validator."""

    def __init__(self, name="Authority XA", at=NOW):
        self.at = at
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self.issue(self.name, self.key)
        self.validator_key = ec.generate_private_key(ec.SECP256R1())
        self.validator = self.issue(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "V")]), self.validator_key)

    def issue(self, subject, key):
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(self.at - 30 * DAY).not_valid_after(self.at + 30 * DAY)
        return builder.sign(self.key, hashes.SHA256())

    def crl(self, *revoked, next_update=NOW + DAY):
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(NOW - 20 * DAY).next_update(next_update)
        for certificate in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(NOW - 2 * DAY).build())
        return builder.sign(self.key, hashes.SHA256())

    def sign(self, xml, reference="#_1"):
        signer = XMLSigner(
            method=methods.enveloped,
            signature_algorithm="ecdsa-sha256",
            digest_algorithm="sha256",
            c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
        )
        pem = self.validator.public_bytes(serialization.Encoding.PEM).decode()
        return signer.sign(etree.fromstring(xml), key=self.validator_key, cert=[pem], reference_uri=reference)


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def signed(authority):
    return etree.tostring(authority.sign(MARK))


def wrapped(xml):
    lines = base64.encodebytes(xml).decode()
    return f"Marks: Zwillar\n-----BEGIN ENCODED SMD-----\n{lines}-----END ENCODED SMD-----\n".encode()


@pytest.fixture
def judge(write_source, catalogue_tools, authority):
    source = read_source(write_source("reach: {location: /nowhere, match: '*'}\npack: smd\n"))

    def run(xml, *, at=NOW, **trust):
        chosen = {"anchors": [authority.certificate], "crls": [authority.crl()], **trust}
        mapping = RecordMapping(source, catalogue_tools, Limits(), XmlTrust(**chosen))
        return mapping.apply(Found(wrapped(xml), "", "a.smd", None, None, at))

    return run


def reasons(outcome):
    assert isinstance(outcome, Quarantined), outcome
    return [why.reason for why in outcome.reasons]


def test_a_mark_that_its_clearing_house_signed_is_a_record(judge, signed):
    outcome = judge(signed)

    assert isinstance(outcome, Mapped), outcome
    assert (outcome.key, outcome.revised) == (SMD_ID, datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC))
    assert outcome.fields == {
        "office": "FR",
        "clearinghouse_id": SMD_ID,
        "application_number": "9216963",
        "application_date": "2025-09-01",
        "registration_number": "9216963",
        "registration_date": "2026-01-15",
        "expiry_date": "2035-09-01",
        "verbal_element": "Zwillar & Blue",
        "goods_services": [{"class_number": "9", "texts": [{"text": "Barometers"}]}],
        "owners": [{"party_no": 1, "role": "owner", "name": "Zwillar Holding SE", "country": "FR"}],
        "owner_contacts": [
            {
                "party_no": 1,
                "name": "A. Nobody",
                "address": "1 Nowhere Road, Nowhere",
                "country": "FR",
                "email": "nobody@zwillar.example",
                "phone": "+33.1000000",
            }
        ],
        "representatives": [{"role": "representative", "name": "Agents Ltd"}],
        "extensions": outcome.fields["extensions"],
    }
    assert "Signature" not in str(outcome.fields["extensions"])


def test_one_letter_changed_and_the_signature_falls(judge, signed):
    assert reasons(judge(signed.replace(b"Barometers", b"Hygrometers"))) == [Reason.SIGNATURE_INVALID]


def test_a_mark_without_signature_is_no_record(judge):
    assert reasons(judge(MARK.encode())) == [Reason.SIGNATURE_INVALID]


def test_a_signature_over_a_part_does_not_cover_the_whole(judge, authority):
    inner = authority.sign(MARK.replace("<mark:mark>", '<mark:mark id="_2">'), reference="#_2")

    assert reasons(judge(etree.tostring(inner))) == [Reason.SIGNATURE_INVALID]


def test_a_signed_mark_wrapped_into_a_forged_one_is_not_taken_for_it(judge, signed):
    forged = MARK.replace("Zwillar Holding SE", "Forger Ltd").replace('id="_1"', 'id="_9"')
    original = etree.fromstring(signed)
    outer = etree.fromstring(forged)
    signature = original.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
    outer.append(signature)
    holder = etree.SubElement(outer, "{urn:ietf:params:xml:ns:signedMark-1.0}issuerInfo")
    holder.append(original)

    assert Reason.SIGNATURE_INVALID in reasons(judge(etree.tostring(outer)))


def test_an_unknown_issuer_signs_nothing_here(judge, signed):
    stranger = Authority("Authority XB")

    assert reasons(judge(signed, anchors=[stranger.certificate], crls=[])) == [Reason.SIGNATURE_INVALID]


def test_an_issuer_of_the_same_name_is_still_another(judge, signed):
    namesake = Authority()

    assert reasons(judge(signed, anchors=[namesake.certificate], crls=[])) == [Reason.SIGNATURE_INVALID]


@pytest.mark.parametrize("days", [-40, 40])
def test_a_certificate_counts_while_it_is_valid(judge, signed, days, authority):
    outcome = judge(signed, at=NOW + days * DAY, crls=[authority.crl(next_update=NOW + 60 * DAY)])

    assert reasons(outcome) == [Reason.SIGNATURE_INVALID]
    assert outcome.reasons[0].detail == "the certificate is not valid on this day"


def test_the_day_of_the_fetch_counts_and_not_the_clock_of_the_machine(judge):
    """So a certificate that has expired since is named, and the signature under it is not called forged."""
    old = Authority(at=NOW - 1000 * DAY)

    outcome = judge(etree.tostring(old.sign(MARK)), anchors=[old.certificate], crls=[])

    assert reasons(outcome) == [Reason.SIGNATURE_INVALID]
    assert outcome.reasons[0].detail == "the certificate is not valid on this day"


def test_a_revoked_certificate_signs_nothing(judge, signed, authority):
    outcome = judge(signed, crls=[authority.crl(authority.validator)])

    assert reasons(outcome) == [Reason.SIGNER_REVOKED]
    assert outcome.reasons[0].detail == "the certificate was revoked on 2026-11-23"


def test_a_mark_that_the_clearing_house_took_back_is_no_record(judge, signed):
    outcome = judge(signed, revoked={SMD_ID: "2026-11-01T00:00:00Z"})

    assert reasons(outcome) == [Reason.SIGNER_REVOKED]


def test_an_overdue_revocation_list_says_nothing_unless_the_source_says_it_does(judge, signed, authority):
    overdue = [authority.crl(next_update=NOW - DAY)]

    assert reasons(judge(signed, crls=overdue)) == [Reason.SIGNATURE_INVALID]
    assert isinstance(judge(signed, crls=overdue, uses_stale=True), Mapped)


def test_a_revocation_list_that_another_signed_says_nothing(judge, signed):
    assert reasons(judge(signed, crls=[Authority().crl()])) == [Reason.SIGNATURE_INVALID]


@pytest.mark.parametrize(
    "raw", [b"", b"Marks: x", MARK.encode(), b"-----BEGIN ENCODED SMD-----\n!\n-----END ENCODED SMD-----"]
)
def test_what_is_not_wrapped_as_signed_mark_data_is_not_parseable(pack_of_marks, raw):
    assert reasons(pack_of_marks.apply(Found(raw, "", "a.smd", None, None, NOW))) == [Reason.NOT_PARSEABLE]


@pytest.fixture
def pack_of_marks(write_source, catalogue_tools, authority):
    source = read_source(write_source("reach: {location: /nowhere, match: '*'}\npack: smd\n"))
    return RecordMapping(source, catalogue_tools, Limits(), XmlTrust([authority.certificate]))


def test_signed_documents_need_somebody_to_trust(write_source, catalogue_tools):
    source = read_source(write_source("reach: {location: /nowhere, match: '*'}\npack: smd\n"))

    with pytest.raises(SourceFileError, match="/reach/trust: is missing"):
        open_source(source, secrets={}, variables={}, tools=catalogue_tools)


def test_trust_that_cannot_be_read_is_told_at_once(write_source, catalogue_tools, tmp_path):
    (tmp_path / "not-a-crl").write_text("x", encoding="utf-8")
    trust = f"{{anchors: ['{tmp_path}/missing'], crls: ['{tmp_path}/not-a-crl'], revoked: ['{tmp_path}/none']}}"
    text = write_source(f"reach: {{location: {tmp_path}, match: '*', trust: {trust}}}\npack: smd\n")

    with pytest.raises(SourceFileError) as refused:
        open_source(read_source(text), secrets={}, variables={}, tools=catalogue_tools)

    assert {fault.pointer for fault in refused.value.faults} == {
        "/reach/trust/anchors/0",
        "/reach/trust/crls/0",
        "/reach/trust/revoked/0",
    }


def test_of_46_real_marks_18_count_24_were_taken_back_3_had_a_revoked_signer_and_1_was_changed(
    ipdata, write_source, catalogue_tools
):
    folder = ipdata / "signed_mark_tmch"
    text = dedent(f"""\
        reach:
          location: {folder}
          match: "*.smd"
          subfolders: true
          trust:
            anchors: ["{folder}/main/icann-tmch-pilot.crt"]
            crls: ["{folder}/main/icann-tmch-pilot.crl"]
            revoked: ["{folder}/smd/smdrl.csv", "{folder}/idn/idn_smdrl.csv", "{folder}/smdrl/smdrl-latest.csv"]
            stale: use
        pack: smd
        """)
    source = open_source(
        read_source(write_source(text)), secrets={}, variables={}, tools=catalogue_tools, clock=lambda: NOW
    )

    counted = Counter()
    for path in folder.rglob("*.smd"):
        outcome = source.apply(Found(path.read_bytes(), "", path.name, None, None, NOW))
        counted[
            "mapped" if isinstance(outcome, Mapped) else f"{outcome.reasons[0].reason} {outcome.reasons[0].detail[:8]}"
        ] += 1
    capabilities, changes = source.connector.capabilities(), source.connector.changes(None, Deadline.within(30))
    source.close()

    assert counted == {
        "mapped": 18,
        "signer_revoked taken ba": 24,
        "signer_revoked the cert": 3,
        "signature_invalid the sign": 1,
    }
    assert (capabilities.signs, changes.complete) == ("xmldsig", True)
