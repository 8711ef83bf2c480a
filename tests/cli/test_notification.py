"""``placet notification`` against a real server, to a real receiver."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.driver import ServerProcess
from platform_support.receivers import PASSWORD, SECRET, USER, Receiver, receiver

pytestmark = pytest.mark.server


@pytest.fixture
def http() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def test_a_channel_from_its_first_line_to_its_last(server: ServerProcess, http: Receiver, tmp_path: Path) -> None:
    assert server.cli("notification", "list").out.startswith("Nobody is told of anything yet.")
    url, login = tmp_path / "url", tmp_path / "login"
    url.write_text(f"http://{http.address}/in/s3cret\n")
    login.write_text(f"{USER}\n{PASSWORD}\n")
    told = server.cli("notification", "add", "webhook", "hook", "--url", url)
    assert told.out.splitlines()[0] == "hook is told from now on. Try it: placet notification test 'hook'"
    secret = told.out.split()[-1]
    assert server.cli("notification", "test", "hook").out == "The test was delivered to hook.\n"
    assert http.verified(secret)[0]["type"] == "test"

    mail = ("--host", "127.0.0.1", "--port", 1, "--sender", "a@b", "--to", "c@d", "--to", "e@f", "--login", login)
    assert server.cli("notification", "add", "mail", "house mail", *mail).status == 0
    given = f"json://{http.address}/".encode()
    assert server.cli("notification", "add", "apprise", "chat", "--url", "-", given=given).status == 0
    listed = server.cli("notification", "list").out
    assert [line.split("  ")[0] for line in listed.splitlines()] == ["NAME", "hook", "house mail", "chat"]
    assert "c@d, e@f by 127.0.0.1:1" in listed
    assert f"http://{http.address}/****" in listed
    shown = listed + server.cli("notification", "list", "--json").out
    assert not [word for word in ("s3cret", PASSWORD, secret) if word in shown]

    done = server.cli("notification", "test", "house mail")
    assert done.status == 3
    assert done.message.startswith("The test has not arrived for certain (given_up): The mail server at 127.0.0.1")
    history = server.cli("notification", "history").out.splitlines()
    assert [line.split()[1:3] for line in history[1:3]] == [["house", "mail"], ["hook", "delivered"]]
    assert "Connection refused" in history[-1]
    assert [item["state"] for item in server.cli("notification", "history", "--json").json()] == [
        "given_up",
        "delivered",
    ]
    for name in ("hook", "house mail", "chat"):
        assert server.cli("notification", "remove", name).out == f"{name} is told of nothing any more.\n"
    gone = server.cli("notification", "test", "hook")
    assert (gone.status, "There is no notification channel 'hook'." in gone.err) == (3, True)


def test_rules(server: ServerProcess) -> None:
    assert server.cli("notification", "rules").out.splitlines() == [
        "Days before expiry  90, 30, 14, 7, 1",
        "Percent of a limit  80, 90, 100",
    ]
    asked = ("--days", "", "--percent", "95")
    assert server.cli("notification", "rules", *asked, "--json").json() == {
        "expiry_days": [],
        "limit_percents": [95],
    }
    assert server.cli("notification", "rules", "--days", "soon").status == 2
    assert server.cli("notification", "rules", "--percent", "5").status == 3
    back = ("--days", "90,30,14,7,1", "--percent", "80,90,100")
    assert server.cli("notification", "rules", *back).status == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "holds 0 words, and is to hold one"),
        (b"two words", "holds 2 words, and is to hold one"),
        (b"\xff\xfe", "is not text in UTF-8"),
        (b"x" * 20_000, "has more than 10,000 bytes"),
        (b"ftp://example.com", "A webhook has a URL of http or https"),
    ],
    ids=["empty", "two", "binary", "large", "ftp"],
)
def test_a_file_that_holds_no_url(server: ServerProcess, content: bytes, why: str) -> None:
    done = server.cli("notification", "add", "webhook", "x", "--url", "-", "--json", given=content)
    assert (done.status, why in done.err) == (3, True)
    assert why in json.dumps(done.json(), ensure_ascii=False)


def test_a_signing_secret_of_ones_own(server: ServerProcess, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    asked = ("notification", "add", "webhook", "own", "--secret", secret, "--url", "-")
    assert SECRET not in server.cli(*asked, given=b"http://127.0.0.1:1/").out
    assert server.cli("notification", "remove", "own").status == 0
