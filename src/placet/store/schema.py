"""The tables. What is stored is facts; what a license means is judged anew from its signed bytes.

Instants are whole microseconds since 1970-01-01T00:00:00Z, the same on every database.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def microseconds(when: datetime) -> int:
    """Answer an instant as the tables have it."""
    return (when - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """Answer the instant that the tables have as ``value``."""
    return _EPOCH + value * _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware ``datetime``, stored as microseconds since the epoch."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Write: exact to the microsecond."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read."""
        return None if value is None else instant(value)


class Json(TypeDecorator[Any]):
    """A value as JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        """Write."""
        return msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Read."""
        return None if value is None else msgspec.json.decode(value)


# SQLite numbers rows only where the key's type is INTEGER; its integers have 64 bits all the same.
RowId = BigInteger().with_variant(Integer(), "sqlite")

installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("serial_number", String(24), nullable=False),
    Column("server_key", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("license_id", RowId, ForeignKey("licenses.id")),
    Column("newest_moment", Instant),
    Column("evaluation_jti", String(200)),
    Column("evaluation_started_at", Instant),
    Column("status_list", Text),
    Column("status_list_sequence", BigInteger),
    CheckConstraint("id = 1", name="single"),
)

licenses = Table(
    "licenses",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("jti", String(200), nullable=False),
    Column("signed", Text, nullable=False),
    Column("issuer", String(200), nullable=False),
    Column("customer", String(200), nullable=False),
    Column("serial_number", String(24), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("installed_at", Instant, nullable=False),
    Column("installed_by", String(200), nullable=False),
    Column("restored_from", RowId),
    Index("ix_licenses_jti", "jti"),
)

totals = Table(
    "totals",
    metadata,
    Column("feature", String(63), primary_key=True),
    Column("used", BigInteger, nullable=False),
    CheckConstraint("used >= 0", name="not_negative"),
)

allocations = Table(
    "allocations",
    metadata,
    Column("feature", String(63), ForeignKey("totals.feature"), primary_key=True),
    Column("holder", String(200), primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Column("changed_at", Instant, nullable=False),
    CheckConstraint("amount >= 0", name="not_negative"),
)

meters = Table(
    "meters",
    metadata,
    Column("feature", String(63), primary_key=True),
    Column("period_starts_at", Instant, nullable=False),
    Column("previous_starts_at", Instant),
    Column("used", BigInteger, nullable=False),
    CheckConstraint("used >= 0", name="not_negative"),
)

meter_periods = Table(
    "meter_periods",
    metadata,
    Column("feature", String(63), primary_key=True),
    Column("period_starts_at", Instant, primary_key=True),
    Column("used", BigInteger, nullable=False),
)

consumptions = Table(
    "consumptions",
    metadata,
    Column("feature", String(63), ForeignKey("meters.feature"), primary_key=True),
    Column("period_starts_at", Instant, primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", String(200), nullable=False),
)

blocks = Table(
    "blocks",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("feature", String(63), ForeignKey("meters.feature"), nullable=False),
    Column("period_starts_at", Instant, nullable=False),
    Column("holder", String(200), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("used", BigInteger),
    Column("taken_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("closed_by", String(200)),
    CheckConstraint("used IS NULL OR (used >= 0 AND used <= size)", name="within"),
    Index("ix_blocks_closed_at", "closed_at"),
)

leases = Table(
    "leases",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("feature", String(63), ForeignKey("totals.feature"), nullable=False),
    Column("holder", String(200), nullable=False),
    Column("group_name", String(200)),
    Column("amount", BigInteger, nullable=False),
    Column("acquired_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("borrowed", Boolean(create_constraint=False), nullable=False),
    CheckConstraint("amount > 0", name="positive"),
    UniqueConstraint("feature", "holder"),
    Index("ix_leases_expires_at", "expires_at"),
)

seat_requests = Table(
    "seat_requests",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("feature", String(63), ForeignKey("totals.feature"), nullable=False),
    Column("holder", String(200), nullable=False),
    Column("group_name", String(200)),
    Column("amount", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    UniqueConstraint("feature", "holder"),
)

seat_reservations = Table(
    "seat_reservations",
    metadata,
    Column("feature", String(63), ForeignKey("totals.feature"), primary_key=True),
    Column("subject_kind", String(20), primary_key=True),
    Column("subject", String(200), primary_key=True),
    Column("amount", BigInteger, nullable=False),
    CheckConstraint("amount > 0", name="positive"),
)

seat_rules = Table(
    "seat_rules",
    metadata,
    Column("feature", String(63), ForeignKey("totals.feature"), primary_key=True),
    Column("low_water_mark", BigInteger, nullable=False),
    Column("longest_borrow_seconds", BigInteger, nullable=False),
)

denials = Table(
    "denials",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("feature", String(63), nullable=False),
    Column("holder", String(200), nullable=False),
    Column("reason", String(60), nullable=False),
    Column("requested", BigInteger, nullable=False),
    Column("used", BigInteger),
    Column("maximum", BigInteger),
    Column("at", Instant, nullable=False),
    Index("ix_denials_at", "at"),
)

front_ends = Table(
    "front_ends",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("address", String(400), nullable=False),
    Column("version", String(60), nullable=False),
    Column("license_digest", String(64)),
    Column("started_at", Instant, nullable=False),
    Column("beaten_at", Instant, nullable=False),
    Column("lives_until", Instant, nullable=False),
)

usage_samples = Table(
    "usage_samples",
    metadata,
    Column("feature", String(63), primary_key=True),
    Column("sampled_at", Instant, primary_key=True),
    Column("used", BigInteger, nullable=False),
    Column("maximum", BigInteger),
    Column("total", BigInteger, nullable=False),
    Column("samples", BigInteger, nullable=False),
)

usage_days = Table(
    "usage_days",
    metadata,
    Column("feature", String(63), primary_key=True),
    Column("day", Instant, primary_key=True),
    Column("peak", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("maximum", BigInteger),
)

holder_days = Table(
    "holder_days",
    metadata,
    Column("feature", String(63), primary_key=True),
    Column("holder", String(200), primary_key=True),
    Column("day", Instant, primary_key=True),
    Column("amount", BigInteger, nullable=False),
)

holder_marks = Table(
    "holder_marks",
    metadata,
    Column("feature", String(63), primary_key=True),
    Column("noted_at", Instant, nullable=False),
    Column("total", BigInteger, nullable=False),
)

modules = Table(
    "modules",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("active_version", String(36), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False, server_default=text("0")),
    Column("last_served_at", Instant),
)

module_versions = Table(
    "module_versions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("module", String(63), ForeignKey("modules.name", ondelete="CASCADE"), nullable=False),
    Column("version", String(64), nullable=False),
    Column("entrypoint", String(400), nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("elements", Json, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("published_by", String(200), nullable=False),
    Index("ix_module_versions_module", "module"),
)

module_archives = Table(
    "module_archives",
    metadata,
    Column("version_id", String(36), ForeignKey("module_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("archive", LargeBinary, nullable=False),
)

module_work = Table(
    "module_work",
    metadata,
    Column("module", String(63), primary_key=True),
    Column("id", String(36), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("version", String(64)),
    Column("actor", String(200), nullable=False),
    Column("front_end", String(36), nullable=False),
    Column("since", Instant, nullable=False),
)

module_serving = Table(
    "module_serving",
    metadata,
    Column("front_end", String(36), primary_key=True),
    Column("module", String(63), primary_key=True),
    Column("version_id", String(36), nullable=False),
    Column("state", String(20), nullable=False),
    Column("detail", Text),
    Column("noted_at", Instant, nullable=False),
)

module_databases = Table(
    "module_databases",
    metadata,
    Column("owner", String(63), primary_key=True),
    Column("schema_name", String(63), nullable=False, unique=True),
    Column("role", String(63), nullable=False),
    Column("password", String(64), nullable=False),
    Column("reader", String(63), nullable=False),
    Column("reader_password", String(64), nullable=False),
)

timer_runs = Table(
    "timer_runs",
    metadata,
    Column("module", String(63), ForeignKey("modules.name", ondelete="CASCADE"), primary_key=True),
    Column("timer", String(63), primary_key=True),
    Column("due_at", Instant, nullable=False),
    Column("run", String(36)),
    Column("held_until", Instant),
)

users = Table(
    "users",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("active", Boolean(create_constraint=False), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("last_seen_at", Instant),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("name", String(200), nullable=False),
    Column("role", String(20), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("ended_at", Instant),
    Column("last_used_at", Instant),
    Column("method", String(20)),
    Column("address", String(100)),
    Column("browser", String(200)),
    Index("ix_credentials_name", "name"),
)

passwords = Table(
    "passwords",
    metadata,
    Column("user_id", RowId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("set_at", Instant, nullable=False),
)

identities = Table(
    "identities",
    metadata,
    Column("user_id", RowId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("issuer", String(400), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("linked_at", Instant, nullable=False),
    UniqueConstraint("issuer", "subject"),
)

notification_channels = Table(
    "notification_channels",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("settings", Json, nullable=False),
    Column("secrets", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

notification_rules = Table(
    "notification_rules",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("rules", Json, nullable=False),
    CheckConstraint("id = 1", name="single"),
)

notification_marks = Table(
    "notification_marks",
    metadata,
    Column("subject", String(200), primary_key=True),
    Column("told", BigInteger),
    Column("crossing", BigInteger, nullable=False),
    Column("period_starts_at", Instant),
)

notification_deliveries = Table(
    "notification_deliveries",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("event", String(300), nullable=False),
    Column("kind", String(60), nullable=False),
    Column("message_id", String(36), nullable=False),
    Column("message", Json, nullable=False),
    Column("channel_id", BigInteger, nullable=False),
    Column("channel", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("next_at", Instant),
    Column("claim", String(36)),
    Column("held_until", Instant),
    Column("ended_at", Instant),
    Column("reason", Text),
    UniqueConstraint("event", "channel_id"),
    Index("ix_notification_deliveries_state", "state"),
)

DELETIONS = "event = 'module.deleted'"
"""Which events are looked for by their time: those the doctor asks about."""

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("event", String(60), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", Json, nullable=False),
    # Of deletions alone: an index of every event would cost each allocation a page.
    Index("ix_audit_events_deleted", "at", sqlite_where=text(DELETIONS), postgresql_where=text(DELETIONS)),
)
