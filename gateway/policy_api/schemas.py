"""What callers may send about policies."""

from marshmallow import RAISE, Schema, fields, validate

from gateway.governance.change_input import REASON_CHARACTERS, TITLE_CHARACTERS
from gateway.governance.merging import KEEP
from gateway.web.numbers import MOST
from policies.reference import TIERS

_CEDAR = fields.String(allow_none=True, validate=validate.Length(1, 16 * 1024))
_TESTS = fields.Dict(keys=fields.String(), values=fields.Dict(allow_none=True))


class _Strict(Schema):
    class Meta:
        unknown = RAISE


class SaveSchema(_Strict):
    policies = fields.Dict(keys=fields.String(validate=validate.Length(2, 63)), values=_CEDAR)
    tests = _TESTS
    title = fields.String(validate=validate.Length(1, TITLE_CHARACTERS))
    reason = fields.String(validate=validate.Length(0, REASON_CHARACTERS))


class OpenSchema(SaveSchema):
    tier = fields.String(required=True, validate=validate.OneOf(TIERS))
    owner = fields.String(required=True)
    title = fields.String(required=True, validate=validate.Length(1, TITLE_CHARACTERS))
    ticket = fields.String(validate=validate.Length(0, 127))


class NothingSchema(_Strict):
    """A body without members, or none."""


class ReviewSchema(_Strict):
    verdict = fields.String(required=True, validate=validate.OneOf(("approve", "reject")))
    evidence_sha256 = fields.String(required=True, validate=validate.Length(64, 64))
    comment = fields.String()
    ticks = fields.List(fields.String(validate=validate.Length(1, 191)), validate=validate.Length(0, 2000))


class ScheduleSchema(_Strict):
    activate_at = fields.AwareDateTime(required=True, format="iso")
    shadow_from = fields.AwareDateTime(format="iso")


class RollBackSchema(_Strict):
    activation = fields.Integer(required=True, strict=True, validate=validate.Range(1, MOST))
    in_force = fields.Integer(required=True, strict=True, validate=validate.Range(1, MOST))
    reason = fields.String(required=True, validate=validate.Length(1, REASON_CHARACTERS))


class EmergencySchema(_Strict):
    tier = fields.String(load_default="guardrail", validate=validate.OneOf(TIERS))
    owner = fields.String(load_default="gateway")
    policy = fields.String(required=True)
    cedar = fields.String(required=True, validate=validate.Length(1, 16 * 1024))
    until = fields.AwareDateTime(required=True, format="iso")
    reason = fields.String(required=True, validate=validate.Length(1, REASON_CHARACTERS))


class RebaseSchema(_Strict):
    keep = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(KEEP))


class EmergencyReviewSchema(_Strict):
    verdict = fields.String(required=True, validate=validate.OneOf(("keep", "lift")))
    comment = fields.String(load_default="")


class LintSchema(_Strict):
    tier = fields.String(required=True, validate=validate.OneOf(TIERS))
    owner = fields.String(required=True)
    cedar = fields.String(required=True)


class QuestionSchema(_Strict):
    question = fields.Dict(required=True)
    change = fields.Integer(strict=True, validate=validate.Range(1, MOST))


class ImportSchema(_Strict):
    files = fields.Dict(required=True, keys=fields.String(), values=fields.String())
    title = fields.String(required=True, validate=validate.Length(1, TITLE_CHARACTERS))
    reason = fields.String(load_default="", validate=validate.Length(0, REASON_CHARACTERS))
