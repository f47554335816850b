"""Numbers of organisations that python-stdnum gets wrong or does not know: China's USCC, LEI, EORI.

stdnum 2.2 refuses valid USCCs that begin with A, N or Y and does not look at the first two characters; its LEI has no
length. The rules here decide; where stdnum is right it is asked last, as a second opinion.
"""

import re

from gateway.records.codes import code_table
from gateway.records.identifiers.anchored import fit, require, require_check_digit

_USCC = re.compile(r"([1-9ANY])([0-9A-HJ-NP-RTUWXY])(\d{6})([0-9A-HJ-NP-RTUWXY]{9})([0-9A-HJ-NP-RTUWXY])", re.ASCII)
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_MODULUS = 31
_USCC_BODIES = {
    "1": "1239",  # institutions of state and party
    "2": "19",  # foreign affairs
    "3": "123459",  # law firms, notaries, legal services, appraisers, arbitration
    "4": "19",  # culture
    "5": "12349",  # associations, private non-profit units, foundations
    "6": "129",  # offices of foreign tourism
    "7": "129",  # religion
    "8": "19",  # trade unions
    "9": "1239",  # enterprises, individual businesses, farmers' cooperatives
    "A": "19",  # the army
    "N": "1239",  # rural collectives
    "Y": "1",  # others
}
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_ORGANISATION_MODULUS = 11
_LEI = re.compile(r"[A-Z0-9]{18}\d{2}", re.ASCII)
_EORI = re.compile(r"([A-Z]{2})[A-Z0-9]{1,15}", re.ASCII)


def cn_uscc(text: str) -> str:
    """A Unified Social Credit Code (GB 32100): body, kind of body, region, organisation code, check character.

    Weights 3^i mod 31, -sum mod 31; the organisation code inside (GB 11714) has a check digit of its own.
    """
    body, kind, region, organisation, check = fit(_USCC, text, "18 characters: body, kind, region, code").groups()
    require(kind in _USCC_BODIES[body], "the first two characters name no kind of body")
    require(region == "100000" or region[:2] in _CN_PROVINCES, "characters 3 to 8 name no region of China")
    total = sum(
        _USCC_ALPHABET.index(character) * pow(3, position, _USCC_MODULUS)
        for position, character in enumerate(text[:-1])
    )
    require_check_digit(check, _USCC_ALPHABET[-total % _USCC_MODULUS], "GB 32100")
    require_check_digit(organisation[-1], organisation_check(organisation[:-1]), "GB 11714")
    return text


def organisation_check(code: str) -> str:
    """The check digit of eight characters of an organisation code (GB 11714); 10 is X, 11 is 0."""
    total = sum(int(character, 36) * weight for character, weight in zip(code, _ORGANISATION_WEIGHTS, strict=True))
    return "0X987654321"[total % _ORGANISATION_MODULUS]


def lei(text: str) -> str:
    """A Legal Entity Identifier (ISO 17442): 18 characters and two check digits, modulo 97-10 of ISO 7064."""
    fit(_LEI, text, "18 letters or digits and two check digits")
    remainder = int("".join(str(int(character, 36)) for character in text[:-2]) + "00") % 97
    require_check_digit(text[-2:], f"{98 - remainder:02}", "ISO 17442")
    return text


def eori(text: str) -> str:
    """An Economic Operators Registration and Identification number: country, then up to fifteen characters.

    XI is Northern Ireland. What follows the country is that country's own matter.
    """
    country = fit(_EORI, text, "country and up to fifteen letters or digits").group(1)
    require(country == "XI" or country in code_table("iso3166-alpha2").words, "an EORI begins with a country")
    return text


_CN_PROVINCES = frozenset(
    str(code)
    for zone in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 66), (71, 71), (81, 82))
    for code in range(zone[0], zone[1] + 1)
)
"""The first two digits of GB/T 2260; 66 is the Xinjiang production corps."""
