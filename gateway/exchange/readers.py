"""Who may read an exchange again: the agency that asked and the one that was asked, nobody else."""

from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import ColumnElement, and_, or_

from gateway.exchange.models import Exchange
from gateway.oauth.guard import Caller

Side = Literal["requester", "holder"]
SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True, slots=True)
class Reader:
    agency: str
    own_client: str | None
    """Of a supplier that acts for the agency: it reads only what this client itself asked for in the agency's name."""

    def side(self, side: Side) -> ColumnElement[bool]:
        """Select the exchanges in which the reader was on this side."""
        mine = (Exchange.requester if side == "requester" else Exchange.holder) == self.agency
        return mine if self.own_client is None else and_(mine, Exchange.client_id == self.own_client)

    def either_side(self) -> ColumnElement[bool]:
        return or_(*(self.side(side) for side in SIDES))


def reader_of(caller: Caller) -> Reader:
    return Reader(caller.agency, caller.client_id if caller.supplier else None)
