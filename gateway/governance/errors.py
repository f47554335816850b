"""Why a change of policies does not go its way. What a caller can mend is said in the message."""

from gateway.errors import GatewayError
from gateway.web import problem


class NotEntitledError(GatewayError):
    """The role or the agency of whoever acts does not allow this; the message says what would."""


class OwnChangeError(GatewayError):
    """Whoever wrote a part of it cannot review it, nor undo alone what others reviewed."""


class ChangedMeanwhileError(GatewayError):
    """Somebody changed the change request since it was read."""


class BaseMovedError(GatewayError):
    """Other policies came into force since the change was drafted: it is to be taken over to them first."""


class EvidenceChangedError(GatewayError):
    """The evidence the reviewer saw is not the present one; what was said about it counts no longer."""


class NotInStateError(GatewayError):
    """A step that cannot follow the state the change request is in."""


problem.register(NotEntitledError, "not-allowed")
problem.register(OwnChangeError, "own-change")
problem.register(ChangedMeanwhileError, "stale-version")
problem.register(BaseMovedError, "base-moved")
problem.register(EvidenceChangedError, "evidence-changed")
problem.register(NotInStateError, "illegal-transition")
