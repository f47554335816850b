"""People, their roles, what they sign in with, and their sign-ins."""

from datetime import datetime

from flask_security import RoleMixin, UserMixin, WebAuthnMixin
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gateway.db.base import Base, UtcDateTime


class Person(Base, UserMixin):
    """A human with an account. Names that begin with `fs_`, `tf_`, `mf_` are those Flask-Security asks for."""

    __tablename__ = "person"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)  # type: ignore[assignment]
    username: Mapped[str] = mapped_column(String(63), unique=True)
    name: Mapped[str] = mapped_column(Text)
    agency_code: Mapped[str | None] = mapped_column(ForeignKey("agency.code"), index=True)
    """None: of the gateway's own authority, so nation-wide."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspended_reason: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(String(15))
    theme: Mapped[str | None] = mapped_column(String(7))
    upstream_subject: Mapped[str | None] = mapped_column(String(255), unique=True)
    """`sub` of this person at the upstream identity provider; None: cannot sign in from there."""
    password: Mapped[str | None] = mapped_column(Text)
    """argon2id; None: signs in by passkey or upstream only."""
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    """What a session names a person by. A new one ends them all."""
    fs_webauthn_user_handle: Mapped[str] = mapped_column(String(64), unique=True)
    tf_primary_method: Mapped[str | None] = mapped_column(String(31))
    tf_totp_secret: Mapped[str | None] = mapped_column(Text)
    """Encrypted with a key derived from the key-encryption key."""
    totp_counter: Mapped[int | None] = mapped_column(BigInteger)
    """Time step of the last code taken: none up to it is taken again (RFC 6238, section 5.2)."""
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(JSON)
    """Keyed hashes of the recovery codes that are left."""
    version: Mapped[int] = mapped_column(Integer)

    roles: Mapped[list["PersonRole"]] = relationship(  # type: ignore[assignment]
        lazy="selectin", cascade="all, delete-orphan", order_by="PersonRole.name"
    )
    webauthn: Mapped[list["Passkey"]] = relationship(  # type: ignore[assignment]
        lazy="selectin", cascade="all, delete-orphan", order_by="Passkey.created_at"
    )

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  (SQLAlchemy reads it)

    @property
    def active(self) -> bool:  # type: ignore[override]
        return self.suspended_at is None

    @property
    def email(self) -> str:  # type: ignore[override]
        """Give what Flask-Security compares people by where it should use their key: the username, unique as well."""
        return self.username

    @property
    def role_names(self) -> frozenset[str]:
        return frozenset(role.name for role in self.roles)

    @property
    def has_second_factor(self) -> bool:
        """Whether a sign-in needs more than one secret: a passkey with user verification, or password and code."""
        return bool(self.webauthn) or (self.password is not None and self.tf_totp_secret is not None)


class PersonRole(Base, RoleMixin):
    __tablename__ = "person_role"

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(31), primary_key=True)


class Passkey(Base, WebAuthnMixin):
    """A WebAuthn credential. Only its public key is here."""

    __tablename__ = "passkey"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("person.id"))
    name: Mapped[str] = mapped_column(String(64))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1024), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    transports: Mapped[list[str] | None] = mapped_column(JSON)
    extensions: Mapped[str | None] = mapped_column(Text)
    usage: Mapped[str] = mapped_column(String(15))
    backup_state: Mapped[bool] = mapped_column(Boolean)
    device_type: Mapped[str] = mapped_column(String(31))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lastuse_datetime: Mapped[datetime] = mapped_column(UtcDateTime)


class SignIn(Base):
    """One sign-in of a person in one browser. It holds until it is ended, idle or too old."""

    __tablename__ = "sign_in"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    """Of the random token in the browser's session cookie."""
    via: Mapped[str] = mapped_column(String(63))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Last request, to within `SEEN_EVERY`."""
    address: Mapped[str] = mapped_column(String(45))
    agent: Mapped[str] = mapped_column(String(255))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_because: Mapped[str | None] = mapped_column(String(31))

    person: Mapped[Person] = relationship(lazy="joined")


class OneTimeLink(Base):
    """Lets a person in once, to set up what they will sign in with."""

    __tablename__ = "one_time_link"

    token_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SignInLock(Base):
    """Failed tries in a row with a person's password or codes; passkeys stay free, so that no stranger locks out."""

    __tablename__ = "sign_in_lock"

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    failed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
