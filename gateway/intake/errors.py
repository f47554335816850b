"""Why a pushed record is not taken."""

from gateway.errors import GatewayError


class PushedSignatureError(GatewayError):
    """Not signed by a live key that is registered for this holder, or not valid now."""


class OlderRevisionError(GatewayError):
    """A later version of this record was taken before."""


class ContradictoryRevisionError(GatewayError):
    """Another content under the same instant: which of the two is true only the holder knows."""
