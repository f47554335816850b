"""Case references at rest: a keyed hash finds the exchanges of a case for whoever names it, and tells nobody else."""

import hmac


class CaseHashes:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, case_ref: str) -> bytes:
        """Hash a case reference as it was written; `IPC 118/2026` and `IPC 118 / 2026` are two."""
        return hmac.digest(self._key, case_ref.encode(), "sha256")
