"""Serial numbers: what is typed wrong is told as such, never taken for another server's."""

import random
from collections.abc import Iterator
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.license import serial
from placet.license.serial import ALPHABET, SerialNumberError, from_random, parse

SOME = [from_random("".join(random.Random(seed).choices(ALPHABET, k=18))) for seed in range(25)]  # noqa: S311
LOOK_ALIKES = {"0": "Oo", "1": "IiLl"}


def plain(number: str) -> str:
    return number.replace("-", "")


def is_detected(number: str) -> bool:
    try:
        parse(number)
    except SerialNumberError:
        return True
    return False


def test_a_new_one_is_canonical_and_unlike_the_last() -> None:
    numbers = {serial.generate() for _ in range(200)}
    assert len(numbers) == 200
    for number in numbers:
        assert parse(number) == number
        assert [len(group) for group in number.split("-")] == [4, 4, 4, 4, 4]
        assert set(plain(number)) <= set(ALPHABET)
        serial.check(number)


def test_check_characters_stay_what_they_are() -> None:
    assert from_random("7QX49KD2M3HTV8RWC0") == "7QX4-9KD2-M3HT-V8RW-C0WW"
    assert from_random("000000000000000000") == "0000-0000-0000-0000-000H"


@pytest.mark.parametrize("number", SOME)
def test_every_substitution_of_one_character_is_detected(number: str) -> None:
    characters = plain(number)
    for position, right in enumerate(characters):
        for wrong in ALPHABET:
            if wrong != right:
                assert is_detected(characters[:position] + wrong + characters[position + 1 :])


@pytest.mark.parametrize("number", SOME)
def test_every_transposition_of_neighbours_in_the_sample_is_detected(number: str) -> None:
    characters = plain(number)
    for position in range(len(characters) - 1):
        left, right = characters[position : position + 2]
        if left != right:
            assert is_detected(characters[:position] + right + left + characters[position + 2 :])


def transpositions() -> Iterator[tuple[str, str]]:
    """Each pair of neighbours in each of the 32 states the second check can be in, right and transposed."""
    for state in ALPHABET:
        for left, right in combinations(ALPHABET, 2):
            number = plain(from_random(f"{state}{left}{right}{'0' * 15}"))
            yield number, f"{state}{right}{left}{number[3:]}"


def test_exactly_one_transposition_in_15872_is_not_detected() -> None:
    """Luhn mod 32 confuses 0Z with Z0 and nothing else; ISO 7064 mod 33,32 confuses those in one state of 32."""
    pairs = list(transpositions())
    missed = [(right, wrong) for right, wrong in pairs if not is_detected(wrong)]
    assert len(pairs) == 15_872
    assert missed == [("S0Z0000000000000008D", "SZ00000000000000008D")]


@pytest.mark.parametrize("number", SOME)
def test_missing_and_doubled_characters_are_detected(number: str) -> None:
    characters = plain(number)
    for position in range(len(characters)):
        assert is_detected(characters[:position] + characters[position + 1 :])
        assert is_detected(characters[:position] + characters[position] + characters[position:])


@given(st.text(ALPHABET, min_size=18, max_size=18), st.data())
def test_it_is_read_as_people_write_it(characters: str, data: st.DataObject) -> None:
    number = from_random(characters)
    written = ""
    for character in number:
        if character == "-":
            written += data.draw(st.sampled_from(["-", " ", "", " - ", "--"]))
        else:
            written += data.draw(st.sampled_from([character, character.lower(), *LOOK_ALIKES.get(character, "")]))
    around = data.draw(st.sampled_from(["", " ", "\n", "\r\n", "\t"]))
    assert parse(around + written + around) == number


def test_what_was_read_is_checked_in_documents() -> None:
    number = SOME[0]
    for other in (number.lower(), plain(number), f" {number}", number.replace("-", " ")):
        assert parse(other) == number
        with pytest.raises(SerialNumberError, match=f"has to be written {number!r}"):
            serial.check(other)
    with pytest.raises(SerialNumberError, match="typing error"):
        serial.check("0000-0000-0000-0000-0000")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "'' has 0", id="empty"),
        pytest.param("----", "has 0", id="hyphens_alone"),
        pytest.param("7QX4-9KD2", "'7QX4-9KD2' has 8", id="half_of_it"),
        pytest.param("U" * 20, "'U' does not occur", id="u_is_not_in_the_alphabet"),
        pytest.param("7QX4_9KD2_M3HT_V8RW_C0WW", "'_' does not occur", id="underscores"),
        pytest.param("7QX4-9KD2-M3HT-V8RW-C0W€", "'€' does not occur", id="foreign_character"),
        pytest.param("7QX4-9KD2-M3HT\t-V8RW-C0WW", r"'\\t' does not occur", id="tab_inside"),
        pytest.param("\ud8007QX4", r"'\\ud800' does not occur", id="half_a_character"),
        pytest.param("7QX4-9KD2-M3HT-V8RW-C0WX", "'7QX4-9KD2-M3HT-V8RW-C0WX' holds a typing error", id="mistyped"),
        pytest.param("7" * 201, "this text has 201", id="too_long"),
        pytest.param("7QX4-9KD2-M3HT-V8RW-C0WW" + " " * 200 + "X", "this text has 225", id="something_far_behind"),
        pytest.param("7" * 10**7, "this text has 10,000,000", id="enormous"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    with pytest.raises(SerialNumberError, match=told) as refused:
        parse(text)
    assert len(str(refused.value)) < 250


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    if not is_detected(text):
        assert parse(parse(text)) == parse(text)
