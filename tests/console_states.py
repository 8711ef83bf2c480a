"""How a server comes into each state of its license."""

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import insert, update

from builders import DAY, NOW, a_status_list, limit, numeric, switch
from console_server import ConsoleServer
from placet.guard import Queued
from placet.license import Grant
from placet.platform.notifications.channels import Webhook
from placet.platform.notifications.rules import Rules
from placet.store.credentials import Role
from placet.store.history import day_of
from placet.store.schema import modules, usage_days, users

EXPIRES = numeric(NOW + 40 * DAY)


def nothing(server: ConsoleServer) -> None:
    assert server.guard.status().license is None


def wrong_server(server: ConsoleServer) -> None:
    server.install()
    server.guard.renew_serial_number()


def revoked(server: ConsoleServer) -> None:
    server.install()
    server.guard.install_status_list(a_status_list("L-0001"))


def clock_set_back(server: ConsoleServer) -> None:
    server.install()
    server.guard.tick()
    server.clock.go(timedelta(hours=-2))


def not_yet_valid(server: ConsoleServer) -> None:
    server.install(nbf=numeric(NOW + DAY))


def expiring(server: ConsoleServer) -> None:
    server.install(exp=EXPIRES)
    server.clock.go(15 * DAY)


def in_grace(server: ConsoleServer) -> None:
    server.install(exp=EXPIRES, grace_until=EXPIRES + 30 * 86_400)
    server.clock.go(50 * DAY)


def expired(server: ConsoleServer) -> None:
    server.install(exp=EXPIRES, grace_until=EXPIRES + 30 * 86_400)
    server.clock.go(100 * DAY)


def over_limit(server: ConsoleServer) -> None:
    server.install()
    server.publish("orders", 30)
    server.install(jti="L-2", sequence=2, features={"software_units": limit(20, 10), "run": switch()})


def over_limit_tolerated(server: ConsoleServer) -> None:
    server.install()
    server.publish("orders", 21)
    server.install(jti="L-2", sequence=2, features={"software_units": limit(20, 10), "run": switch()})


HOSTILE = "<script>document.title='evil'</script><img src=//evil.example/x>\u202e\u2067evil {{ 7*7 }}" + "W" * 10_000
"""What a name may be: a script, marks that turn the direction of what follows, and 10 kB without a blank."""


def hostile(server: ConsoleServer) -> None:
    """Let every name be hostile, as long as it may be, of the license, a module, a user, a seat and a block."""
    text, long = HOSTILE[:200], HOSTILE[:1000]
    features = {
        "software_units": limit(20, 10),
        "users": limit(5),
        "run": switch(),
        "private_instances": Grant(kind="seats", limit=1),
        "test_queries": Grant(kind="metered", limit=1000),
    }
    claims = {"customer": text, "edition": text, "jti": text, "iss": text, "contact": long}
    server.install(features=features, other_claims={HOSTILE: HOSTILE}, **claims)
    server.publish(text, 12, version=HOSTILE, by=HOSTILE)
    for name in (text, f"2 {HOSTILE}"[:200]):
        server.platform.people.add(name, Role.DEVELOPER, actor=HOSTILE)
    server.guard.lease("private_instances", text, timedelta(minutes=5))
    with suppress(Queued):
        server.guard.lease("private_instances", f"2 {HOSTILE}"[:200], timedelta(minutes=5), queue=True)
    server.guard.take_block("test_queries", 100, holder=text)
    notified(server, HOSTILE.replace("/", "|")[:200], HOSTILE)


def rich(server: ConsoleServer) -> None:
    """Let there be something of everything: modules, users, seats and who waits, blocks, a warning, a full limit."""
    features = {
        "software_units": limit(100, 10),
        "users": limit(5),
        "front_end_servers": limit(2),
        "run": switch(),
        "test_query": switch(),
        "private_instances": Grant(kind="seats", limit=1),
        "test_queries": Grant(kind="metered", limit=1000, tolerance_percent=10),
    }
    server.install(features=features, exp=numeric(NOW + 20 * DAY), grace_until=numeric(NOW + 50 * DAY))
    for number, units in enumerate((31, 24, 18, 12, 5, 3, 2, 1, 1, 1, 1)):
        server.publish(f"module-{number}", units, version=f"1.{number}.0")
    for name in ("maria", "jonas", "li", "amara", "sofia"):
        server.platform.people.add(name, Role.DEVELOPER, actor="ada")
    server.platform.people.deactivate("sofia", actor="ada")
    server.guard.lease("private_instances", "maria", timedelta(minutes=5))
    with suppress(Queued):
        server.guard.lease("private_instances", "jonas", timedelta(minutes=5), queue=True)
    server.guard.consume("test_queries", 740, key="k")
    server.guard.take_block("test_queries", 100, holder="worker 7")
    a_history(server)
    notified(server, "on call", "ada")


def a_history(server: ConsoleServer) -> None:
    """Let there have been usage for a month, modules nobody has used since, and users nobody has seen."""
    today, long_ago = day_of(server.guard.now()), server.guard.now() - 100 * DAY
    with server.guard.database.write() as connection:
        for feature, most in (("software_units", 99), ("users", 4), ("private_instances", 1), ("test_queries", 840)):
            for ago in range(1, 31):
                peak = most * (40 - ago) // 40
                row = {"feature": feature, "day": today - ago * DAY, "peak": peak, "total": peak}
                connection.execute(insert(usage_days).values(samples=1, maximum=100, **row))
        connection.execute(update(modules).where(modules.c.name < "module-2").values(changed_at=long_ago))
        connection.execute(update(users).where(users.c.name < "k").values(changed_at=long_ago))


def notified(server: ConsoleServer, name: str, actor: str) -> None:
    """Let there be a channel nobody is at, a test of it, and nothing that is told while somebody looks."""
    settings = server.platform.notification_settings
    settings.set_rules(Rules(expiry_days=(), limit_percents=()), actor="ada")
    channel, _ = settings.add(Webhook(name=name, url="http://127.0.0.1:1/"), actor=actor)
    server.platform.notifier.test(channel, actor=actor)
