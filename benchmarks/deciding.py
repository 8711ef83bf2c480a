"""Decisions, verification, and the start of the command line."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from floors import Decider
from installing import Place, a_guard, terms, trust_store
from measuring import Case, alone, costs_at_most, takes_at_most

from placet.license import SigningKey, TrustStore, issue, serial, verify
from placet.license.jws import read_envelope

MANY = 100


def cases(place: Place) -> Iterator[Case]:
    """The cases of this subject."""
    with ExitStack() as stack:
        guard, decider = a_guard(place.sqlite("deciding"), stack), Decider()
        yield Case(
            "a decision for a switch",
            alone(_repeated(guard.check), units=MANY),
            alone(_repeated(decider.check), units=MANY),
            "two dict look-ups, time.time() and a comparison",
            costs_at_most(1.5),
        )
    yield _verification()
    placet = str(Path(sys.executable).with_name("placet"))
    floor = alone(_running(sys.executable, "-c", "import click"))
    for argument in ("--version", "--help"):
        name = f"starting `placet {argument}`"
        yield Case(name, alone(_running(placet, argument)), floor, "Python importing Click", takes_at_most(0.3))


def _repeated(check: Callable[[str], object]) -> Callable[[], None]:
    def many() -> None:
        for _ in range(MANY):
            check("run")

    return many


def _verification() -> Case:
    key, number = SigningKey.generate(), serial.generate()
    data, trust = issue(terms(number), [key]), TrustStore.from_jwks(trust_store(key))
    envelope = read_envelope(data)
    private, message = Ed25519PrivateKey.generate(), f"{envelope.signatures[0].protected}.{envelope.payload}".encode()
    public, signature = private.public_key(), private.sign(message)
    return Case(
        "verifying a license",
        alone(partial(verify, data, trust)),
        alone(partial(public.verify, signature, message)),
        "Ed25519 alone, of the same bytes by the same library",
        costs_at_most(1.15),
    )


def _running(*arguments: str) -> Callable[[], object]:
    return partial(subprocess.run, arguments, check=True, capture_output=True)
