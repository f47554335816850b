"""Numbers of the United States Patent and Trademark Office."""

import re

from gateway.records.identifiers.anchored import fit, require

_MARK_SERIAL = re.compile(r"(?:60|69|[789]\d)\d{6}", re.ASCII)
_MARK_REGISTRATION = re.compile(r"\d{1,7}", re.ASCII)
_APPLICATION = re.compile(r"(\d{2})/?(\d{3}),?(\d{3})", re.ASCII)
_PATENT = re.compile(r"(RE|PP|D|AI|X|H|T)?(\d{1,8})", re.ASCII)


def mark_serial(text: str) -> str:
    """The serial number of a mark application: eight digits of a series in use for marks."""
    return fit(_MARK_SERIAL, text, "eight digits beginning with 60, 69, 7, 8 or 9").group()


def mark_registration(text: str) -> str:
    """The number of a registered mark: up to seven digits, without leading zeros."""
    number = fit(_MARK_REGISTRATION, text, "one to seven digits").group().lstrip("0")
    require(number != "", "a registration number is not zero")
    return number


def application(text: str) -> str:
    """A patent application, printed `16/123,456`: series and serial number, stored as eight digits."""
    return "".join(fit(_APPLICATION, text, "two digits of the series and six digits").groups())


def patent(text: str) -> str:
    """A granted patent; the letters in front tell reissue, plant, design and other kinds apart."""
    kind, digits = fit(_PATENT, text, "up to eight digits, for some kinds letters in front").groups(default="")
    number = digits.lstrip("0")
    require(number != "", "a patent number is not zero")
    return kind + number
