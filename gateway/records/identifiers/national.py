"""Application and file numbers of national offices, with their check digits: China, Germany, Japan, Korea."""

import re

from gateway.records.identifiers.anchored import fit, require, require_check_digit
from gateway.records.reasons import IdentifierError

_CN = re.compile(r"(?:CN|ZL)?((?:19|20)\d{2}[12389]\d{7}|\d{2}[12389]\d{5})\.?([\dX])", re.ASCII)
_CN_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_DE = re.compile(r"(M?)(\d{7,12})\.?(\d)", re.ASCII)
_DE_BARE = re.compile(r"(\d{12}|\d{8})", re.ASCII)
_JP = re.compile(r"(\d{4})-?(\d{6})", re.ASCII)
_KR = re.compile(r"([1-4]\d)-?(\d{4})-?(\d{7})", re.ASCII)

MODULUS = 11


def cn_application(text: str) -> str:
    """A Chinese patent application, `202010123456.7`; before October 2003 eight digits and the check digit.

    The kind digit is 1 or 8 (invention), 2 or 9 (utility model), 3 (design). Weights 2 to 9, then 2 to 5, mod 11,
    10 is written X. `CN` and `ZL` in front fall away.
    """
    digits, check = fit(_CN, text, "year, kind 1 2 3 8 9, serial number and check digit").groups()
    remainder = sum(int(digit) * weight for digit, weight in zip(digits, _CN_WEIGHTS, strict=False)) % MODULUS
    require_check_digit(check, "X" if remainder == MODULUS - 1 else str(remainder), "CNIPA's rule")
    return f"{digits}.{check}"


def de_file(text: str) -> str:
    """A German file number with its check digit, `302009019273.1`; older marks carry an M in front.

    Weights 2, 3, 4 … from the right; (11 - sum mod 11) mod 11. What is written where that gives 10 was never seen,
    so such a number is refused.
    """
    letter, digits, check = fit(_DE, text, "seven to twelve digits and a check digit").groups()
    require_check_digit(check, _de_check_digit(digits), "DPMA's rule")
    return f"{letter}{digits}.{check}"


def de_docdb(text: str) -> str:
    """A German file number as EPO's docdb and other offices' registers write it: without its check digit.

    The digit is put back, so that both printed forms are one number. The stored form is taken as `de_file` takes it.
    """
    if "." in text:
        return de_file(text)
    (digits,) = fit(_DE_BARE, text, "eight or twelve digits").groups()
    return f"{digits}.{_de_check_digit(digits)}"


def _de_check_digit(digits: str) -> str:
    total = sum(int(digit) * weight for weight, digit in enumerate(reversed(digits), start=2))
    computed = (MODULUS - total % MODULUS) % MODULUS
    if computed == MODULUS - 1:
        raise IdentifierError("bad_check_digit", "the rule gives 10, for which no written form is known")
    return str(computed)


def jp_application(text: str) -> str:
    """A Japanese application by year and six digits, `2020-123456`."""
    year, serial = fit(_JP, text, "four digits of the year and six digits").groups()
    return f"{year}-{serial}"


def kr_application(text: str) -> str:
    """A Korean application, `10-2020-1234567`: 10 patent, 20 utility model, 30 design, 40 mark."""
    kind, year, serial = fit(_KR, text, "two digits of the kind, year, seven digits").groups()
    require(kind[1] == "0", "the kind is 10, 20, 30 or 40")
    return f"{kind}-{year}-{serial}"
