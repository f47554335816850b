"""Why a request is not filed, or an exchange not shown. Each has its row of the problem table in `views.py`."""

from gateway.errors import GatewayError


class RequestTooLargeError(GatewayError):
    """The body is larger than a signed request can be."""


class RequestSignatureError(GatewayError):
    """The request is signed by no live key of this client, or altered."""


class StaleRequestError(GatewayError):
    """The request is expired or from the future. Judged once, when it is first filed."""


class JtiReusedError(GatewayError):
    """Another request of this client has this `jti`."""


class InFlightError(GatewayError):
    """The same request is being answered at this moment."""

    def __init__(self, exchange_id: str) -> None:
        super().__init__(f"exchange {exchange_id} is running")
        self.exchange_id = exchange_id


class IllegalTransitionError(GatewayError):
    """What was asked cannot follow what happened: an approval that is not open, an exchange that is over."""


class StaleVersionError(GatewayError):
    """Somebody changed it since it was read."""


class OfficerExcludedError(GatewayError):
    """This officer may not decide on this request: it is the officer's own."""


class OthersRecordError(GatewayError):
    """Only a system of the holder itself calls back a record, and only one of the addressee answers for its copies."""


class RecalledMeanwhileError(GatewayError):
    """The record was called back while the exchange was being answered; never leaves the journal."""


class LostRaceError(GatewayError):
    """The exchange was closed by somebody else meanwhile; never leaves the journal."""
