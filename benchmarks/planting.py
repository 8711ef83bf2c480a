"""A server with much of everything, planted by bulk SQL: what pages read has to be found among it."""

from datetime import timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from placet.guard import Guard
from placet.store import dialects
from placet.store.schema import microseconds

DAY = 86_400_000_000
HOUR = 3_600_000_000
FEATURES = ("software_units", "users", "front_end_servers", "private_instances", "test_queries")
_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {count}) "


class Amount(NamedTuple):
    """How much there is. Usage: ``holder_days`` of each module and of each user, and ``consumptions``."""

    users: int
    modules: int
    days_of_modules: int
    days_of_users: int
    consumptions: int
    events: int


MANY = Amount(10_000, 500, 1_000, 50, 1_000_000, 100_000)
FEW = Amount(20, 5, 10, 5, 50, 50)


def plant(guard: Guard, amount: Amount) -> None:
    """Let there be so much on a server that has nothing yet. SQLite alone."""
    now = guard.now()
    today = microseconds(now.replace(hour=0, minute=0, second=0, microsecond=0))
    with guard.database.write() as connection:
        dialects.set_up_alone(connection)
        _people(connection, amount, microseconds(now))
        _modules(connection, amount, microseconds(now - timedelta(days=400)))
        _history(connection, amount, today)
        connection.exec_driver_sql("ANALYZE")
    guard.reload()


def _people(connection: Connection, amount: Amount, now: int) -> None:
    _insert(
        connection,
        amount.users,
        "users (name, role, active, created_at, changed_at, last_seen_at)",
        f"'user-' || n, 'developer', n % 10 <> 0, {now}, {now}, {now} - n * {HOUR}",
    )
    _insert(
        connection,
        amount.users,
        "allocations (feature, holder, amount, changed_at)",
        f"'users', 'user-' || n, 1, {now}",
    )
    _insert(
        connection,
        amount.users // 10,
        "credentials (kind, name, role, secret_hash, created_at, expires_at)",
        f"CASE n % 2 WHEN 0 THEN 'token' ELSE 'session' END, 'user-' || n, 'developer', 'hash-' || n, {now}, "
        f"{now} + {DAY}",
    )
    _insert(
        connection,
        amount.events,
        "audit_events (at, actor, event, subject, detail)",
        f"{now} - n * 60000000, 'user-' || (n % 97), 'user.added', 'user-' || n, '{{\"role\": \"developer\"}}'",
    )
    connection.exec_driver_sql("UPDATE totals SET used = ? WHERE feature = 'users'", (amount.users,))


def _modules(connection: Connection, amount: Amount, began: int) -> None:
    element = {"kind": "operation", "name": "GET /orders/{order_id}", "weight": 1}
    elements = msgspec.json.encode([element] * 20).decode()
    _insert(
        connection, amount.modules, "modules (name, active_version, created_at)", f"'module-' || n, 'v-' || n, {began}"
    )
    _insert(
        connection,
        amount.modules,
        "module_versions (id, module, version, entrypoint, units, elements, digest, published_at, published_by)",
        f"'v-' || n, 'module-' || n, '1.' || n || '.0', 'app:app', 20, '{elements}', 'digest', {began} + n * {HOUR}, "
        "'user-' || n",
    )
    _insert(
        connection,
        amount.modules,
        "allocations (feature, holder, amount, changed_at)",
        f"'software_units', 'module-' || n, 20, {began}",
    )
    units = 20 * amount.modules
    connection.exec_driver_sql("UPDATE totals SET used = ? WHERE feature = 'software_units'", (units,))


def _history(connection: Connection, amount: Amount, today: int) -> None:
    for feature in FEATURES:
        _insert(
            connection,
            24 * 14,
            "usage_samples (feature, sampled_at, used, maximum, total, samples)",
            f"'{feature}', {today} - n * {HOUR}, 50 + n % 7, 20000, 60 * (50 + n % 7), 60",
        )
        _insert(
            connection,
            3 * 365,
            "usage_days (feature, day, peak, total, samples, maximum)",
            f"'{feature}', {today} - (n + 14) * {DAY}, 50 + n % 7, 1440 * (50 + n % 7), 1440, 20000",
        )
    for feature, holder, holders, days in (
        ("software_units", "module-", amount.modules, amount.days_of_modules),
        ("users", "user-", amount.users, amount.days_of_users),
    ):
        _insert(
            connection,
            holders * days,
            "holder_days (feature, holder, day, amount)",
            f"'{feature}', '{holder}' || (n / {days}), {today} - (n % {days}) * {DAY}, n % 20",
        )
    connection.exec_driver_sql(
        "INSERT INTO meters (feature, period_starts_at, used) VALUES ('test_queries', ?, ?) "
        "ON CONFLICT (feature) DO UPDATE SET used = excluded.used",
        (today, amount.consumptions),
    )
    starts_at = connection.exec_driver_sql(
        "SELECT period_starts_at FROM meters WHERE feature = 'test_queries'"
    ).scalar_one()
    _insert(
        connection,
        amount.consumptions,
        "consumptions (feature, period_starts_at, key, amount, at, actor)",
        f"'test_queries', {starts_at}, 'key-' || n, 1, {today}, 'user-' || (n % 1000)",
    )


def _insert(connection: Connection, count: int, into: str, values: str) -> None:
    numbers = _NUMBERS.format(count=count)
    connection.exec_driver_sql(f"INSERT INTO {into} {numbers} SELECT {values} FROM numbers")  # noqa: S608 (ours)
