"""A patent as `pat:PatentPublication` of ST.96 V6_0, or as `pat:BibliographicData` where no claims were disclosed."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ipx.st96.elements import VERSION, Content, NotExpressibleError, element
from ipx.st96.parties import application_number, parties, texts
from ipx.st96.reading import Fields

MOST_WITHHELD = 1000


def patent(record: Fields, number: str | None, language: str | None) -> Element | None:
    """Write a patent.

    Raises:
        NotExpressibleError: office, number, title or all parties are missing, which the standard demands.
    """
    office = record.text("office")
    claims = _claims(record, language)
    data = element("pat:BibliographicData", _data(record, office, number, language), st96Version=VERSION)
    if claims is None:
        return data
    return element(
        "pat:PatentPublication",
        element("com:IPOfficeCode", office),
        data,
        claims,
        (_abstract(entry) for entry in record.entries("abstract")),
        languageCode=language or "en",
        st96Version=VERSION,
    )


def _data(record: Fields, office: str | None, number: str | None, language: str | None) -> Iterator[Content]:
    written = application_number(None, record.text("application_number") or number)
    titles = texts(record, "title", "pat:InventionTitle")
    people = element("pat:PartyBag", _inventors(record), _owners(record), _practitioners(record))
    if office is None or written is None or not any(title is not None for title in titles) or people is None:
        raise NotExpressibleError("a patent needs office, application number, title and a party by name")
    yield _publication(record, office)
    yield element(
        "pat:ApplicationIdentification",
        element("com:IPOfficeCode", office),
        written,
        element("pat:FilingDate", record.text("filing_date")),
    )
    yield _grant(record, office)
    yield element("pat:PriorityClaimBag", _priorities(record))
    yield element("pat:PatentClassificationBag", element("pat:IPCRClassificationBag", map(_ipc, record.texts("ipc"))))
    yield element("pat:InventionTitleBag", titles)
    yield element("pat:ClaimTotalQuantity", record.text("claims_count"))
    yield people
    yield _international(record)
    yield element("com:PublicationLanguageCode", language)


def _publication(record: Fields, office: str) -> Content:
    if not record.has("publication_number"):
        return None
    return element(
        "pat:PatentPublicationIdentification",
        element("com:IPOfficeCode", office),
        element("pat:PublicationNumber", record.text("publication_number")),
        element("com:PatentDocumentKindCode", record.text("kind_code")),
        element("com:PublicationDate", record.text("publication_date")),
    )


def _grant(record: Fields, office: str) -> Content:
    if not record.has("grant_number"):
        return None
    return element(
        "pat:PatentGrantIdentification",
        element("com:IPOfficeCode", office),
        element("pat:PatentNumber", record.text("grant_number")),
        element("pat:GrantDate", record.text("grant_date")),
    )


def _priorities(record: Fields) -> Iterator[Content]:
    for position, entry in enumerate(record.entries("priority"), start=1):
        if entry.has("office") and entry.has("date"):
            yield element(
                "pat:PriorityClaim",
                element("com:IPOfficeCode", entry.text("office")),
                application_number(None, entry.text("number")),
                element("pat:FilingDate", entry.text("date")),
                sequenceNumber=str(position),
            )


def _international(record: Fields) -> Content:
    number = record.text("pct_number")
    identification = element(
        "pat:ApplicationIdentification",
        element("com:IPOfficeCode", "IB" if number else None),
        application_number(None, number),
    )
    return element("pat:InternationalFilingData", identification)


def _ipc(symbol: str) -> Content:
    """The symbol as one text: its parts would need a version, which records do not keep."""
    return element("pat:IPCRClassification", element("pat:PatentClassificationText", symbol))


def _inventors(record: Fields) -> Content:
    return element(
        "pat:InventorBag",
        (
            element("pat:Inventor", party.identifier, party.contact, sequenceNumber=party.number)
            for party in parties(record, "inventors", None, "inventor", kind="individual", country=False)
            if party.contact is not None
        ),
        [_WITHHELD] * int(record.one_of("inventors_withheld", range(1, MOST_WITHHELD)) or 0),
    )


_WITHHELD = element(
    "pat:Inventor",
    element("com:Contact", element("com:ContactText", "withheld")),
    element("com:ConfidentialIndicator", "true"),
)
"""An inventor who asked not to be named: counted, as the standard does it."""


def _owners(record: Fields) -> Content:
    return element(
        "pat:OwnerBag",
        (
            element("pat:Owner", party.identifier, party.contact, sequenceNumber=party.number)
            for party in parties(record, "owners", "owner_contacts", "owner", country=False)
            if party.contact is not None
        ),
    )


def _practitioners(record: Fields) -> Content:
    found = parties(record, "representatives", None, "representative", identifier=False, country=False)
    return element(
        "pat:RegisteredPractitionerBag",
        (
            element(
                "pat:RegisteredPractitioner",
                element("pat:RegisteredPractitionerCategory", "Agent"),
                party.contact,
                sequenceNumber=str(position),
            )
            for position, party in enumerate(found, start=1)
            if party.contact is not None
        ),
    )


def _claims(record: Fields, language: str | None) -> Content:
    return element("pat:Claims", map(_claim, record.entries("claims")), languageCode=language)


def _claim(entry: Fields) -> Content:
    return element(
        "pat:Claim",
        element("pat:ClaimNumber", entry.text("n")),
        element("pat:ClaimText", entry.text("text")),
    )


def _abstract(entry: Fields) -> Content:
    return element("pat:Abstract", element("com:P", entry.text("text")), languageCode=entry.text("lang"))
