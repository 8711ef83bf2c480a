"""What is measured, and the floor of each: the least that anybody would write by hand for the same effect."""

import itertools
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet import Guard
from placet.enforcement import Limit, Operation, Product, Switch
from placet.license import FORMAT_VERSION, Grant, SigningKey, Terms, TrustStore, issue, serial, verify

PRODUCT = Product(
    "bench",
    features=(Switch("run", "Run"), Limit("units", "Units")),
    operations=(Operation("run", requires="run"), Operation("publish", consumes=("units",))),
)


class Pair(NamedTuple):
    """Something of Placet's and its floor; each is called ``repeat`` times a round."""

    name: str
    ours: Callable[[], object]
    floor: Callable[[], object]
    floor_name: str
    repeat: int
    aim: str


def _terms(serial_number: str) -> Terms:
    now = int(time.time())
    return Terms(
        iss="Bench",
        sub=serial_number,
        serial_number=serial_number,
        jti="bench",
        iat=now,
        exp=now + 10**8,
        version=FORMAT_VERSION,
        sequence=1,
        customer="Bench",
        features={"run": Grant(kind="switch"), "units": Grant(kind="limit", limit=10**9)},
    )


def _trust(key: SigningKey) -> bytes:
    return json.dumps({"keys": [key.public_jwk()]}).encode()


def _guard(directory: Path) -> Guard:
    key = SigningKey.generate()
    guard = Guard.open(f"sqlite:///{directory}/guard.sqlite3", PRODUCT, _trust(key))
    guard.install(issue(_terms(guard.status().serial_number), [key]))
    return guard


def decision_pair(directory: Path) -> Pair:
    """A decision for a switch, against two look-ups and a comparison with the time."""
    guard = _guard(directory)
    features, expires_at = {"run": True}, {"run": time.time() + 10**8}

    def by_hand() -> bool:
        return features["run"] and time.time() < expires_at["run"]

    return Pair(
        "decision for a switch",
        partial(guard.check, "run"),
        by_hand,
        "two look-ups, time.time()",
        20_000,
        "at most 1.5",
    )


def verification_pair() -> Pair:
    """Verifying a whole license, against the bare Ed25519 verification of a message of the same length."""
    key, number = SigningKey.generate(), serial.generate()
    data, trust = issue(_terms(number), [key]), TrustStore.from_jwks(_trust(key))
    private, message = Ed25519PrivateKey.generate(), data[:700]
    public, signature = private.public_key(), private.sign(message)
    floor_name = "Ed25519 alone, of the same library"
    return Pair(
        "verifying a license",
        lambda: verify(data, trust),
        lambda: public.verify(signature, message),
        floor_name,
        200,
        "(1.15)",
    )


def allocation_pair(directory: Path) -> Pair:
    """A durable allocation with its audit event, against a raw transaction of the same statements."""
    guard = _guard(directory)
    raw = sqlite3.connect(directory / "raw.sqlite3", isolation_level=None)
    for statement in _RAW_SCHEMA:
        raw.execute(statement)
    units: Iterator[int] = itertools.cycle([1, 2, 3, 4])

    def ours() -> None:
        with guard.allocation("publish", "orders", units=next(units)):
            pass

    def by_hand() -> None:
        raw.execute("BEGIN IMMEDIATE")
        amount = next(units)
        (held,) = raw.execute("SELECT amount FROM allocations WHERE holder = 'orders'").fetchone()
        change = amount - held
        raw.execute("UPDATE totals SET used = used + ? WHERE used + ? <= 1000000000", (change, change))
        raw.execute("UPDATE allocations SET amount = ? WHERE holder = 'orders'", (amount,))
        raw.execute("INSERT INTO audit (at, detail) VALUES (?, ?)", (time.time(), "allocated"))
        raw.execute("COMMIT")

    return Pair("durable allocation with audit (SQLite FULL)", ours, by_hand, "raw sqlite3 transaction", 40, "(1.5)")


_RAW_SCHEMA = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "CREATE TABLE totals (feature TEXT PRIMARY KEY, used INTEGER)",
    "CREATE TABLE allocations (holder TEXT PRIMARY KEY, amount INTEGER)",
    "CREATE TABLE audit (id INTEGER PRIMARY KEY, at REAL, detail TEXT)",
    "INSERT INTO totals VALUES ('units', 1)",
    "INSERT INTO allocations VALUES ('orders', 1)",
)


def startup_pairs() -> list[Pair]:
    """Starting the command line, against starting Python and importing Click."""
    placet = str(Path(sys.executable).with_name("placet"))

    def run(*arguments: str) -> Callable[[], object]:
        return lambda: subprocess.run(arguments, check=True, capture_output=True)

    floor = run(sys.executable, "-c", "import click")
    return [
        Pair(f"placet {argument}", run(placet, argument), floor, "python -c 'import click'", 1, "under 300 ms")
        for argument in ("--version", "--help")
    ]
