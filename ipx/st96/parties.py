"""Names, addresses and texts as the common part of ST.96 writes them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ipx.st96.elements import Content, element
from ipx.st96.reading import Fields

IMAGE_FORMATS = {
    "image/jpeg": "JPEG",
    "image/tiff": "TIFF",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/svg+xml": "SVG",
}

PRIORITY_STATUS = frozenset({"Claimed", "Abandoned", "Accepted", "Partially refused", "Refused", "Undefined"})


def texts(record: Fields, field: str, name: str) -> list[Content]:
    """Texts with their languages, each an element of that name."""
    return [element(name, entry.text("text"), languageCode=entry.text("lang")) for entry in record.entries(field)]


@dataclass(frozen=True, slots=True)
class Party:
    """A party with the contact that stands under the same number."""

    fields: Fields
    number: str | None
    identifier: Content
    contact: Content
    country: str | None


def parties(
    record: Fields,
    field: str,
    contacts: str | None,
    role: str,
    *,
    kind: str | None = None,
    identifier: bool = True,
    country: bool = True,
    number: bool = True,
) -> Iterator[Party]:
    """The parties of a list, with the contacts of another list joined by `party_no`.

    A contact without a party, and one whose party has no name, cannot be written and stays in what is left out.

    Args:
        record: of which they are parties.
        field: the list.
        contacts: the other list.
        role: that the place in the document says by itself.
        kind: the same.
        identifier: whether the place has room for an identifier; else it is left out.
        country: whether it has room for a country.
        number: whether it has room for a number.
    """
    numbered = {entry.text("party_no"): entry for entry in record.entries(contacts)} if contacts else {}
    for party in record.entries(field):
        party.one_of("role", {role})
        party.one_of("kind", {kind})
        own = party.text("party_no") if number else None
        reach = numbered.pop(own, None)
        name = _name(party)
        if reach is not None and name is None:
            reach.give_back()
        yield Party(
            fields=party,
            number=own,
            identifier=element("com:PartyIdentifier", party.text("party_id") if identifier else None),
            contact=element("com:Contact", name, _reach(reach) if reach is not None and name is not None else None),
            country=party.text("country") if country else None,
        )
    for lonely in numbered.values():
        lonely.give_back()


def _name(party: Fields) -> Content:
    name, latin = party.text("name"), party.text("name_latin") if party.has("name") else None
    if latin is None:
        return element("com:Name", element("com:EntityName", name))
    organisation = element(
        "com:OrganizationName",
        element("com:OrganizationStandardName", name),
        element("com:TransliterationName", latin),
    )
    return element("com:Name", organisation)


def _reach(contact: Fields) -> Iterable[Content]:
    address, country = contact.text("address"), contact.text("country")
    structured = country is not None and address is not None
    return (
        element(
            "com:PostalAddressBag",
            element(
                "com:PostalAddress",
                element(
                    "com:PostalStructuredAddress",
                    element("com:AddressLineText", address, sequenceNumber="1"),
                    element("com:CountryCode", country),
                )
                if structured
                else element("com:PostalAddressText", address),
            ),
        ),
        element("com:EmailAddressBag", element("com:EmailAddressText", contact.text("email"))),
        element("com:PhoneNumberBag", element("com:PhoneNumber", contact.text("phone"))),
    )


def representatives(record: Fields) -> Content:
    """The common bag of representatives."""
    return element(
        "com:RepresentativeBag",
        (
            element(
                "com:Representative",
                party.identifier,
                party.contact,
                element("com:IncorporationCountryCode", party.country),
                sequenceNumber=party.number,
            )
            for party in parties(record, "representatives", None, "representative")
        ),
    )


def application_number(office: str | None, number: str | None) -> Content:
    written = element("com:ApplicationNumberText", number)
    return element("com:ApplicationNumber", element("com:IPOfficeCode", office), written) if number else None
