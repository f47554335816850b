"""What breaks an act about people. Refused sign-ins are answers of the sign-in pages, not errors."""

from gateway.errors import GatewayError
from gateway.web import problem


class NotAllowedError(GatewayError):
    """The person's roles or agency do not allow this; the message says what would."""


class NotSignedInError(GatewayError):
    """Nobody is signed in where somebody must be."""


class LinkSpentError(GatewayError):
    """A one-time link was used, has expired, or never was; which of them is told to nobody."""


class PersonChangedError(GatewayError):
    """Another request changed the same person at the same time; nothing of this one happened."""


problem.register(NotAllowedError, "not-allowed")
problem.register(NotSignedInError, "not-signed-in")
problem.register(LinkSpentError, "link-spent")
problem.register(PersonChangedError, "stale-version")
