"""A design as `dgn:DesignApplication` of ST.96 V6_0."""

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from ipx.st96.elements import VERSION, Content, NotExpressibleError, element, unknown
from ipx.st96.parties import IMAGE_FORMATS, PRIORITY_STATUS, application_number, parties, representatives, texts
from ipx.st96.reading import Fields

STATUS = {
    "received": "Filed",
    "withdrawn": "Withdrawn",
    "refused": "Rejected",
    "registered": "Registered",
    "lapsed": "Cancelled",
    "expired": "Expired",
    "unknown": "Undefined",
}


def design(record: Fields, number: str | None, language: str | None) -> Element | None:
    """Write a design.

    Raises:
        NotExpressibleError: office, owners or Locarno class are missing, which the standard demands.
    """
    office = record.text("office")
    owners = [*_applicants(record)]
    symbols = [*_locarno(record)]
    classes = element("com:LocarnoClassificationBag", unknown("com:LocarnoClassificationEdition"), symbols)
    if office is None or not owners or not symbols:
        raise NotExpressibleError("a design needs office, an owner by name or identifier, and a Locarno class")
    return element(
        "dgn:DesignApplication",
        element("com:RegistrationOfficeCode", office),
        application_number(None, record.text("application_number")),
        element("dgn:DesignApplicationLanguageCode", language),
        element("dgn:DesignBag", element("dgn:Design", _design(record, number, classes, owners))),
        element("dgn:ApplicantBag", owners),
        element("com:ApplicationDate", record.text("application_date")),
        st96Version=VERSION,
    )


def _design(record: Fields, number: str | None, classes: Content, owners: Sequence[Content]) -> Iterator[Content]:
    yield element("dgn:DesignIdentifier", record.text("design_number") or number)
    yield element("com:RegistrationNumber", record.text("registration_number"))
    yield element("com:RegistrationDate", record.text("registration_date"))
    for entry in record.entries("title")[:1]:
        yield element("dgn:DesignTitleText", entry.text("text"), languageCode=entry.text("lang"))
    yield from texts(record, "description", "dgn:DesignDescriptionText")
    yield element("com:ExpiryDate", record.text("expiry_date"))
    yield element("dgn:DesignCurrentStatusCategory", record.word("design_status", STATUS))
    sheets = element("dgn:DesignRepresentationSheetBag", map(_sheet, record.entries("representations")))
    yield element("dgn:DesignRepresentationBag", element("dgn:DesignRepresentation", sheets))
    yield element("com:DesignClassificationBag", classes)
    yield element("dgn:PriorityBag", map(_priority, record.entries("priority")))
    yield element("com:ExhibitionPriorityBag", map(_exhibition, record.entries("exhibition")))
    yield element("dgn:PublicationBag", map(_publication, record.entries("publications")))
    yield element("dgn:ApplicantBag", owners)
    yield representatives(record)
    yield element("dgn:DesignerBag", _designers(record))


def _locarno(record: Fields) -> Iterator[Content]:
    """Each class; the products stand in the first, in each language under the same subclass."""
    products = texts(record, "product_indication", "com:LocarnoSubclassProductIndicationText")
    for symbol in record.texts("locarno"):
        main, _, below = symbol.partition("-")
        yield element(
            "com:LocarnoClassification",
            element("com:LocarnoClass", main),
            [
                element("com:LocarnoSubclassBag", element("com:LocarnoSubclass", below), product)
                for product in products or [None]
            ],
        )
        products = []


def _sheet(entry: Fields) -> Content:
    if not entry.has("reference"):
        return None
    return element(
        "dgn:DesignRepresentationSheet",
        element("com:FileName", entry.text("reference")),
        element("com:ImageFormatCategory", entry.word("media_type", IMAGE_FORMATS)),
    )


def _priority(entry: Fields) -> Content:
    if not (entry.has("office") and entry.has("date")):
        return None
    return element(
        "dgn:Priority",
        element("com:PriorityCountryCode", entry.text("office")),
        application_number(None, entry.text("number")),
        element("com:PriorityApplicationFilingDate", entry.text("date")),
        element("com:PriorityStatusCategory", entry.one_of("status", PRIORITY_STATUS)),
    )


def _exhibition(entry: Fields) -> Content:
    if not entry.has("date"):
        return None
    return element(
        "com:ExhibitionPriority",
        element("com:ExhibitionCountryCode", entry.text("country")),
        element("com:ExhibitionName", entry.text("name")),
        element("com:ExhibitionDate", entry.text("date")),
    )


def _publication(entry: Fields) -> Content:
    if not entry.has("identifier"):
        return None
    return element(
        "dgn:Publication",
        element("com:PublicationIdentifier", entry.text("identifier")),
        element("com:PublicationSubsection", entry.text("section")),
        element("com:PublicationDate", entry.text("date")),
        element("com:PublicationPage", entry.text("page")),
    )


def _applicants(record: Fields) -> Iterator[Element]:
    for party in parties(record, "owners", "owner_contacts", "owner"):
        if party.identifier is None and party.contact is None:
            party.fields.give_back()
            continue
        made = element(
            "dgn:Applicant",
            element("com:IncorporationCountryCode", party.country),
            party.identifier,
            party.contact,
            sequenceNumber=party.number,
        )
        if made is not None:
            yield made


def _designers(record: Fields) -> Iterator[Content]:
    for party in parties(record, "designers", None, "designer", kind="individual", country=False):
        if party.contact is not None:
            yield element("dgn:Designer", party.identifier, party.contact, sequenceNumber=party.number)
