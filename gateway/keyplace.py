"""Where a private key is kept: in a file, or in a token that signs with it and never gives it away (PKCS#11)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_to_bytes

PREFIX: Final = "pkcs11:"


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key in a token, named as RFC 7512 names it.

    ```
    pkcs11:token=ipx;object=receipts?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/ipx/pin
    ```
    """

    module: Path
    """The library of the token's maker."""
    pin_file: Path
    token: str | None
    serial: str | None
    label: str | None
    id: bytes | None

    @classmethod
    def parse(cls, uri: str) -> "TokenKey":
        """Read an address.

        Raises:
            ValueError: not of this form; the message says what is wrong or missing.
        """
        path, _, query = uri.removeprefix(PREFIX).partition("?")
        named = _pairs(path, ";", {"token", "serial", "object", "id", "type"})
        where = _pairs(query, "&", {"module-path", "pin-source"})
        if not uri.startswith(PREFIX) or named.get("type", "private") != "private":
            raise ValueError("it does not name a private key in a token")
        if not {"module-path", "pin-source"} <= where.keys():
            raise ValueError("it needs ?module-path=<library>&pin-source=<file with the PIN>")
        if not {"token", "serial"} & named.keys() or not {"object", "id"} & named.keys():
            raise ValueError("it needs a token (token= or serial=) and a key in it (object= or id=)")
        return cls(
            module=Path(unquote(where["module-path"])),
            pin_file=Path(unquote(where["pin-source"]).removeprefix("file:")),
            token=unquote(named["token"]) if "token" in named else None,
            serial=unquote(named["serial"]) if "serial" in named else None,
            label=unquote(named["object"]) if "object" in named else None,
            id=unquote_to_bytes(named["id"]) if "id" in named else None,
        )

    def __str__(self) -> str:
        return f"{PREFIX}token={self.token or self.serial};object={self.label or (self.id or b'').hex()}"


KeyPlace = Path | TokenKey


def read_place(text: str) -> KeyPlace:
    """Read a setting that names a key.

    Raises:
        ValueError: an address that names no key in a token.
    """
    return TokenKey.parse(text) if text.startswith(PREFIX) else Path(text)


def _pairs(text: str, separator: str, known: set[str]) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(separator) if part]
    found = {name: value for name, _, value in pairs}
    unknown = sorted(found.keys() - known)
    if unknown or len(found) != len(pairs) or not all(found.values()):
        raise ValueError(f"{', '.join(unknown) or 'a part of it'} is not known, empty or there twice")
    return found
