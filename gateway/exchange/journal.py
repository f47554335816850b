"""The exchange table as a journal: opened before the holder is called, closed in the transaction of the log entry."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid6 import uuid7

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import GatewayError
from gateway.evidence.log import DuplicateStepError, EvidenceLog, Leaf, Logged
from gateway.evidence.payloads import Payloads
from gateway.exchange.models import RECEIVED, Exchange, ExchangePayload
from gateway.exchange.outcomes import Outcome, Released
from gateway.exchange.requests import SignedRequest

