"""How a server comes into each state of its license."""

from datetime import timedelta

from builders import DAY, NOW, a_status_list, limit, numeric, switch
from console_server import ConsoleServer

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
