"""A trade mark as `tmk:TrademarkApplication` of ST.96 V6_0."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ipx.st96.elements import VERSION, Content, element
from ipx.st96.parties import IMAGE_FORMATS, PRIORITY_STATUS, application_number, parties, representatives, texts
from ipx.st96.reading import Fields

CATEGORY = {
    "individual": ("Individual mark",),
    "trademark": ("Trademark",),
    "service_mark": ("Service mark",),
    "trademark_and_service_mark": ("Trademark", "Service mark"),
    "collective": ("Collective mark",),
    "collective_membership": ("Collective membership mark",),
    "certification": ("Certification mark",),
}
FEATURE = {
    "word": "Word",
    "stylised": "Stylized characters",
    "figurative": "Figurative",
    "combined": "Combined",
    "shape": "Three dimensional",
    "colour": "Colour",
    "sound": "Sound",
    "hologram": "Hologram",
    "olfactory": "Olfactory",
    "motion": "Motion",
    "multimedia": "Multimedia",
    "position": "Position",
    "other": "Other",
}
STATUS = {
    "received": "Application Filed",
    "under_examination": "Classification checked",
    "accepted": "Application accepted",
    "published": "Application published",
    "opposed": "Opposition pending",
    "suspended": "Interruption of proceeding",
    "appealed": "Appeal pending",
    "registered": "Registration published",
    "cancellation_pending": "Revocation proceeding pending",
    "refused": "Application refused",
    "withdrawn": "Application withdrawn",
    "cancelled": "Registration cancelled",
    "surrendered": "Registration surrendered",
}
ASSOCIATION = frozenset(
    {
        *("Transformed to", "Transformed from", "Partial transfer to", "Partial transfer from", "Replaced by"),
        *("Replaces", "Claimed prior registration", "International application or registration", "Divisional parent"),
        *("Divisional child", "Related international registration", "Trademark related to legal proceeding"),
        *("Consolidated parent", "Consolidated child", "Associated opposition"),
    }
)
EVENT = "National prosecution history entry"
"""The standard's word for an entry of an office's own history, which is what events are."""


def trademark(record: Fields, number: str | None, language: str | None) -> Element | None:
    """Write a mark; the office's number stands for an application number that was not disclosed."""
    office = record.text("office")
    mark = element(
        "tmk:Trademark",
        element("com:RegistrationOfficeCode", office),
        application_number(office, record.text("application_number") or number),
        element("com:ApplicationNumber", element("com:ST13ApplicationNumber", record.text("st13"))),
        element("com:RegistrationNumber", record.text("registration_number")),
        element("com:ApplicationDate", record.text("application_date")),
        element("com:RegistrationDate", record.text("registration_date")),
        element("com:ApplicationLanguageCode", language),
        element("com:ExpiryDate", record.text("expiry_date")),
        element("tmk:TerminationDate", record.text("termination_date")),
        element("tmk:MarkCurrentStatusCode", record.word("mark_status", STATUS)),
        element("tmk:MarkCurrentStatusDate", record.text("status_date")),
        element("tmk:AssociatedMarkBag", map(_associated, record.entries("associated_marks"))),
        element(
            "tmk:InternationalMarkIdentifierBag",
            element("tmk:InternationalMarkIdentifier", record.text("madrid_number")),
        ),
        _categories(record),
        _representation(record),
        element("tmk:MarkDisclaimerBag", texts(record, "disclaimer", "tmk:MarkDisclaimerText")),
        element("tmk:OppositionPeriodStartDate", record.text("opposition_from")),
        element("tmk:OppositionPeriodEndDate", record.text("opposition_until")),
        element("tmk:GoodsServicesBag", map(_goods, record.entries("goods_services"))),
        element("tmk:PriorityBag", map(_priority, record.entries("priority"))),
        element("tmk:SeniorityBag", map(_seniority, record.entries("seniority"))),
        element("tmk:PublicationBag", map(_publication, record.entries("publications"))),
        element("tmk:ApplicantBag", _applicants(record, office)),
        representatives(record),
        element("tmk:MarkEventBag", map(_event, record.entries("events"))),
    )
    return element("tmk:TrademarkApplication", element("tmk:TrademarkBag", mark), st96Version=VERSION)


def _categories(record: Fields) -> list[Content]:
    category = record.word("mark_category", {word: word for word in CATEGORY})
    return [element("tmk:MarkCategory", said) for said in CATEGORY[category]] if category else []


def _representation(record: Fields) -> Content:
    reproduction = element("tmk:MarkReproduction", _words(record), element("tmk:MarkImageBag", _images(record)))
    if reproduction is None:  # the standard takes no feature without a reproduction
        return None
    feature = element("tmk:MarkFeatureCategory", record.word("mark_feature", FEATURE))
    return element("tmk:MarkRepresentation", feature, reproduction)


