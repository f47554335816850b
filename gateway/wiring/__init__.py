"""The only place that constructs services; everything else takes what it needs."""

from gateway.wiring.for_views import register
from gateway.wiring.intake import mapping_tools
from gateway.wiring.outsiders import read_outsiders
from gateway.wiring.services import Services, build
from gateway.wiring.sign_in import SignIn, replay_store
from gateway.wiring.signers import OwnSigners, own_signers

__all__ = [
    "OwnSigners",
    "Services",
    "SignIn",
    "build",
    "mapping_tools",
    "own_signers",
    "read_outsiders",
    "register",
    "replay_store",
]
