"""What comes in from holders, constructed."""

from dataclasses import dataclass

from connectors.tools import MappingTools
from gateway.clock import Clock, utc_now
from gateway.db.engine import Database
from gateway.evidence.keys import HolderKeys
from gateway.evidence.seals import Seals
from gateway.exchange.holders import Holders
from gateway.exchange.large_records import LargeRecords
from gateway.intake.deliveries import DeliveredRecords
from gateway.intake.following import Following
from gateway.intake.pushed import PushedRecords
from gateway.intake.quarantine import Quarantine, Redrive
from gateway.intake.rounds import FollowingRounds
from gateway.keywrap import KeyWrap
from gateway.records.codes import code
from gateway.records.identifiers import canonical
from gateway.records.validation import oddities, validate
from gateway.settings import Settings, variables_in_environment
from gateway.wiring.derived import derived_key


@dataclass(frozen=True, slots=True)
class Intake:
    """What comes in from holders: fetched, pushed, quarantined, followed."""

    holders: Holders
    large: LargeRecords
    seals: Seals
    pushed: PushedRecords
    quarantine: Quarantine
    redrive: Redrive
    following: Following
    rounds: FollowingRounds


def build_intake(
    settings: Settings, database: Database, wrap: KeyWrap, holder_keys: HolderKeys, clock: Clock
) -> Intake:
    """Construct what brings records in."""
    tools = mapping_tools()
    seals = Seals(holder_keys, clock)
    large = LargeRecords()
    pushed = PushedRecords(
        database,
        wrap,
        seals,
        holder_keys,
        tools.validate,
        clock,
        digest_key=derived_key(settings, b"pushed-records"),
    )
    quarantine = Quarantine(database, wrap, clock, digest_key=derived_key(settings, b"quarantined-records"))
    holders = Holders(
        database,
        holder_keys,
        tools,
        clock,
        large,
        secrets=settings.secrets,
        variables={**variables_in_environment(), "IPX_SOURCES": str(settings.sources)},
        state=settings.source_state,
        inbox=pushed,
        deliveries=DeliveredRecords(database, wrap, clock, digest_key=derived_key(settings, b"delivered-records")),
        keep=quarantine.keep,
    )
    following = Following(database, holders, quarantine, clock)
    return Intake(
        holders,
        large,
        seals,
        pushed,
        quarantine,
        Redrive(database, quarantine, holders, clock),
        following,
        FollowingRounds(following),
    )


def mapping_tools(clock: Clock = utc_now) -> MappingTools:
    """Hand the record catalogue's rules to the connectors, which know nothing of it."""
    return MappingTools(
        number=canonical,
        code=code,
        validate=lambda record_type, fields: validate(record_type, fields, today=clock().date()),
        oddities=lambda record_type, fields: oddities(record_type, fields, today=clock().date()),
    )
