"""All tables of the gateway in one place, for migrations and tests: importing this registers every slice's models."""

import gateway.agencies.models
import gateway.audit.models
import gateway.auditor.models
import gateway.beats
import gateway.db.schema
import gateway.evidence.models
import gateway.exchange.models
import gateway.governance.collecting
import gateway.governance.models
import gateway.intake.models
import gateway.oauth.models
import gateway.people.models
import gateway.policy_api.models  # noqa: F401
from gateway.db.base import Base

__all__ = ["Base"]
