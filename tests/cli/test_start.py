"""The command line before it does anything: help, version, completion, wrong usage, and what it does not import."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from contract.driver import placet
from placet.cli import _COMMANDS, cli
from placet.cli.serving import listening

HEAVY = ("sqlalchemy", "litestar", "cryptography", "httpx2", "alembic", "joserfc", "uvicorn", "msgspec", "structlog")


def commands(command: click.Command = cli, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command there is, with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, *path, name)


EVERY = dict(commands())


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["-h"], [], ["module", "--help"], ["license", "-h"]])
def test_what_answers_at_once_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import json, sys\nfrom placet.cli import main\nsys.argv = ['placet', *json.loads(sys.argv[1])]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nprint()\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(arguments)], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded.isdisjoint(HEAVY), loaded.intersection(HEAVY)


def test_the_help_of_a_command_is_its_own() -> None:
    for name, (_, help_) in _COMMANDS.items():
        own = EVERY[(name,)].get_short_help_str(limit=200)
        assert own.rstrip(".") == help_.rstrip("."), name
    assert sorted(_COMMANDS) == sorted(path[0] for path in EVERY if len(path) == 1)


def test_the_contract_has_its_commands() -> None:
    expected = {
        "vendor": ("init", "issue"),
        "admin": ("token", "new-serial", "doctor"),
        "license": ("request", "show", "install", "status", "history", "restore"),
        "module": ("publish", "list", "delete", "run", "debug", "query"),
        "user": ("list", "add", "deactivate", "activate"),
    }
    assert {(group, name) for group, names in expected.items() for name in names} | {("serve",)} <= set(EVERY)


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    context = click.Context(EVERY[path], info_name="placet")
    text = EVERY[path].get_help(context)
    assert len(text.splitlines()) > 3
    for parameter in EVERY[path].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help or parameter.show_default, (path, parameter.name)


@pytest.mark.parametrize("path", [("module", "publish"), ("license", "install"), ("serve",), ("admin", "token")])
def test_help_is_asked_for_in_two_ways(path: tuple[str, ...]) -> None:
    long, short = (placet(*path, word) for word in ("--help", "-h"))
    assert (long.status, long.err) == (0, "")
    assert long == short
    assert long.out.startswith(f"Usage: placet {' '.join(path)} ")


def test_version_and_help_of_the_whole() -> None:
    version = placet("--version")
    assert (version.status, version.out.split()[0], version.err) == (0, "placet", "")
    whole = placet("--help")
    assert whole.status == 0
    for name, (_, help_) in _COMMANDS.items():
        assert name in whole.out
        assert help_.split()[0] in whole.out
    assert "Exit status: 0 done, 1 refused, 2 wrong usage, 3 failed." in whole.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_calls_placet(shell: str) -> None:
    done = placet("completion", shell)
    assert (done.status, done.err) == (0, "")
    assert "_PLACET_COMPLETE" in done.out


def test_the_bash_script_is_a_script() -> None:
    script = placet("completion", "bash").out
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_completion_completes() -> None:
    words = {"_PLACET_COMPLETE": "bash_complete", "COMP_WORDS": "placet mod", "COMP_CWORD": "1"}
    assert "module" in placet(**words).out
    words = {"_PLACET_COMPLETE": "bash_complete", "COMP_WORDS": "placet module ", "COMP_CWORD": "2"}
    assert {"publish", "delete", "query"} <= set(placet(**words).out.replace(",", "\n").split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["module"],
        ["module", "nonsense"],
        ["module", "publish"],
        ["module", "publish", "/nowhere/at/all"],
        ["module", "publish", ".", "--nonsense"],
        ["module", "query", "shop"],
        ["module", "query", "shop", "SELECT 1", "--param", "no equals sign"],
        ["module", "query", "shop", "SELECT 1", "--param", "=1"],
        ["module", "query", "shop", "SELECT 1", "--max-rows", "0"],
        ["module", "query", "shop", "SELECT 1", "--max-rows", "many"],
        ["license", "restore", "first"],
        ["license", "restore", "0"],
        ["license", "restore", "-1"],
        ["license", "install"],
        ["license", "show"],
        ["user", "add"],
        ["user", "add", "maria", "--role", "queen"],
        ["admin", "token", "--data", "d", "--role", "administrator"],
        ["admin", "token", "--data", "d", "--role", "king", "--name", "x"],
        ["admin", "token", "--data", "d", "--role", "developer", "--name", " "],
        ["admin", "token", "--data", "d", "--role", "developer", "--name", "a\nb"],
        ["admin", "token", "--data", "d", "--role", "developer", "--name", "x" * 201],
        ["admin", "sign-in", "--data", "d", "--name", ""],
        ["admin", "sign-in", "--data", "d", "--name", "a\nb"],
        ["admin", "doctor"],
        ["serve"],
        ["serve", "--data", "d", "--trust", "t", "--port", "70000"],
        ["serve", "--data", "d", "--trust", "t", "--port", "http"],
        ["serve", "--data", "d", "--trust", "t", "--warn-before", "soon"],
        ["serve", "--data", "d", "--trust", "t", "--instances-last", "0h"],
        ["serve", "--data", "d", "--trust", "t", "--instances-last", "ever"],
        ["completion", "dos"],
        ["license", "status", "--server", "ftp://127.0.0.1"],
        ["license", "status", "--server", "127.0.0.1:8000"],
        ["license", "status", "--server", "http://"],
        ["license", "status", "--server", ""],
        ["license", "status", "--token", "two\nlines"],
        ["license", "status", "--token", "türkis"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(arguments: list[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    done = placet(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err
    assert "Failed" not in done.err


def test_what_is_answered_is_sent_at_once() -> None:
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
