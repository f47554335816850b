"""The memory of used identifiers in Redis or Valkey, for many nodes: each passes once, or nothing is done."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from gateway.errors import SettingsError, StoreUnavailableError
from gateway.oauth.replay import ReplayedError, SeenKey

PREFIX: Final = b"ipx:seen:"
TIMEOUT_SECONDS: Final = 2.0

# All keys or none, in one step: a proof that was used before must not use up a good assertion.
_CONSUME: Final = """
for index, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then return index end
end
for index, key in ipairs(KEYS) do
  redis.call('SET', key, '', 'EX', ARGV[index])
end
return 0
"""


class RedisReplayStore:
    """A `ReplayStore` that all nodes share.

    A use is final at once, before the transaction it pays for commits: a crash in between loses a token and permits no
    replay. The server must keep what it is told: `appendonly yes`, and no eviction.
    """

    def __init__(self, url: str) -> None:
        """Connect.

        Raises:
            SettingsError: the server may evict keys: an identifier it forgets would pass again.
            StoreUnavailableError: it does not answer.
        """
        self._redis: Redis = Redis.from_url(url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)
        self._consume = self._redis.register_script(_CONSUME)
        try:
            self._require_lasting()
        except BaseException:
            self.close()
            raise

    def _require_lasting(self) -> None:
        memory = self._ask(lambda: self._redis.info("memory"))
        if int(memory.get("maxmemory", 0)) and memory.get("maxmemory_policy") != "noeviction":
            raise SettingsError(
                f"IPX_REDIS_URL: the server evicts keys ({memory['maxmemory_policy']}); set maxmemory-policy noeviction"
            )

    def consume(self, connection: Connection | Session, keys: Sequence[SeenKey], now: datetime) -> None:
        """Use up all keys or none (see `ReplayStore.consume`)."""
        del connection
        self._use_up(keys, now)

    def _use_up(self, keys: Sequence[SeenKey], now: datetime) -> None:
        seconds = int(now.timestamp())
        lifetimes = [max(1, key.until - seconds) for key in keys]
        names = [PREFIX + key.key for key in keys]
        conflict = int(self._ask(lambda: self._consume(keys=cast(Any, names), args=lifetimes)))
        if conflict:
            raise ReplayedError(keys[conflict - 1])

    def use_up_ahead(self, keys: Sequence[SeenKey], now: datetime) -> Sequence[SeenKey]:
        """Use them up: what is used up here stays so, whatever becomes of a transaction."""
        if keys:
            self._use_up(keys, now)
        return ()

    def was_used(self, seen: SeenKey) -> bool:
        return bool(self._ask(lambda: self._redis.exists(PREFIX + seen.key)))

    def sweep(self, now: datetime) -> int:
        """Do nothing: Redis forgets by itself when the time of a key is over."""
        del now
        return 0

    def is_durable(self) -> bool:
        """Whether it writes each use to its disk (`appendonly yes`), and the last writing went well."""
        kept = self._ask(lambda: self._redis.info("persistence"))
        return bool(kept.get("aof_enabled")) and kept.get("aof_last_write_status", "ok") == "ok"

    def close(self) -> None:
        self._redis.close()

    @staticmethod
    def _ask(question: Any) -> Any:
        try:
            return question()
        except (RedisError, OSError) as error:
            raise StoreUnavailableError(f"the replay store: {type(error).__name__}") from error
