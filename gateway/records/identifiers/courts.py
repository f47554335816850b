"""Numbers of court cases and judgments: China, the United States, and the European Case Law Identifier."""

# ruff: noqa: RUF001, RUF002  (Chinese courts write full-width brackets)

import re
import unicodedata

from gateway.records.codes import code_table
from gateway.records.identifiers.anchored import fit, require

_CN = re.compile(r"[(\[〔](\d{4})[)\]〕](.+?)号(之[一二三四五六七八九十]+)?")
_CN_OLD = re.compile(r"[\u4e00-\u9fff]{1,20}字第\d{1,8}")
_CN_NEW = re.compile(r"([\u4e00-\u9fff]{1,3}?)(\d{2,4})?([\u4e00-\u9fff]{1,6})(\d{1,8})")
_CN_COURTS = frozenset("京津冀晋内辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新兵军")
_US_DOCKET = re.compile(r"(\d{1,2}):(\d{2})-([a-z]{2,4})-(\d{5})", re.ASCII)
_US_TRIAL = re.compile(r"(?:IPR|PGR|CBM|DER)\d{4}-\d{5}", re.ASCII)
_ECLI = re.compile(r"ECLI:([A-Z]{2}):[A-Z0-9]{1,7}:\d{4}:[A-Z0-9.]{1,25}", re.ASCII)

ECLI_ISSUERS = frozenset({"EU", "EP", "CE"})
"""Courts of the European Union, boards of the European Patent Office, courts of the Council of Europe."""


def cn_case(text: str) -> str:
    """A Chinese case, `（2019）粤03民终12345号`; before 2016 `（2013）民申字第1643号`.

    Half-width brackets and digits are accepted, blanks fall away, leading zeros stay. In the new form the court must be
    the supreme court or one of a province, the production corps or the army.
    """
    half = unicodedata.normalize("NFKC", "".join(text.split()))
    year, body, part = fit(_CN, half, "year in brackets, court, type, number and 号").groups(default="")
    if not _CN_OLD.fullmatch(body):
        court = fit(_CN_NEW, body, "court code, type of case, number").group(1)
        require(body.startswith("最高法") or court[0] in _CN_COURTS, "no court is abbreviated so")
    return f"（{year}）{body}号{part}"


def us_docket(text: str) -> str:
    """A docket of a US district court, `1:23-cv-01194`: office, year, kind, number."""
    return fit(_US_DOCKET, text, "office:year-kind-number of five digits").group()


def us_trial(text: str) -> str:
    """A trial before the Patent Trial and Appeal Board, `IPR2021-01599`."""
    return fit(_US_TRIAL, text, "IPR, PGR, CBM or DER, year, hyphen, five digits").group()


def ecli(text: str) -> str:
    """A European Case Law Identifier (Council conclusions 2011/C 127/01); letter case carries no meaning."""
    upper = text.upper() if text.isascii() else text
    country = fit(_ECLI, upper, "ECLI:country:court:year:number").group(1)
    require(country in ECLI_ISSUERS | code_table("iso3166-alpha2").words.keys(), "an ECLI names a country")
    return upper
