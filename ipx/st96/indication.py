"""A geographical indication as `gin:GIApplication` of ST.96 V6_0, or as `gin:GIData` where no applicant is known."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ipx.st96.elements import VERSION, Content, NotExpressibleError, element
from ipx.st96.parties import application_number, parties, representatives, texts
from ipx.st96.reading import Fields

CATEGORY = {
    "gi": "Geographical Indication",
    "pgi": "Protected Geographical Indication",
    "pdo": "Protected Designation of Origin",
    "appellation_of_origin": "Appellation of Origin",
}
STATUS = {"applied": "Filing", "published": "Published", "registered": "Registered", "cancelled": "Ended"}


def indication(record: Fields, number: str | None, language: str | None) -> Element | None:
    """Write an indication.

    Raises:
        NotExpressibleError: something is missing which the standard demands of every indication.
    """
    data = _data(record, number, language)
    applicants = element("gin:ApplicantBag", _applicants(record))
    if applicants is None:
        return data
    return element("gin:GIApplication", data, applicants, representatives(record), st96Version=VERSION)


def _data(record: Fields, number: str | None, language: str | None) -> Element | None:
    office, category = record.text("office"), record.word("gi_type", CATEGORY)
    names = texts(record, "name", "gin:GINameText")
    products = [_product(entry) for entry in record.entries("product")]
    features = texts(record, "features", "gin:FeatureDescriptionText")
    regions = texts(record, "region", "gin:GeographicRegionDescriptionText")
    if office is None or category is None or not (names and features and regions):
        raise NotExpressibleError("an indication needs office, type, name, features and region")
    return element(
        "gin:GIData",
        _numbers(record, number),
        element("gin:GINameBag", names, texts(record, "translations", "gin:GINameTranslationText")),
        element("gin:ProductIndicationBag", products or [_goods()]),
        element("gin:FeatureDescriptionBag", (element("gin:FeatureDescription", said) for said in features)),
        element(
            "gin:GeographicRegionDescriptionBag",
            (element("gin:GeographicRegionDescription", said) for said in regions),
        ),
        element("gin:GICategory", category),
        _users(record),
        element("gin:GIStatusCategory", record.word("gi_status", STATUS)),
        officeCode=office,
        languageCode=language or "en",
    )


def _numbers(record: Fields, number: str | None) -> Iterator[Content]:
    """The file's number is that of the application where a day of application is known, else of the registration."""
    own = record.text("file_number") or number
    if record.has("application_date"):
        yield application_number(None, own)
        yield element("com:ApplicationDate", record.text("application_date"))
    yield element("com:RegistrationNumber", own)
    yield element("com:RegistrationDate", record.text("registration_date"))


def _product(entry: Fields) -> Content:
    described = element("tmk:GoodsServicesDescriptionText", entry.text("text"), languageCode=entry.text("lang"))
    return _goods(element("tmk:ClassDescriptionBag", element("tmk:ClassDescription", described)))


def _goods(described: Content = None) -> Content:
    """A product outside any classification; the standard demands one product, described or not."""
    classification = element("tmk:GoodsServicesClassification", element("tmk:ClassificationKindCode", "Other"))
    return element("tmk:GoodsServices", element("tmk:GoodsServicesClassificationBag", classification), described)


def _users(record: Fields) -> Iterator[Content]:
    for party in parties(record, "authorised_users", None, "user", identifier=False, country=False, number=False):
        yield element("gin:AuthorizedUser", party.contact)


def _applicants(record: Fields) -> Iterator[Content]:
    for party in parties(record, "owners", None, "applicant", country=False):
        if party.contact is None:
            party.fields.give_back()
            continue
        yield element("gin:Applicant", party.identifier, party.contact, sequenceNumber=party.number)
