"""What breaks the work of the evidence room. Each concrete class gets its row of the problem table in `views.py`."""

from collections.abc import Sequence
from datetime import datetime

from gateway.errors import GatewayError, SettingsError


class KeyFileError(SettingsError):
    """A key file cannot be read, is open to others than its owner, or holds no key of the kind needed."""


class SignerUnavailableError(GatewayError):
    """A private key cannot be used now: its token does not answer, or the key is no longer in it."""


class LogUnavailableError(GatewayError):
    """The log or its checkpoint store cannot be written, or did not answer in time.

    Raised before a commit, nothing was logged. Raised after one, the leaf stands but its checkpoint is not published:
    repeating the step then raises `DuplicateStepError`, and `EvidenceLog.logged` gives what `append` would have given.
    """


class LogRotatedError(LogUnavailableError):
    """The log's key was rotated: this process signs for a shard that has ended, and needs a start with the new key."""


class LogForkedError(GatewayError):
    """The log contradicts itself or what was published of it. Never caught: the process stops serving for good."""


class LogDamagedError(GatewayError):
    """The full audit found entries, tiles or checkpoints that do not fit together; `findings` names each."""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = tuple(findings)


class DuplicateStepError(GatewayError):
    """This step is a leaf already; `existing` is its index."""

    def __init__(self, step_id: str, existing: int) -> None:
        super().__init__(f"{step_id} is leaf {existing} already")
        self.step_id = step_id
        self.existing = existing


class ForeignSealError(GatewayError):
    """A record that claims a holder's own signature was not signed by that holder, or breaks RFC 9901."""


class UnpublishableError(GatewayError):
    """A trust list cannot be published: no key to sign it, or its content would be refused by every reader."""


class PayloadError(GatewayError):
    """Stored bytes of an exchange do not open under its key: they were changed or moved."""


class ErasedError(GatewayError):
    """What an exchange carried was erased, or its time has come. The receipt stays."""

    def __init__(self, message: str, *, receipt: str | None = None) -> None:
        super().__init__(message)
        self.receipt = receipt


class NotYetProvableError(GatewayError):
    """No checkpoint has yet what the trust list demands; evidence waits for one and is not made weaker."""

    def __init__(self, message: str, ready_at: datetime, *, wait_seconds: int) -> None:
        super().__init__(message)
        self.ready_at = ready_at
        self.wait_seconds = wait_seconds


class TimestampError(GatewayError):
    """The time-stamp authority gave no stamp, or one that would convince nobody."""


class EvidenceOverdueError(GatewayError):
    """Entries of the log have waited too long for a time-stamp: no new exchange is taken until one is there."""


class WitnessError(GatewayError):
    """Root of what a witness does instead of cosigning."""


class WitnessDownError(WitnessError):
    """It does not answer."""


class WitnessRefusedError(WitnessError):
    """It refuses, or what it gave is no cosignature; `is_fork` where it says that the log contradicts what it saw."""

    def __init__(self, message: str, *, is_fork: bool = False) -> None:
        super().__init__(message)
        self.is_fork = is_fork


class WitnessBehindError(WitnessError):
    """It cosigned a smaller tree last than was assumed: `size`."""

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class WitnessAheadError(WitnessError):
    """It says that it cosigned a larger tree than is known here: `size`."""

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class NoContainerError(GatewayError):
    """This gateway has no seal certificate, so it makes no signed containers."""
