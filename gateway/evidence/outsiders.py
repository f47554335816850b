"""Who besides this gateway confirms its checkpoints: peers that witness them, an authority that stamps them."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificates

from gateway.errors import SettingsError
from gateway.evidence.demands import Demands
from ipx.note import NoteKey


@dataclass(frozen=True, slots=True)
class Witness:
    """A party that cosigns checkpoints which extend what it cosigned before (C2SP tlog-witness)."""

    key: NoteKey
    url: str
    """Below it lies `/add-checkpoint`."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamp authority (RFC 3161)."""

    url: str
    roots: tuple[Certificate, ...]
    """Certificates that verifiers trust to issue to authorities; earlier ones stay, or old stamps cannot be judged."""
    policy: str | None
    """Object identifier of the policy demanded; None where any will do."""


@dataclass(frozen=True, slots=True)
class Outsiders:
    """All of them, as configured."""

    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0
    """How many witnesses make a checkpoint witnessed."""
    authority: Authority | None = None

    @property
    def demands(self) -> Demands:
        """What a checkpoint must have before it counts as confirmed."""
        return Demands(
            frozenset(witness.key for witness in self.witnesses), self.quorum, is_stamped=self.authority is not None
        )


def read_roots(path: Path) -> tuple[Certificate, ...]:
    """Read the certificates of a PEM file.

    Raises:
        SettingsError: it cannot be read or holds none.
    """
    try:
        return tuple(load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise SettingsError(f"the roots of the time-stamp authority {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path} holds no certificate in PEM") from error
