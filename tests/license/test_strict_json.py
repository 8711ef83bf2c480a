"""One meaning for every byte sequence."""

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.license import Diagnosis, DocumentRejected
from placet.license.strict_json import loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def diagnosis(text: str) -> Diagnosis:
    with pytest.raises(DocumentRejected) as refused:
        loads(text)
    return refused.value.rejection.diagnosis


@given(VALUES, st.booleans())
def test_it_reads_what_json_writes(value: object, ascii_only: bool) -> None:
    assert loads(json.dumps(value, ensure_ascii=ascii_only)) == value


@given(VALUES)
def test_what_is_read_quickly_is_read_alike(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert repr(loads(text)) == repr(json.loads(text))


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert loads(r'{"name": "\ud83d\ude00 A"}') == {"name": "😀 A"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", Diagnosis.NOT_JSON, id="empty"),
        pytest.param("eyJhbGciOiJub25lIn0.e30.", Diagnosis.NOT_JSON, id="compact_jws"),
        pytest.param("[1, 2", Diagnosis.NOT_JSON, id="cut_array"),
        pytest.param('"cut string', Diagnosis.NOT_JSON, id="cut_string"),
        pytest.param('{"a": "b', Diagnosis.TRUNCATED, id="cut_in_a_string"),
        pytest.param(r'{"a": "\u12', Diagnosis.NOT_JSON, id="cut_in_an_escape"),
        pytest.param('{"a": 1', Diagnosis.TRUNCATED, id="cut_after_a_number"),
        pytest.param('{"a": tru', Diagnosis.NOT_JSON, id="cut_in_a_word"),
        pytest.param('{"a": 1}}', Diagnosis.NOT_JSON, id="something_behind"),
        pytest.param("{'a': 1}", Diagnosis.NOT_JSON, id="single_quotes"),
        pytest.param('{"a": 1, "a": 1}', Diagnosis.DUPLICATE_MEMBER, id="twice_the_same"),
        pytest.param('{"a":1,"a":1}', Diagnosis.DUPLICATE_MEMBER, id="twice_the_same_as_it_is_written"),
        pytest.param('{"a": [{"b": 1, "b": 2}]}', Diagnosis.DUPLICATE_MEMBER, id="twice_deep_down"),
        pytest.param(r'{"a": 1, "\u0061": 2}', Diagnosis.DUPLICATE_MEMBER, id="twice_spelled_differently"),
        pytest.param('{"a": NaN}', Diagnosis.NOT_JSON, id="nan"),
        pytest.param('{"a": Infinity}', Diagnosis.NOT_JSON, id="infinity"),
        pytest.param('{"a": -Infinity}', Diagnosis.NOT_JSON, id="minus_infinity"),
        pytest.param('{"a": 1e999}', Diagnosis.ABSURD_VALUE, id="beyond_all_floats"),
        pytest.param('{"a": -1e999}', Diagnosis.ABSURD_VALUE, id="beyond_all_negative_floats"),
        pytest.param('{"a": ' + "9" * 5000 + "}", Diagnosis.ABSURD_VALUE, id="thousands_of_digits"),
        pytest.param(r'{"a": "\ud800"}', Diagnosis.NOT_JSON, id="half_a_character"),
        pytest.param(r'{"a": ["\udc00"]}', Diagnosis.NOT_JSON, id="the_other_half_in_an_array"),
        pytest.param(r'{"\ud800": 1}', Diagnosis.NOT_JSON, id="half_a_character_in_a_name"),
        pytest.param('{"a": ' + "[" * 100_000, Diagnosis.NOT_JSON, id="nested_deeply"),
        pytest.param('{"a":' * 40_000, Diagnosis.NOT_JSON, id="objects_nested_deeply"),
    ],
)
def test_what_has_no_one_meaning_is_refused(text: str, expected: Diagnosis) -> None:
    assert diagnosis(text) is expected


def test_a_name_that_occurs_twice_is_told_and_cut() -> None:
    with pytest.raises(DocumentRejected, match=r"the JSON member 'x{40}' occurs twice") as refused:
        loads(json.dumps({"x" * 100_000: 1})[:-1] + ', "' + "x" * 100_000 + '": 2}')
    assert len(str(refused.value)) < 200


def test_a_duplicate_among_thousands_is_found_at_once() -> None:
    members = ",".join(f'"{number:05d}":1' for number in range(25_000))
    started = time.perf_counter()
    assert diagnosis(f'{{{members},"24999":2}}') is Diagnosis.DUPLICATE_MEMBER
    assert time.perf_counter() - started < 2  # it was twelve seconds with a search for each name


@given(st.text())
def test_any_text_is_read_or_rejected(text: str) -> None:
    with suppress(DocumentRejected):
        loads(text)
