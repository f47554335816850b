"""Classes of goods, figurative elements, products, inventions and tariff lines."""

import re

from gateway.records.identifiers.anchored import fit, require

_NICE = re.compile(r"0{0,2}(\d{1,2})", re.ASCII)
_VIENNA = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{1,2})", re.ASCII)
_LOCARNO = re.compile(r"(0[1-9]|[12]\d|3[0-2])\s*[-.]\s*(\d{2})", re.ASCII)
_PATENT_SYMBOL = re.compile(
    r"([A-HY]\d{2}[A-Z])\s*0{0,3}(\d{1,4})\s*/\s*(\d{2,6})"
    r"(?:\s+(?:\(\d{4}\.\d{2}\)|[A-Z0-9]+))*\s*",  # version, level, position, office, JPO's own refinements
    re.ASCII,
)
_HS_LENGTHS = (2, 4, 6, 8, 10, 13)
_HS = re.compile(r"\d{2}(?:[ .]?\d+)*", re.ASCII)
_UPOV = re.compile(r"[A-Z]{5}(?:_[A-Z]{2,3}){0,3}")
_ST27_EVENT = re.compile(r"[A-Z]\d{2}", re.ASCII)

NICE_CLASSES = range(1, 46)
VIENNA_CATEGORIES = range(1, 30)
HS_CHAPTERS = range(1, 98)
HS_RESERVED_CHAPTER = 77
HS_NATIONAL_CHAPTERS = (98, 99)


def nice(text: str) -> str:
    """A class of goods or services (Nice), 1 to 45: `009` is class 9."""
    number = int(fit(_NICE, text, "a class of the Nice classification has up to three digits").group(1))
    require(number in NICE_CLASSES, "Nice classes run from 1 to 45")
    return str(number)


def vienna(text: str) -> str:
    """A figurative element (Vienna): category, division, section, each as two digits."""
    parts = fit(_VIENNA, text, "category.division.section").groups()
    require(int(parts[0]) in VIENNA_CATEGORIES, "Vienna categories run from 1 to 29")
    return ".".join(f"{int(part):02}" for part in parts)


def locarno(text: str) -> str:
    """A class of products (Locarno), printed `21.01` or `21-01`, stored with the hyphen of WIPO's own list."""
    return "-".join(fit(_LOCARNO, text, "class 01 to 32, hyphen or point, two digits").groups())


def patent_symbol(text: str) -> str:
    """A symbol of the IPC or CPC without blanks, version and flags: `H01M  10/ 6557 A I` is `H01M10/6557`."""
    subclass, group, subgroup = fit(_PATENT_SYMBOL, text, "subclass, group/subgroup").groups()
    require(int(group) > 0, "a group is not zero")
    return f"{subclass}{int(group)}/{subgroup}"


def hs(text: str) -> str:
    """A tariff code of the Harmonized System: 2, 4 or 6 digits, or 8, 10, 13 of a national tariff, without points.

    Whether the code stands in the edition in force on a day is another question: `gateway.records.identifiers.hs`.
    """
    digits = fit(_HS, text, "digits, with blanks or points between").group().replace(".", "").replace(" ", "")
    require(len(digits) in _HS_LENGTHS, "a tariff code has 2, 4, 6, 8, 10 or 13 digits")
    chapter = int(digits[:2])
    require(chapter != HS_RESERVED_CHAPTER, "chapter 77 is reserved")
    require(
        chapter in HS_CHAPTERS or (chapter in HS_NATIONAL_CHAPTERS and len(digits) >= min(_HS_LENGTHS[3:])),
        "chapters run from 01 to 97; 98 and 99 are national",
    )
    return digits


def upov(text: str) -> str:
    """A genus or species by UPOV code, `MALUS_DOM`: five letters of the genus, then up to three elements."""
    return fit(_UPOV, text, "five letters, then _ and two or three letters for each element").group()


def st27_event(text: str) -> str:
    """A key event of a patent's life (WIPO ST.27), `R14`."""
    return fit(_ST27_EVENT, text, "a letter and two digits").group()
