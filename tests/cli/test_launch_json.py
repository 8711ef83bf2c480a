"""A launch.json that somebody wrote by hand stays as it was, but for the one configuration."""

import json
from pathlib import Path
from typing import Any

import pytest

from placet.cli.launch_json import put_configuration, with_configuration

OURS: dict[str, Any] = {"name": "Placet: shop", "type": "debugpy", "connect": {"host": "127.0.0.1", "port": 4711}}
BY_HAND = """// by hand
{
    "version": "0.2.0", /* "configurations": [1] */
    "inputs": [{"id": "a // b", "default": "c, ]"}],
    "configurations": [
        // the one that matters
        {"name": "Mine, }", "type": "node", "args": ["\\"// no comment",],},
    ],
}
"""


def test_it_is_made_where_it_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / ".vscode" / "launch.json"
    put_configuration(path, OURS)
    assert json.loads(path.read_text()) == {"version": "0.2.0", "configurations": [OURS]}
    before = path.stat().st_ino
    put_configuration(path, OURS)
    assert path.stat().st_ino == before, "what is the same is not written"


def test_comments_and_other_configurations_stay_letter_for_letter() -> None:
    once = with_configuration(BY_HAND, OURS)
    head, _, tail = BY_HAND.partition('"configurations": [\n')
    assert once.startswith(head)
    assert once.endswith(tail)
    moved = OURS | {"connect": {"host": "127.0.0.1", "port": 5000}}
    again = with_configuration(once, moved)
    assert again == once.replace("4711", "5000")
    assert with_configuration(again, moved) == again


@pytest.mark.parametrize(
    "text",
    [
        '{"configurations": []}',
        '{"configurations": [ /* none */ ]}',
        '\n{"a": {"configurations": [1]}, "configurations": [{}]}',
    ],
)
def test_it_is_put_into_the_list_of_the_document(text: str) -> None:
    changed = with_configuration(text, OURS)
    assert changed.count("Placet: shop") == 1
    assert changed.endswith(text.partition("[")[2][-3:])


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "{", "null", "\x00", '{"configurations": {}}'),
        *('{"configurations": [1', '{"configurations": [/*]}', '{"configurations": ["\n"]}'),
    ],
)
def test_what_is_not_understood_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "launch.json"
    path.write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the reader of JSON says
        put_configuration(path, OURS)
    assert path.read_text() == text


def test_of_a_member_given_twice_the_last_counts() -> None:
    changed = with_configuration('{"configurations": [1], "configurations": [2]}', OURS)
    assert changed.startswith('{"configurations": [1], "configurations": [\n')
    assert json.loads(changed)["configurations"] == [OURS, 2]


def test_what_is_too_large_or_no_text_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "launch.json"
    for data in (b" " * (1024 * 1024 + 1), b'{"configurations": [], "x": "\xff"}', b'{"a":' * 50_000):
        path.write_bytes(data)
        with pytest.raises((ValueError, RecursionError)):
            put_configuration(path, OURS)
        assert path.read_bytes() == data


def test_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "launch.json"
    real.write_text('{"configurations": []}')
    link.symlink_to(real)
    put_configuration(link, OURS)
    assert link.is_symlink()
    assert json.loads(real.read_text())["configurations"] == [OURS]
