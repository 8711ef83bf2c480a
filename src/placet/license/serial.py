"""Serial numbers: the identity of one server installation.

Twenty characters of Crockford's base 32, in groups of four: eighteen random ones (90 bits) and two check
characters, so that a typing error is told as such instead of as a license for another server. The first check
character is Luhn mod 32 over the eighteen, the second ISO 7064 mod 33,32 over the nineteen before it.

The alphabet has no I, L, O or U; as input ``O`` is read as ``0``, ``I`` and ``L`` as ``1``, in either case, with
hyphens and spaces anywhere.
"""

import re
import secrets
from functools import lru_cache

from stdnum import luhn
from stdnum.iso7064 import mod_37_36

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 20
_RANDOM = 18
_LONGEST = 200
_CANONICAL = re.compile("-".join(["[0-9A-HJKMNP-TV-Z]{4}"] * (LENGTH // 4)))
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class SerialNumberError(ValueError):
    """Text that is not a serial number; the message says whether it looks like a typing error."""


def generate() -> str:
    """Answer a new random serial number, such as ``7QX4-9KD2-M3HT-V8RW-C04F``."""
    return from_random("".join(secrets.choice(ALPHABET) for _ in range(_RANDOM)))


def from_random(characters: str) -> str:
    """Complete eighteen characters of :data:`ALPHABET` with their check characters, in groups."""
    number = characters + luhn.calc_check_digit(characters, ALPHABET)
    return _grouped(number + mod_37_36.calc_check_digit(number, ALPHABET))


def parse(text: str) -> str:
    """Answer ``text`` in its one canonical form, or raise :class:`SerialNumberError` saying what is wrong with it."""
    if len(text) > _LONGEST:
        raise SerialNumberError(f"A serial number has {LENGTH} characters; this text has {len(text):,}.")
    number = text.strip().upper().translate(_READ_AS)
    foreign = [character for character in number if character not in ALPHABET]
    if foreign:
        raise SerialNumberError(
            f"{foreign[0]!r} does not occur in serial numbers. Check {text[:60]!r} for a typing error."
        )
    if len(number) != LENGTH:
        raise SerialNumberError(
            f"A serial number has {LENGTH} characters without the hyphens; {text[:60]!r} has {len(number)}."
        )
    if not _fits(number):
        raise SerialNumberError(
            f"{_grouped(number)!r} holds a typing error: its check characters do not fit. Copy the serial number anew."
        )
    return _grouped(number)


def check(text: str) -> None:
    """Raise :class:`SerialNumberError` unless ``text`` is a serial number in its one canonical form.

    Documents hold serial numbers in that form alone, so that comparing them is comparing texts.
    """
    if _CANONICAL.fullmatch(text) and _fits(text.replace("-", "")):
        return
    if (canonical := parse(text)) != text:
        raise SerialNumberError(f"The serial number {text[:60]!r} has to be written {canonical!r} in a document.")


@lru_cache(maxsize=64)  # a server is asked about its own, over and over
def _fits(number: str) -> bool:
    """Tell whether the check characters of twenty characters of the alphabet are theirs."""
    return mod_37_36.is_valid(number, ALPHABET) and luhn.is_valid(number[:-1], ALPHABET)


def _grouped(number: str) -> str:
    return "-".join(number[start : start + 4] for start in range(0, len(number), 4))
