"""Signing in, as the command line has it: the first link, options of ``serve``, and ``placet session`` and ``user``."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from builders import EVERYTHING
from console_server import OVERVIEW, ConsoleServer, running
from placet.cli import cli
from placet.cli.openid import openid_options
from placet.cli.serving import first_sign_in, open_server, sign_in_link
from placet.store.credentials import Role


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    with running(tmp_path_factory.mktemp("signing-in") / "data") as server:
        yield server


def run(server: ConsoleServer, *arguments: str, role: Role = Role.ADMINISTRATOR, name: str = "root") -> Result:
    token = server.token(role, name)
    return CliRunner().invoke(cli, arguments, env={"PLACET_SERVER": server.url, "PLACET_TOKEN": token})


def test_the_first_link_is_told_once_then_that_it_was_told_and_then_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.platform.public_url = "https://placet.example"
        said = first_sign_in(server.platform, server.url)
        assert said is not None
        assert "https://placet.example/service-center/sign-in?code=pls_" in said
        again = first_sign_in(server.platform, server.url)
        assert again is not None
        assert "pls_" not in again
        assert "was printed before" in again
        assert "placet admin sign-in" in again
        with server.client() as browser:
            code = said.rpartition("code=")[2]
            assert browser.get("/service-center/sign-in", params={"code": code}).headers["location"] == OVERVIEW
        assert first_sign_in(server.platform, server.url) is None
        server.platform.public_url = None
        assert sign_in_link(server.platform, server.url).startswith(f"{server.url}/service-center/sign-in?code=pls_")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"public_url": "placet.example"}, "--public-url: 'placet.example' is not an address"),
        ({"public_url": "https://placet.example/path"}, "is not an address"),
        ({"public_url": "https://user@placet.example"}, "is not an address"),
        ({"public_url": "javascript://x"}, "is not an address"),
        ({"session_lasts": "soon"}, "--session-lasts: "),
        ({"session_idle": "1m"}, "5 minutes at least"),
        ({"session_lasts": "1h", "session_idle": "2h"}, "not be idle for longer"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, str], why: str) -> None:
    with pytest.raises(Exception, match=why) as caught:
        open_server(tmp_path / "data", tmp_path / "trust", **options)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2  # type: ignore[attr-defined]
    assert not (tmp_path / "data").exists()


GOOD = ("--oidc-issuer", "https://sso.example", "--oidc-client-id", "placet")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--oidc-create",), "need --oidc-issuer"),
        (("--oidc-client-id", "placet"), "need --oidc-issuer"),
        (GOOD[:2], "needs --oidc-client-id"),
        (("--oidc-issuer", "http://sso.example", *GOOD[2:]), "over plain http"),
        ((*GOOD, "--oidc-administrators", "groups"), "is not CLAIM=VALUE"),
        ((*GOOD, "--oidc-administrators", "=x"), "is not CLAIM=VALUE"),
        ((*GOOD, "--oidc-scope", "profile"), "to have 'openid'"),
        ((*GOOD, "--oidc-name-claim", ""), "may not be empty"),
    ],
)
def test_what_cannot_be_said_of_a_provider(tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    place = ("serve", "--data", str(tmp_path / "data"), "--trust", str(tmp_path / "none"), "--port", "0")
    done = CliRunner().invoke(cli, [*place, *arguments])
    assert done.exit_code == 2
    assert why in " ".join(done.output.split())
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("content", [b"", b"  \n", b"one\ntwo", b"\xff", b"x" * 5000, None])
def test_a_file_that_holds_no_secret(tmp_path: Path, content: bytes | None) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    place = ("serve", "--data", str(tmp_path / "data"), "--trust", str(tmp_path / "none"), "--port", "0")
    done = CliRunner().invoke(cli, [*place, *GOOD, "--oidc-client-secret", str(secret)])
    assert done.exit_code == 3
    assert "secret" in done.output


def test_what_is_said_of_a_provider_reaches_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of placet\n")
    more = ("--oidc-client-secret", str(tmp_path / "secret"), "--oidc-administrators", "groups=a=b", "--oidc-create")

    @click.command()
    @openid_options
    def say(*, openid: object) -> object:
        return openid

    found = say.main([*GOOD, *more], standalone_mode=False)
    settings = found.settings
    assert (settings.client_secret, settings.administrators, settings.create) == ("of placet", ("groups", "a=b"), True)
    assert settings.provider == "sso.example"
    assert "of placet" not in repr(settings)
    assert say.main([], standalone_mode=False) is None


def test_sessions_on_the_command_line(server: ConsoleServer) -> None:
    with server.client(Role.DEVELOPER, name="dan") as dan, server.client(Role.DEVELOPER, name="eve") as eve:
        assert run(server, "session", "list").output == "There are no sessions.\n"
        table = run(server, "session", "list", "--everybody").output
        assert "SIGNED IN BY" in table
        assert {"dan", "eve"} <= set(table.split())
        (own,) = json.loads(run(server, "session", "list", "--json", role=Role.DEVELOPER, name="dan").output)
        refused = run(server, "session", "list", "--everybody", role=Role.DEVELOPER, name="dan")
        assert (refused.exit_code, "Only an administrator" in refused.output) == (1, True)
        assert run(server, "session", "end", str(own["id"])).output == f"Session {own['id']} has ended.\n"
        assert dan.get(OVERVIEW).status_code == 303
        assert run(server, "session", "end", str(own["id"])).exit_code == 1
        assert run(server, "session", "end-all", "--name", "eve").output == "1 session ended.\n"
        assert eve.get(OVERVIEW).status_code == 303
        assert run(server, "session", "end-all", "--name", "eve", "--everybody").exit_code == 2


def test_a_users_password_and_identity_on_the_command_line(server: ConsoleServer) -> None:
    server.install(features=EVERYTHING)
    server.platform.people.add("maria", Role.DEVELOPER, actor="root")
    link = run(server, "user", "password-link", "maria").output
    assert link.startswith(f"{server.url}/service-center/set-password?code=plp_")
    assert link.count("\n") == 1
    assert run(server, "user", "password-link", "nobody").exit_code == 1
    assert run(server, "user", "unlink", "maria").output == "maria is linked to nobody at the provider.\n"
