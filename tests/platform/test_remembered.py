"""Credentials remembered: for a second where they are believed, for five minutes where nobody can be asked."""

import time

import pytest

from builders import NOW
from placet.platform.remembered import LATELY_SECONDS, REMEMBERED_SECONDS, Remembered
from placet.store.credentials import Credential, Kind, Role


def credential(number: int) -> Credential:
    return Credential(
        id=number, kind=Kind.TOKEN, name="ann", role=Role.DEVELOPER, created_at=NOW, expires_at=None, ended_at=None
    )


@pytest.mark.parametrize(
    ("ago", "lately", "still"), [(0.0, True, True), (LATELY_SECONDS, False, True), (REMEMBERED_SECONDS, False, False)]
)
def test_it_is_known_since_it_was_asked_for(ago: float, lately: bool, still: bool) -> None:
    remembered = Remembered()
    remembered.note(Kind.TOKEN, "secret", credential(1), asked_at=time.monotonic() - ago)
    assert (remembered.find(Kind.TOKEN, "secret", lately=True) is not None) is lately
    assert (remembered.find(Kind.TOKEN, "secret") is not None) is still


def test_the_oldest_are_forgotten_where_there_are_too_many() -> None:
    remembered = Remembered(most=3)
    for number in range(5):
        remembered.note(Kind.TOKEN, f"secret {number}", credential(number), asked_at=time.monotonic())
    known = [remembered.find(Kind.TOKEN, f"secret {number}", lately=True) for number in range(5)]
    assert [each and each.id for each in known] == [None, None, 2, 3, 4]


def test_what_is_ended_or_unknown_is_forgotten() -> None:
    remembered = Remembered()
    for number in (1, 2):
        remembered.note(Kind.TOKEN, f"secret {number}", credential(number), asked_at=time.monotonic())
    remembered.forget(1)
    remembered.note(Kind.TOKEN, "secret 2", None, asked_at=time.monotonic())
    assert [remembered.find(Kind.TOKEN, f"secret {number}") for number in (1, 2)] == [None, None]
