"""What a setting's value must be like; each check raises marshmallow's `ValidationError`, worded to end a sentence."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from marshmallow import ValidationError

from gateway.keyplace import read_place
from ipx.errors import NoteError
from ipx.notekey import SIGNATURE_TYPES, NoteKey


def is_folder(path: Path | None) -> None:
    if path is not None and not path.is_dir():
        raise ValidationError("there is no such folder")


def is_origin(text: str) -> None:
    loopback = r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?"
    if not re.fullmatch(rf"https://[a-z0-9.-]+(?::\d{{1,5}})?|{loopback}", text):
        raise ValidationError("must be https://host[:port] in lower case without a path (http only on loopback)")


def is_issuer(text: str | None) -> None:
    if text is None:
        return
    if not re.fullmatch(r"https://[^\s?#]+|http://(?:127\.0\.0\.1|localhost)(?::\d+)?[^\s?#]*", text):
        raise ValidationError("must be https://… exactly as the provider writes it (http only on loopback)")


def are_witnesses(pairs: Sequence[str]) -> None:
    for pair in pairs:
        vkey, *rest = pair.split() or [""]
        _require_key(vkey, is_timed=True)
        if len(rest) != 1 or not re.fullmatch(r"https?://[^\s?#]+", rest[0]):
            raise ValidationError("must be pairs of a witness's key and its address, separated by commas")


def are_logs(vkeys: Sequence[str]) -> None:
    for vkey in vkeys:
        _require_key(vkey, is_timed=False)


def is_address(text: str | None) -> None:
    if text is not None and not re.fullmatch(r"https?://[^\s?#]+", text):
        raise ValidationError("must be http(s)://host/path")


def is_secret(text: str | None) -> None:
    if text is not None and not re.fullmatch(r"[A-Za-z0-9._~+/=-]{32,255}", text):
        raise ValidationError("must be 32 to 255 letters, digits and ._~+/=- without blanks: `openssl rand -hex 32`")


def is_positive(number: int | None) -> None:
    if number is not None and number < 1:
        raise ValidationError("must be at least 1")


def is_not_negative(number: int) -> None:
    if number < 0:
        raise ValidationError("must not be negative")


def is_pause(seconds: float) -> None:
    if not 0 <= seconds <= 600:  # noqa: PLR2004  (ten minutes; NaN is neither)
        raise ValidationError("must be 0 to 600 seconds")


def is_wait(seconds: float) -> None:
    if not 0 < seconds <= 600:  # noqa: PLR2004  (ten minutes; NaN is neither)
        raise ValidationError("must be more than 0 and at most 600 seconds")


def is_duration(days_or_hours: float) -> None:
    if not 0 < days_or_hours < 36_500:  # noqa: PLR2004  (a hundred years in days; NaN is neither)
        raise ValidationError("must be more than nothing and less than a hundred years")


def are_months(months: Mapping[str, int]) -> None:
    for record_type, count in months.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]{1,62}", record_type) or count < 1:
            raise ValidationError("must be pairs such as detention=60,court_case=120, at least 1 each")


def is_key(text: str) -> None:
    try:
        size = len(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise ValidationError("is not base64") from error
    if size != 32:  # noqa: PLR2004  (AES-256)
        raise ValidationError(f"must be 32 bytes, not {size}")


def is_place(text: str | None) -> None:
    if text is None:
        return
    try:
        place = read_place(text)
    except ValueError as error:
        raise ValidationError(f"names no key in a token: {error}") from error
    if isinstance(place, Path):
        is_file(place)


def is_private_folder(path: Path | None) -> None:
    """Make the folder where it is missing; what lies in it holds keys and copies of records."""
    if path is None:
        return
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.stat().st_mode
    except OSError as error:
        raise ValidationError(f"names a folder that cannot be made or read: {path}") from error
    if mode & 0o077:
        raise ValidationError(f"names a folder that others may read; `chmod 700 {path}`")


def is_file(path: Path | None) -> None:
    if path is not None and not path.is_file():
        raise ValidationError(f"names a file that does not exist: {path}")


def _require_key(vkey: str, *, is_timed: bool) -> None:
    try:
        key = NoteKey.parse(vkey)
    except NoteError as error:
        raise ValidationError(f"holds {vkey!r}: {error}") from error
    if SIGNATURE_TYPES[key.type].is_timed != is_timed:
        raise ValidationError(f"holds {vkey!r}: a {'log' if not is_timed else 'witness'}'s kind of key is needed")
