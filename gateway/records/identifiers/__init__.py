"""Identifiers of offices, courts, customs and company registers: text → canonical form or a reason.

One function a kind; it fits the whole text. A canonical form is its own canonical form, and two printed forms of one
number have the same.
"""

from collections.abc import Callable, Mapping

from gateway.records.identifiers import (
    classifications,
    courts,
    european_union,
    national,
    offices,
    parties,
    united_states,
)
from gateway.records.identifiers.registered_numbers import REGISTERED_NUMBERS
from gateway.records.reasons import IdentifierError

__all__ = ["RULES", "IdentifierError", "canonical"]

RULES: Mapping[str, Callable[[str], str]] = {
    "st3": offices.st3,
    "st13": offices.st13,
    "WO.pct": offices.pct,
    "WO.hague": offices.hague,
    "WO.madrid": offices.madrid,
    "CN.application": national.cn_application,
    "DE.file": national.de_file,
    "DE.docdb": national.de_docdb,
    "JP.application": national.jp_application,
    "KR.application": national.kr_application,
    "EM.trademark": european_union.trademark,
    "EM.design": european_union.design,
    "EM.opposition": european_union.opposition,
    "EM.appeal": european_union.appeal,
    "EU.gi": european_union.geographical_indication,
    "US.mark_serial": united_states.mark_serial,
    "US.mark_registration": united_states.mark_registration,
    "US.application": united_states.application,
    "US.patent": united_states.patent,
    "US.docket": courts.us_docket,
    "US.trial": courts.us_trial,
    "CN.case": courts.cn_case,
    "ecli": courts.ecli,
    "nice": classifications.nice,
    "vienna": classifications.vienna,
    "locarno": classifications.locarno,
    "ipc": classifications.patent_symbol,
    "cpc": classifications.patent_symbol,
    "hs": classifications.hs,
    "upov": classifications.upov,
    "st27_event": classifications.st27_event,
    "CN.uscc": parties.cn_uscc,
    "lei": parties.lei,
    "eori": parties.eori,
    **REGISTERED_NUMBERS,
}
"""Kind → rule. A kind of one office or country begins with its code and a point."""

LONGEST = 200
"""Characters; no identifier is longer, and no rule is run on more."""


def canonical(kind: str, text: str) -> str:
    """Give the one form in which an identifier of a kind is stored and compared.

    Raises:
        IdentifierError: `bad_identifier` or `bad_check_digit`.
        LookupError: no rule of that kind.
    """
    rule = RULES[kind]
    if len(text) > LONGEST:
        raise IdentifierError("bad_identifier", f"longer than {LONGEST} characters")
    return rule(text)
