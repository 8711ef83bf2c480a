"""The settings: channels added, tested and removed by forms alone, thresholds, and what was told."""

from collections.abc import Iterator

import httpx2
import pytest

from console_server import ConsoleServer, Document, running
from placet.store.credentials import Role
from platform_support.receivers import Receiver, mail_server, receiver

SETTINGS = "/service-center/settings"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    with running(tmp_path_factory.mktemp("settings") / "data") as server:
        yield server


@pytest.fixture
def client(server: ConsoleServer) -> Iterator[httpx2.Client]:
    with server.client(Role.ADMINISTRATOR) as client:
        yield client
    for channel in server.platform.notification_settings.all_channels():
        server.platform.notification_settings.remove(channel.id, actor="test")


@pytest.fixture
def http() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def send(client: httpx2.Client, change: str, **fields: object) -> httpx2.Response:
    return client.post(f"{SETTINGS}/{change}", data={name: str(value) for name, value in fields.items()})


def told(client: httpx2.Client) -> str:
    """What the page that follows a change tells."""
    (notice,) = [e for e in Document(client.get(SETTINGS).text).elements if "told" in e.attributes.get("class", "")]
    return " ".join(notice.text.split())


def the_id(server: ConsoleServer) -> int:
    (channel,) = server.platform.notification_settings.all_channels()
    return channel.id


def test_a_webhook_from_its_first_form_to_its_last(
    server: ConsoleServer, client: httpx2.Client, http: Receiver
) -> None:
    assert "Nobody is told of anything yet." in client.get(SETTINGS).text
    made = send(client, "webhook", name="hook <b>", url=f"http://{http.address}/s3cret")
    assert made.status_code == 200
    (secret,) = [element.text.strip() for element in Document(made.text).elements if element.tag == "code"]
    page = client.get(SETTINGS).text
    assert "hook &lt;b&gt;" in page
    assert f"http://{http.address}/****" in page
    assert not [word for word in (secret, "s3cret") if word in page]

    assert send(client, "test", id=the_id(server)).status_code == 303
    assert told(client) == "The test was delivered to hook <b>."
    assert http.verified(secret)[0]["type"] == "test"
    http.status = 500
    send(client, "test", id=the_id(server))
    assert told(client) == (
        f"The test has not arrived at hook <b>. http://{http.address} answered 500 and has not taken it."
    )
    assert f"given up http://{http.address} answered 500" in " ".join(
        element.text for element in Document(client.get(SETTINGS).text).elements if element.tag == "td"
    )

    question = send(client, "remove", id=the_id(server))
    assert "It is the only one: nobody is told of anything then." in question.text
    assert the_id(server)
    send(client, "remove", id=the_id(server), confirmed="yes")
    assert told(client) == "hook <b> is told of nothing any more."


def test_mail_by_a_form(server: ConsoleServer, client: httpx2.Client) -> None:
    with mail_server() as mails:
        fields = {
            "name": "ops",
            "host": "127.0.0.1",
            "port": mails.port,
            "security": "none",
            "sender": "placet@b.example",
        }
        assert send(client, "mail", **fields, recipients="a@b.example, c@d.example").status_code == 303
        assert told(client) == "ops is told from now on. Send it a test."
        send(client, "test", id=the_id(server))
        assert told(client) == "The test was delivered to ops."
        assert mails.envelopes[0].rcpt_tos == ["a@b.example", "c@d.example"]


@pytest.mark.parametrize(
    ("change", "fields", "status", "sentence"),
    [
        ("mail", {"recipients": "nobody"}, 422, "'nobody' is no mail address."),
        ("mail", {"sender": "x"}, 422, "'x' is no mail address."),
        ("mail", {"recipients": "a@b " * 51}, 422, "A channel has 1 to 50 recipients"),
        ("mail", {"user": "x"}, 422, "There is a user and no password."),
        ("mail", {"host": "a b"}, 400, "The mail server has to be text"),
        ("mail", {"port": "0"}, 400, "Port has to be a whole number from 1 to 65,535"),
        ("webhook", {"url": "ftp://x/"}, 422, "A webhook has a URL of http or https"),
        ("apprise", {"url": "nobody://x"}, 422, "Apprise does not understand the URL."),
        ("rules", {"days": "soon"}, 422, "Days before expiry are whole numbers from 0 to 3,660"),
        ("rules", {"percents": "5"}, 422, "Percents are whole numbers from 10 to 1,000"),
        ("rules", {"days": " ".join(map(str, range(21)))}, 422, "at most 20 of them"),
        ("test", {"id": "4711"}, 404, "There is no notification channel 4711."),
        ("remove", {"id": "4711"}, 404, "There is no notification channel 4711."),
    ],
)
def test_what_cannot_be_done_is_told_by_the_page(
    client: httpx2.Client, change: str, fields: dict[str, str], status: int, sentence: str
) -> None:
    mail = {"name": "ops", "host": "mail.example", "sender": "a@b.example", "recipients": "c@d.example"}
    start = {"mail": mail, "webhook": {"name": "x"}, "apprise": {"name": "x"}}.get(change, {})
    answer = send(client, change, **(start | fields))
    assert answer.status_code == status
    (message,) = [e for e in Document(answer.text).elements if e.attributes.get("role") == "alert"]
    assert sentence in message.text


def test_a_password_that_was_refused_is_not_in_the_page(client: httpx2.Client) -> None:
    answer = send(
        client,
        "mail",
        name="x",
        host="h",
        sender="a@b",
        recipients="c@d",
        security="none",
        user="u",
        password="hunter22",
    )
    assert (answer.status_code, "hunter22" in answer.text) == (422, False)
    assert 'value="a@b"' in answer.text


def test_thresholds_are_set(client: httpx2.Client) -> None:
    send(client, "rules", days="1, 60 1", percents="")
    assert told(client) == "Told from now on: days before expiry 60, 1; percents of a limit none."
    send(client, "rules", days="90,30,14,7,1", percents="80,90,100")
    assert 'value="90, 30, 14, 7, 1"' in client.get(SETTINGS).text


def test_a_developer_sees_none_of_it(server: ConsoleServer) -> None:
    with server.client(Role.DEVELOPER, name="dora") as client:
        assert client.get(SETTINGS).status_code == 403
        assert send(client, "rules", days="1").status_code == 403
