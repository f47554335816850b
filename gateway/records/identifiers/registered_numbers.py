"""Numbers whose rules python-stdnum has right: it decides, its verdict becomes one of our reasons."""

from collections.abc import Callable
from typing import Protocol

from stdnum import ean, iban, imo, isbn, isin, isni, iso6346, isrc, issn
from stdnum.au import abn
from stdnum.br import cnpj
from stdnum.ch import uid
from stdnum.cn import ric
from stdnum.de import handelsregisternummer
from stdnum.eu import vat
from stdnum.exceptions import InvalidChecksum, ValidationError
from stdnum.fr import siren, siret
from stdnum.in_ import gstin
from stdnum.jp import cn as corporate_number
from stdnum.kr import brn
from stdnum.ru import inn, ogrn
from stdnum.sg import uen
from stdnum.tw import ubn
from stdnum.vn import mst

from gateway.records.reasons import IdentifierError


class _Standard(Protocol):
    def validate(self, number: str) -> str: ...


def _rule(standard: _Standard, name: str) -> Callable[[str], str]:
    def canonical(text: str) -> str:
        try:
            return standard.validate(text)
        except InvalidChecksum as error:
            raise IdentifierError("bad_check_digit", f"the check digit of the {name} is wrong") from error
        except ValidationError as error:
            raise IdentifierError("bad_identifier", f"not a {name}") from error

    canonical.__doc__ = f"{name}, in the form python-stdnum gives it."
    return canonical


REGISTERED_NUMBERS: dict[str, Callable[[str], str]] = {
    "AU.abn": _rule(abn, "Australian business number"),
    "BR.cnpj": _rule(cnpj, "Brazilian company number, with letters since 2026"),
    "CH.uid": _rule(uid, "Swiss enterprise number"),
    "CN.id_card": _rule(ric, "Chinese identity card number"),
    "DE.hrb": _rule(handelsregisternummer, "German commercial register number"),
    "EU.vat": _rule(vat, "VAT number of a member state"),
    "FR.siren": _rule(siren, "French company number"),
    "FR.siret": _rule(siret, "French establishment number"),
    "IN.gstin": _rule(gstin, "Indian goods and services tax number"),
    "JP.corporate": _rule(corporate_number, "Japanese corporate number"),
    "KR.brn": _rule(brn, "Korean business registration number"),
    "RU.inn": _rule(inn, "Russian taxpayer number"),
    "RU.ogrn": _rule(ogrn, "Russian state registration number"),
    "SG.uen": _rule(uen, "Singapore unique entity number"),
    "TW.ubn": _rule(ubn, "unified business number of Taiwan"),
    "VN.mst": _rule(mst, "Vietnamese tax number"),
    "container": _rule(iso6346, "container number (ISO 6346)"),
    "ean": _rule(ean, "article number (EAN, GTIN)"),
    "iban": _rule(iban, "bank account number (IBAN)"),
    "imo": _rule(imo, "ship number (IMO)"),
    "isbn": _rule(isbn, "book number (ISBN)"),
    "isin": _rule(isin, "security number (ISIN)"),
    "isni": _rule(isni, "name identifier (ISNI)"),
    "isrc": _rule(isrc, "recording code (ISRC)"),
    "issn": _rule(issn, "serial number (ISSN)"),
}
