"""Who confirms from outside what the gateway says, and for whom it confirms, constructed."""

import httpx

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import SettingsError
from gateway.evidence.confirmations import Confirmations, Rounds
from gateway.evidence.containers import Containers, read_seal
from gateway.evidence.log import EvidenceLog
from gateway.evidence.outsiders import Authority, Outsiders, Witness, read_roots
from gateway.evidence.published import PublishedShards
from gateway.evidence.timestamps import TimestampClient
from gateway.evidence.witness_service import WitnessService
from gateway.evidence.witnesses import WitnessClient
from gateway.settings import Settings
from ipx.keys import Signer
from ipx.note import COSIGNATURE, NoteSigner


def read_outsiders(settings: Settings) -> Outsiders:
    """Name who confirms checkpoints.

    Raises:
        SettingsError: an authority without roots, or a quorum that cannot be reached.
    """
    if (settings.tsa_url is None) != (settings.tsa_roots is None):
        raise SettingsError("IPX_TSA_URL and IPX_TSA_ROOTS go together: stamps that nobody can judge prove nothing")
    authority = None
    if settings.tsa_url is not None and settings.tsa_roots is not None:
        authority = Authority(settings.tsa_url, read_roots(settings.tsa_roots), settings.tsa_policy)
    if settings.witness_quorum > len(settings.witnesses):
        raise SettingsError(
            f"IPX_WITNESS_QUORUM is {settings.witness_quorum}, and IPX_WITNESSES names {len(settings.witnesses)}"
        )
    witnesses = tuple(Witness(key, url) for key, url in settings.witnesses)
    return Outsiders(witnesses, settings.witness_quorum, authority)


def build_confirmations(
    outsiders: Outsiders, database: Database, log: EvidenceLog, shards: PublishedShards, clock: Clock
) -> Rounds:
    """Construct the rounds that ask witnesses and the time-stamp authority about each shard; none without either."""
    if not outsiders.witnesses and outsiders.authority is None:
        return Rounds([])
    http = httpx.Client()
    return Rounds(
        [
            Confirmations(
                database,
                log,
                shards.number(number),
                clock=clock,
                witnesses=[WitnessClient(witness, http, clock) for witness in outsiders.witnesses],
                quorum=outsiders.quorum,
                authority=TimestampClient(outsiders.authority, http, clock) if outsiders.authority else None,
            )
            for number in range(1, log.shard.number + 1)
        ],
        http.close,
    )


def build_containers(settings: Settings, outsiders: Outsiders, clock: Clock) -> Containers:
    """Take the seal certificate.

    Raises:
        SettingsError: only one of the two settings is there, or they cannot be used.
    """
    key, certificate, authority = settings.container_key, settings.container_certificate, outsiders.authority
    if key is None or certificate is None:
        if key is not certificate:
            raise SettingsError("IPX_CONTAINER_KEY and IPX_CONTAINER_CERTIFICATE go together")
        return Containers(None, clock)

    def stamp(message: bytes) -> bytes:
        if authority is None:
            raise AssertionError("there is no authority to ask")
        with httpx.Client() as http:
            return TimestampClient(authority, http, clock).stamp(message).token

    return Containers(read_seal(key, certificate), clock, stamp=stamp if authority else None)


def build_witness(settings: Settings, key: Signer | None, database: Database, clock: Clock) -> WitnessService:
    """Construct what confirms other gateways' logs; without a key it confirms none."""
    signer = NoteSigner(settings.witness_name, key, COSIGNATURE) if key is not None else None
    return WitnessService(database, signer, settings.witnessed_logs, clock)
