from datetime import timedelta
from pathlib import Path

import pytest

from placet.platform.durations import parse_duration
from placet.platform.manifest import MAX_MANIFEST_BYTES, Timer, parse_manifest, read_manifest
from placet.platform.problems import ModuleProblem, ProblemCode

HEAD = '[module]\nname = "orders"\nversion = "1.2.0"\nentrypoint = "orders.app:app"\n'


def invalid(text: str | bytes) -> ModuleProblem:
    with pytest.raises(ModuleProblem) as caught:
        parse_manifest(text if isinstance(text, bytes) else text.encode())
    assert caught.value.code is ProblemCode.MANIFEST_INVALID
    assert caught.value.file == "module.toml"
    return caught.value


def test_a_whole_manifest() -> None:
    manifest = parse_manifest((HEAD + '[[timer]]\nname = "tidy"\nevery = "5m"\ncall = "orders.jobs:tidy"\n').encode())
    assert (manifest.name, manifest.version, manifest.entrypoint) == ("orders", "1.2.0", "orders.app:app")
    assert manifest.timers == (Timer(name="tidy", every=timedelta(minutes=5), call="orders.jobs:tidy"),)


def test_a_byte_order_mark_and_crlf_do_no_harm() -> None:
    assert parse_manifest(b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode()).name == "orders"


@pytest.mark.parametrize("name", ["Orders", "1orders", "", "a" * 64, "or ders", "../x", "-a", "ordrés", "orders\n"])
def test_names_outside_the_form_are_refused(name: str) -> None:
    assert "'name' in [module]" in invalid(HEAD.replace('"orders"', repr(name).replace("'", '"'))).detail


@pytest.mark.parametrize("name", ["a", "a" * 63, "orders-2_x"])
def test_names_within_the_form(name: str) -> None:
    assert parse_manifest(HEAD.replace('"orders"', f'"{name}"').encode()).name == name


@pytest.mark.parametrize("version", ["1", "1.2.0", "1.0.0-rc.1+build.5", "2!1.0.post1", "a" * 64])
def test_versions_within_the_form(version: str) -> None:
    assert parse_manifest(HEAD.replace("1.2.0", version).encode()).version == version


@pytest.mark.parametrize("version", ["", "1/2", "..", "1 2", "a" * 65, ".1", "1."])
def test_versions_outside_the_form_are_refused(version: str) -> None:
    assert "'version' in [module]" in invalid(HEAD.replace("1.2.0", version)).detail


@pytest.mark.parametrize(
    "entrypoint",
    ["orders", "orders.app", ":app", "orders.app:", "orders/app:app", "a:b:c", "a..b:c", "a:b()", "a" * 300 + ":b"],
)
def test_entry_points_outside_the_form_are_refused(entrypoint: str) -> None:
    assert "package.module:name" in invalid(HEAD.replace("orders.app:app", entrypoint)).detail


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + 'entry_point = "x"', "Did you mean 'entrypoint'?"),
        (HEAD + 'verison = "x"', "Did you mean 'version'?"),
        (HEAD + 'zzz = "x"', "Known there: name, version, entrypoint, database."),
        (HEAD + '[[timers]]\nname = "x"', "Did you mean 'timer'?"),
        (HEAD + '[timer]\nname = "x"', "two brackets"),
        (HEAD + "timer = 1", "'timer' in [module] is not known"),
        (HEAD + '[[timer]]\nname = "x"\nevery = "soon"\ncall = "a:b"', "5m or 1h"),
        (HEAD + '[[timer]]\nname = "x"\nevery = 5\ncall = "a:b"', "must be text in quotes, not int"),
        (HEAD + '[[timer]]\nname = "x"\ncall = "a:b"', "has no 'every'"),
        (HEAD + '[[timer]]\nname = "x"\nevery = "1m"\ncall = "a.b"', "package.module:name"),
        (HEAD + '[[timer]]\nname="x"\nevery="1m"\ncall="a:b"\n' * 2, "2 timers are named 'x'"),
        ("timer = [1]\n" + HEAD, "must be a table"),
        ("", "has no [module]"),
        ("module = 3", "must be a table"),
        ('[module]\nname = "a"', "has no 'version'"),
        ("[module]\nname = 1", "must be text in quotes, not int"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    assert said in invalid(text).detail


def test_broken_toml_is_located() -> None:
    problem = invalid('[module]\nname = "orders\n')
    assert problem.line == 2
    assert problem.position is not None


def test_hostile_bytes_are_refused() -> None:
    assert invalid(HEAD.encode() + b"# \xff\xfe").line == 5
    assert "64 KiB" in invalid(HEAD + "#" * MAX_MANIFEST_BYTES).detail
    invalid("a = " + "[" * 50_000)
    invalid(b"\x00" * 100)
    assert "1001 timers" in invalid(HEAD + '[[timer]]\nname="x"\nevery="1m"\ncall="a:b"\n' * 1001).detail


def test_the_file_is_read_from_the_directory(tmp_path: Path) -> None:
    (tmp_path / "module.toml").write_text(HEAD)
    assert read_manifest(tmp_path).name == "orders"


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("90s", 90), ("5m", 300), ("1h", 3600), ("2d", 172800), ("366d", 366 * 86400)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "m", "0s", "-1s", "1.5h", "5 m", "5M", "367d", "999999999d", "1w", "٣m", "9" * 5000 + "s"]
)
def test_durations_outside_the_form_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)
