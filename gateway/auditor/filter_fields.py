"""Values of filters that marshmallow does not know: times as an auditor writes them, several words of a list."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from marshmallow import ValidationError
from marshmallow import fields as ma


class Instant(ma.Field[datetime]):
    """`2026-11-25T08:00:00Z`, or a day; as the end of a time a day means all of it."""

    def __init__(self, *, is_end: bool = False) -> None:
        super().__init__()
        self._is_end = is_end

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> datetime:
        del attr, data
        try:
            if len(str(value)) == len("2026-11-25"):
                day = date.fromisoformat(str(value))
                start = datetime(day.year, day.month, day.day, tzinfo=UTC)
                return start + timedelta(days=1) if self._is_end else start
            found = datetime.fromisoformat(str(value))
        except (ValueError, OverflowError) as error:
            raise ValidationError("a day, 2026-11-25, or an instant, 2026-11-25T08:00:00Z") from error
        if found.tzinfo is None:
            raise ValidationError("an instant names its zone: 2026-11-25T08:00:00Z")
        return found.astimezone(UTC)


class Several(ma.Field[tuple[str, ...]]):
    """Words of a closed list, `released,denied`."""

    def __init__(self, words: tuple[str, ...]) -> None:
        super().__init__()
        self._words = words

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> tuple[str, ...]:
        del attr, data
        given = tuple(dict.fromkeys(word for word in str(value).split(",") if word))
        if not given or not set(given) <= set(self._words):
            raise ValidationError(f"of {', '.join(self._words)}, separated by commas")
        return given
