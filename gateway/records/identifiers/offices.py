"""Offices, and numbers that name their office: ST.3, ST.13, and the international numbers of WIPO."""

import re

from gateway.records.codes import code_table
from gateway.records.identifiers.anchored import fit, require

_ST3 = re.compile(r"[A-Z]{2}")
_ST13 = re.compile(r"([A-Z]{2})(\d{2})(\d{4})(\d{9})", re.ASCII)
_PCT = re.compile(r"PCT/([A-Z]{2})(\d{4})/(\d{5,6})", re.ASCII)
_HAGUE = re.compile(r"DM/\d{6}", re.ASCII)
_MADRID = re.compile(r"0*([1-9]\d{0,6}[A-Z]?)", re.ASCII)
_MADRID_LENGTH = 8


def st3(text: str) -> str:
    """An office by two letters (WIPO ST.3): one of the 233 codes of ST.96, not any two letters."""
    fit(_ST3, text, "an office code is two capital letters")
    require(text in code_table("st3").words, "two letters that WIPO ST.3 gives to no office")
    return text


def st13(text: str) -> str:
    """An application number in the worldwide form of WIPO ST.13: office, type, year, nine digits.

    The year may be 0000. The type is not interpreted: offices give the same digits to different rights.
    """
    office = fit(_ST13, text, "ST.13 is two letters and fifteen digits").group(1)
    require(office in code_table("st3").words, "ST.13 begins with an office code of ST.3")
    return text


def pct(text: str) -> str:
    """An international patent application, `PCT/US2020/012345`; five digits were used until 2003."""
    office, year, serial = fit(_PCT, text, "PCT/, office and year, /, five or six digits").groups()
    require(office in code_table("st3").words, "a PCT number names its receiving office by ST.3")
    return f"PCT/{office}{year}/{serial:0>6}"


def hague(text: str) -> str:
    """An international design registration, `DM/012345`."""
    return fit(_HAGUE, text, "DM/ and six digits").group()


def madrid(text: str) -> str:
    """An international mark registration: up to seven digits and a letter for a part that was transferred."""
    require(len(text) <= _MADRID_LENGTH, "up to seven digits and a letter")
    return fit(_MADRID, text, "up to seven digits and a letter").group(1)
