"""Records that come in the catalogue's own words, signed by their holder: nothing is mapped, everything is checked."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from connectors.mapping import Mapped
from connectors.protocol import Found, RecordKey
from connectors.quarantine import Quarantined, Reason, Rejection
from connectors.source_file import SourceFile
from connectors.tools import MappingTools
from ipx.disclosures import CLEAR_CLAIMS, Disclosed, disclose
from ipx.encoding import b64url_bytes
from ipx.errors import EvidenceError
from ipx.jws import parse_object

MEDIA_TYPE: Final = "application/sd-jwt"
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
NOT_FIELDS: Final = CLEAR_CLAIMS | {"_sd_alg"}
"""Claims that say whose record it is and as of when; all others are fields of the record."""


class SignedMapping:
    def __init__(self, source: SourceFile, tools: MappingTools) -> None:
        self.source = source
        self._tools = tools

    def apply(self, found: Found) -> Mapped | Quarantined:
        """Read the disclosed fields. The signature is checked by whoever knows the holder's keys."""
        try:
            read = read_unverified(found.raw.decode("ascii"))
        except (EvidenceError, UnicodeDecodeError):
            return Quarantined(found.source_ref, found.key, (Rejection("", Reason.NOT_PARSEABLE),))
        fields = fields_of(read.claims)
        rejections = [
            Rejection(name, Reason(reason), "", detail)
            for name, reason, detail in self._tools.validate(self.source.record_type, fields)
        ]
        key = fields.get(self.source.key)
        if found.key is not None and key != found.key:
            rejections.append(Rejection(self.source.key, Reason.KEY_MISMATCH))
        if found.revised is not None and found.revised > found.fetched_at + CLOCK_TOLERANCE:
            rejections.append(Rejection("as_of", Reason.FUTURE_DATE))
        if rejections or not isinstance(key, str):
            return Quarantined(found.source_ref, found.key, tuple(rejections))
        return Mapped(found.source_ref, RecordKey(key), found.revised, fields)


def read_unverified(token: str) -> Disclosed:
    """Take an SD-JWT apart without asking whose signature it bears.

    Raises:
        EvidenceError: it is none.
    """
    jwt, *disclosures = token.split("~")
    segments = jwt.split(".")
    payload = parse_object(b64url_bytes(segments[1] if len(segments) == 3 else ""))  # noqa: PLR2004  (a JWS)
    return disclose(payload, [text for text in disclosures if text])


def fields_of(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record among its claims."""
    return {name: value for name, value in claims.items() if name not in NOT_FIELDS}
