"""The root key: all secrets in the database are wrapped under it, and the key-encryption key wraps it and nothing else.

So the key-encryption key is changed by wrapping one row anew, while everything goes on.
"""

import hmac
import secrets
from typing import Final, cast

from sqlalchemy import Table, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway.db.engine import Database
from gateway.errors import StoreUnavailableError
from gateway.evidence.models import RootKey
from gateway.keywrap import KEK_BYTES, KeyWrap

_CONTEXT: Final = "root-key"
_TABLE: Final = cast("Table", RootKey.__table__)


def make_root(database: Database, kek: bytes) -> None:
    """Give new tables a root key of their own; whoever was first decides, and nothing is changed after that."""
    _insert_once(database, kek, secrets.token_bytes(KEK_BYTES))


def read_root(database: Database, kek: bytes) -> bytes:
    """Open the root key. Tables of before there was one get the key-encryption key that they have been under.

    Raises:
        gateway.keywrap.KeyWrapError: the key-encryption key is not the one that the root key is wrapped under.
        StoreUnavailableError: the database cannot be read or, once, written.
    """
    wrapped = _read(database)
    if wrapped is None:
        _insert_once(database, kek, kek)
        wrapped = _read(database)
    if wrapped is None:
        raise StoreUnavailableError("the root key was written and is not there")
    return KeyWrap(kek).unwrap(wrapped, _CONTEXT)


def rewrap_root(session: Session, old: bytes, new: bytes) -> None:
    """Wrap the root key under another key-encryption key, in the caller's transaction.

    Raises:
        ValueError: it is the same key.
        gateway.keywrap.KeyWrapError: the old key does not open it.
    """
    if hmac.compare_digest(old, new):
        raise ValueError("the new key is the old one")
    wrapped = session.scalars(select(RootKey.wrapped).with_for_update()).one()
    root = KeyWrap(old).unwrap(wrapped, _CONTEXT)
    session.execute(update(RootKey).values(wrapped=KeyWrap(new).wrap(root, _CONTEXT)))


def _read(database: Database) -> bytes | None:
    with database.read_connection() as connection:
        return connection.scalar(select(_TABLE.c.wrapped))


def _insert_once(database: Database, kek: bytes, root: bytes) -> None:
    insert = (sqlite.insert if database.is_sqlite else postgresql.insert)(_TABLE)
    with database.write() as session:
        session.execute(insert.values(id=1, wrapped=KeyWrap(kek).wrap(root, _CONTEXT)).on_conflict_do_nothing())