def _words(record: Fields) -> Content:
    if not record.has("verbal_element"):
        return None
    verbal = record.text("verbal_element")
    return element(
        "tmk:WordMarkSpecification",
        element("tmk:MarkVerbalElementText", verbal),
        element("tmk:MarkSignificantVerbalElementText", verbal),
        texts(record, "translation", "tmk:MarkTranslationText"),
        element("tmk:MarkTransliteration", record.text("transliteration")),
    )


def _images(record: Fields) -> Iterator[Content]:
    """Images, with classes and colours in the first: the standard says both of an image only."""
    shown = [image for image in record.entries("images") if image.has("reference")]
    if not shown:
        return
    colours = element("tmk:MarkImageColourClaimedText", record.text("colours"))
    codes = element("com:ViennaClassificationBag", map(_vienna, record.texts("vienna_codes")))
    classes = element("tmk:MarkImageClassification", element("com:FigurativeElementClassificationBag", codes))
    for image in shown:
        yield element(
            "tmk:MarkImage",
            element("com:FileName", image.text("reference")),
            element("com:ImageFormatCategory", image.word("media_type", IMAGE_FORMATS)),
            colours,
            classes,
            sequenceNumber=image.text("n"),
        )
        colours = classes = None


def _vienna(code: str) -> Content:
    category, division, section = code.split(".")
    return element(
        "com:ViennaClassification",
        element("com:ViennaCategory", category),
        element("com:ViennaDivision", division),
        element("com:ViennaSection", section),
    )


def _goods(entry: Fields) -> Content:
    number = entry.text("class_number")
    described = texts(entry, "texts", "tmk:GoodsServicesDescriptionText")
    return element(
        "tmk:GoodsServices",
        element(
            "tmk:GoodsServicesClassificationBag",
            element(
                "tmk:GoodsServicesClassification",
                element("tmk:ClassificationKindCode", "Nice"),
                element("tmk:ClassNumber", number),
            ),
        ),
        element(
            "tmk:ClassDescriptionBag",
            element("tmk:ClassDescription", element("tmk:ClassNumber", number), described),
        )
        if described
        else None,
    )


def _priority(entry: Fields) -> Content:
    if not (entry.has("office") and entry.has("date")):
        return None
    return element(
        "tmk:Priority",
        element("com:PriorityCountryCode", entry.text("office")),
        application_number(None, entry.text("number")),
        element("com:PriorityApplicationFilingDate", entry.text("date")),
        element("com:PriorityStatusCategory", entry.one_of("status", PRIORITY_STATUS)),
        element("tmk:PriorityPartialIndicator", entry.text("partial")),
    )


def _seniority(entry: Fields) -> Content:
    if not entry.has("office"):
        return None
    return element(
        "tmk:Seniority",
        element("tmk:SeniorityCountryCode", entry.text("office")),
        element("tmk:SeniorityFilingDate", entry.text("date")),
        element("tmk:SeniorityRegistrationNumber", entry.text("number")),
        element("tmk:SeniorityPartialIndicator", entry.text("partial")),
        element("tmk:SeniorityStatusCategory", entry.one_of("status", PRIORITY_STATUS - {"Undefined"})),
    )


def _associated(entry: Fields) -> Content:
    relation = entry.one_of("relation", ASSOCIATION)
    if relation is None or not entry.has("number"):
        entry.give_back()
        return None
    office = entry.text("office")
    kind = "International" if office == "WO" else "National"
    return element(
        "tmk:AssociatedMark",
        element("tmk:AssociationCategory", relation),
        element(
            f"tmk:{kind}ApplicationNumber",
            element("com:IPOfficeCode", office),
            element("com:ApplicationNumberText", entry.text("number")),
        ),
    )


def _publication(entry: Fields) -> Content:
    if not entry.has("identifier"):
        return None
    return element(
        "tmk:Publication",
        element("com:PublicationIdentifier", entry.text("identifier")),
        element("com:PublicationSubsection", entry.text("section")),
        element("com:PublicationDate", entry.text("date")),
        element("com:PublicationPage", entry.text("page")),
    )


def _applicants(record: Fields, office: str | None) -> Iterator[Content]:
    for party in parties(record, "owners", "owner_contacts", "owner"):
        if party.identifier is None and party.contact is None:
            party.fields.give_back()
            continue
        yield element(
            "tmk:Applicant",
            party.identifier,
            party.contact,
            element("com:IncorporationCountryCode", party.country),
            # In US documents the number tells the stage at which somebody became the owner.
            sequenceNumber=None if office == "US" else party.number,
        )


def _event(entry: Fields) -> Content:
    if not entry.has("text"):
        return None
    return element(
        "tmk:MarkEvent",
        element("tmk:MarkEventCategory", EVENT),
        element(
            "tmk:NationalMarkEvent",
            element("tmk:MarkEventCode", entry.text("code")),
            element("tmk:MarkEventDescriptionText", entry.text("text")),
        ),
        element("tmk:MarkEventDate", entry.text("date")),
    )
