"""Channels: what may be written, what is shown of it, and real messages to real receivers."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from builders import NOW
from placet.platform.notifications import channels, sending
from placet.platform.notifications.channels import AppriseUrl, ChannelUnusable, Mail, Webhook, Written, to_store
from placet.platform.notifications.message import Outgoing
from placet.platform.notifications.outcome import Ending, Outcome
from placet.store.notifications import Channel
from platform_support.receivers import (
    PASSWORD,
    SECRET,
    USER,
    MailServer,
    Receiver,
    certificate_for_loopback,
    mail_server,
    receiver,
)

MESSAGE = Outgoing(
    id="msg_0123",
    kind="limit.reached",
    title="Software Units: 18 of 20 in use — 90 %",
    text="At least 90 % is in use.\n\nWhat to do: delete modules.",
    data={"used": 18, "limit": 20},
    link="https://placet.example/service-center/",
    raised_at=NOW,
)


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_for_loopback(tmp_path_factory.mktemp("tls") / "loopback.pem")


@pytest.fixture(scope="module")
def secure_server(loopback: Path) -> Iterator[MailServer]:
    with mail_server(loopback) as server:
        yield server


@pytest.fixture(scope="module")
def plain_server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def http() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


def a_mail(**written: Any) -> Mail:
    said = {"name": "ops", "host": "127.0.0.1", "sender": "placet@example.com", "recipients": ["ops@example.com"]}
    return Mail(**(said | written))


def stored(written: Written) -> Channel:
    """The channel as the database has it."""
    found = to_store(written)
    return Channel(
        id=7,
        name=written.name,
        kind=channels.kind_of(written),
        settings=found.settings,
        secrets=found.secrets,
        created_at=NOW,
        changed_at=NOW,
    )


def sent(written: Written, **options: Any) -> Outcome:
    return sending.send(stored(written), MESSAGE, stopping=threading.Event(), **options)


def test_mail_over_starttls_with_a_login(
    secure_server: MailServer, loopback: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = a_mail(port=secure_server.port, user=USER, password=PASSWORD)
    told = sent(written)
    assert told.ending is Ending.FAILED
    assert "its certificate is not trusted" in str(told.reason)
    monkeypatch.setenv("SSL_CERT_FILE", str(loopback))
    assert sent(written) == Outcome(Ending.DELIVERED)
    (found,) = secure_server.mails
    assert (found["From"], found["To"]) == ("placet@example.com", "ops@example.com")
    assert (found["Subject"], found["Message-ID"]) == (MESSAGE.title, "<msg_0123@placet.invalid>")
    assert found["Auto-Submitted"] == "auto-generated"
    assert found.get_content().rstrip().splitlines() == [
        *MESSAGE.text.splitlines(),
        "",
        f"Service Center: {MESSAGE.link}",
    ]

    wrong = sent(a_mail(port=secure_server.port, user=USER, password="not the password"))
    assert wrong.ending is Ending.FAILED
    assert "535" in str(wrong.reason)
    assert "not the password" not in str(wrong.reason)


def test_mail_is_not_sent_in_the_clear_where_tls_is_asked_for(plain_server: MailServer) -> None:
    told = sent(a_mail(port=plain_server.port))
    assert told.ending is Ending.FAILED
    assert "STARTTLS" in str(told.reason)
    assert plain_server.mails == []


def test_mail_to_some_and_to_none(plain_server: MailServer) -> None:
    plain_server.refused = {"gone@example.com"}
    both = a_mail(port=plain_server.port, security="none", recipients=["gone@example.com", "ops@example.com"])
    told = sent(both)
    assert told.ending is Ending.DELIVERED
    assert told.reason == "Not to gone@example.com (550 No such mailbox)."
    assert [found.rcpt_tos for found in plain_server.envelopes] == [["ops@example.com"]]
    told = sent(a_mail(port=plain_server.port, security="none", recipients=["gone@example.com"]))
    assert (told.ending, "550 No such mailbox" in str(told.reason)) == (Ending.FAILED, True)
    plain_server.answer = "451 Come back later"
    told = sent(a_mail(port=plain_server.port, security="none"))
    assert (told.ending, "451 Come back later" in str(told.reason)) == (Ending.FAILED, True)


def test_a_mail_server_that_is_lost_after_the_message_is_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        talking = threading.Thread(target=takes_a_mail_and_hangs_up, args=(listener,))
        talking.start()
        told = sent(a_mail(port=listener.getsockname()[1], security="none"))
        talking.join()
    assert told.ending is Ending.UNKNOWN
    assert "was lost while the mail was sent" in str(told.reason)


def takes_a_mail_and_hangs_up(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb", buffering=0) as stream:
        stream.write(b"220 here\r\n")
        while (line := stream.readline().strip()) != b".":
            if line.startswith((b"ehlo", b"MAIL", b"RCPT", b"mail", b"rcpt")):
                stream.write(b"250 OK\r\n")
            elif line == b"data":
                stream.write(b"354 Go on\r\n")


def test_nobody_at_the_mail_servers_port() -> None:
    with receiver() as gone:
        port = int(gone.address.rpartition(":")[2])
    told = sent(a_mail(port=port, security="none"))
    assert told.ending is Ending.FAILED
    assert f"127.0.0.1, port {port} cannot be reached: Connection refused" in str(told.reason)


def test_a_webhook_is_signed_and_its_answer_is_its_end(http: Receiver) -> None:
    written = Webhook(name="hook", url=f"http://{http.address}/in?key=s3cret", secret=SECRET)
    assert sent(written) == Outcome(Ending.DELIVERED)
    (found,) = http.verified()
    assert found["type"] == "limit.reached"
    assert found["timestamp"] == "2026-06-01T12:00:00Z"
    assert found["data"]["used"] == 18
    assert found["data"]["link"] == MESSAGE.link
    assert http.posts[0][0]["webhook-id"] == "msg_0123"
    for status in (302, 400, 410, 500):
        http.status = status
        told = sent(written)
        assert told.ending is Ending.FAILED
        assert f"http://{http.address} answered {status}" in str(told.reason)
        assert "s3cret" not in str(told.reason)
    assert len(http.posts) == 5  # nobody followed the redirect


def test_who_does_not_answer_may_have_taken_it(http: Receiver) -> None:
    http.held.clear()
    told = sent(Webhook(name="hook", url=f"http://{http.address}/", secret=SECRET), seconds=0.3)
    assert told.ending is Ending.UNKNOWN
    assert len(http.posts) == 1


def test_a_stopping_server_waits_for_nobody_long(http: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_STOPPING_SECONDS", 0.1)
    http.held.clear()
    stopping = threading.Event()
    stopping.set()
    channel = stored(Webhook(name="hook", url=f"http://{http.address}/", secret=SECRET))
    assert sending.send(channel, MESSAGE, stopping=stopping).ending is Ending.UNKNOWN


def test_a_service_of_apprise(http: Receiver) -> None:
    written = AppriseUrl(name="chat", url=f"json://dora:hunter22@{http.address}/room7?retry=3&optional=yes")
    assert channels.shown(stored(written)) == {
        "id": 7,
        "name": "chat",
        "kind": "apprise",
        "service": "JSON",
        "url": "****",
    }
    assert sent(written) == Outcome(Ending.DELIVERED)
    (found,) = (msgspec.json.decode(content) for _, content in http.posts)
    assert (found["title"], found["message"]) == (MESSAGE.title, MESSAGE.text_with_link)
    http.status = 503
    told = sent(written)
    assert told.ending is Ending.FAILED
    assert "503" in str(told.reason)
    assert "hunter22" not in str(told.reason)
    assert len(http.posts) == 2  # whatever its own retry says


def test_a_service_of_apprise_that_does_not_answer_is_unknown_and_one_that_is_not_there_is_not(http: Receiver) -> None:
    http.held.clear()
    assert sent(AppriseUrl(name="chat", url=f"json://{http.address}/?rto=0.2")).ending is Ending.UNKNOWN
    with receiver() as gone:
        address = gone.address
    assert sent(AppriseUrl(name="chat", url=f"json://{address}/")).ending is Ending.FAILED


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (a_mail(user="placet"), "a user and no password"),
        (a_mail(password="secret"), "a password and no user"),
        (a_mail(user="placet", password="secret", security="none"), "only sent over TLS"),
        (Webhook(name="x"), "The url is missing"),
        (Webhook(name="x", url="ftp://example.com/"), "http or https"),
        (Webhook(name="x", url="https:///path"), "http or https"),
        (Webhook(name="x", url="https://[::1/"), "http or https"),
        (Webhook(name="x", url="https://example.com:port/"), "http or https"),
        (Webhook(name="x", url="file:///etc/passwd"), "http or https"),
        (Webhook(name="x", url="https://me:pw@example.com/"), "names a user or a password"),
        (Webhook(name="x", url="https://example.com/", secret="hunter2"), "24 to 64 bytes in base64"),
        (Webhook(name="x", url="https://example.com/", secret="whsec_aGk="), "24 to 64 bytes in base64"),
        (AppriseUrl(name="x", url="nobody://knows"), "does not understand"),
        (AppriseUrl(name="x", url="syslog://"), "the server's own machine"),
        (AppriseUrl(name="x", url="dbus://"), "the server's own machine"),
        (AppriseUrl(name="x", url="tgram://123456789:abcdefg_hijklmnop/111/222"), "names 2 targets"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_used_is_told_why(written: Written, why: str) -> None:
    with pytest.raises(ChannelUnusable, match=why):
        to_store(written)


@pytest.mark.parametrize(
    "members",
    [
        {"host": "mail.example\r\nX: y"},
        {"host": ""},
        {"port": 0},
        {"port": 65536},
        {"security": "ssl"},
        {"sender": "placet@example.com\r\nBcc: x@example.com"},
        {"sender": "Placet <placet@example.com>"},
        {"recipients": []},
        {"recipients": ["nobody"]},
        {"recipients": ["é@example.com"]},
        {"recipients": ["a@example.com"] * 51},
        {"recipients": ["a" * 254 + "@example.com"]},
        {"name": ""},
        {"name": "x" * 201},
        {"name": "a\nb"},
        {"user": "x\ry"},
        {"password": "x" * 1001},
        {"extra": 1},
        {"kind": "pigeon"},
    ],
    ids=str,
)
def test_what_is_written_has_types_and_caps(members: dict[str, Any]) -> None:
    good = msgspec.to_builtins(a_mail())
    msgspec.convert(good, Mail | Webhook | AppriseUrl)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(good | members, Mail | Webhook | AppriseUrl)


def test_secrets_stay_where_they_are_left_out_and_are_shown_to_nobody() -> None:
    channel = stored(a_mail(user=USER, password=PASSWORD))
    assert channels.shown(channel)["password"] == "****"
    assert PASSWORD not in f"{channels.shown(channel)} {channel!r}"
    assert to_store(a_mail(user="another"), channel).secrets == {"password": PASSWORD}
    assert to_store(a_mail(), channel).secrets == {}
    hook = stored(Webhook(name="hook", url="https://example.com:8443/T0/B0/s3cret"))
    assert channels.shown(hook)["origin"] == "https://example.com:8443"
    assert "s3cret" not in f"{channels.shown(hook)} {hook!r}"
    assert to_store(Webhook(name="hook"), hook).secrets == hook.secrets
    with pytest.raises(ChannelUnusable, match="of the kind webhook, which stays"):
        to_store(a_mail(), hook)
