"""Numbers of the European Union: EUIPO's marks, designs, oppositions and appeals; geographical indications."""

import re

from gateway.records.codes import code_table
from gateway.records.identifiers.anchored import fit, require

_TRADEMARK = re.compile(r"\d{9}|W\d{8}[A-Z]?", re.ASCII)
_DESIGN = re.compile(r"\d{9}-\d{4}", re.ASCII)
_OPPOSITION = re.compile(r"\d{9}", re.ASCII)
_APPEAL = re.compile(r"R\d+/\d{4}-[\dG]", re.ASCII)
_GI_FILE = re.compile(r"([A-Z]{2})/(PDO|PGI|TSG)/\d{4}/\d{4,5}", re.ASCII)
_GI_REGISTER = re.compile(r"(PDO|PGI|TSG)-([A-Z]{2})-\d+", re.ASCII)


def trademark(text: str) -> str:
    """An EU mark: nine digits, or W and the Madrid number of an international registration."""
    return fit(_TRADEMARK, text, "nine digits, or W and eight digits").group()


def design(text: str) -> str:
    """A design within its multiple application, `001063002-0001`; the suffix is part of the number."""
    return fit(_DESIGN, text, "nine digits, hyphen, four digits").group()


def opposition(text: str) -> str:
    """The number of an opposition at EUIPO: nine digits."""
    return fit(_OPPOSITION, text, "nine digits").group()


def appeal(text: str) -> str:
    """A case before the Boards of Appeal, `R1234/2020-4`; G is the Grand Board."""
    return fit(_APPEAL, text, "R, number, /, year, -, board").group()


def geographical_indication(text: str) -> str:
    """A file `IT/PDO/0117/0015` or `PGI-CN-02624`. A traditional speciality guaranteed (TSG) is no indication."""
    file = _GI_FILE.fullmatch(text)
    country, kind = file.groups() if file else fit(_GI_REGISTER, text, "country/PDO or PGI/0000/00000").group(2, 1)
    require(country in code_table("iso3166-alpha2").words, "the file names its country by ISO 3166")
    require(kind != "TSG", "a traditional speciality guaranteed is no geographical indication")
    return text
