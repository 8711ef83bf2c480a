"""Notifications over HTTP: channels written and never read back whole, tests, rules and history."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from console_server import ConsoleServer, running
from contract.surfaces import as_problem
from placet.store.credentials import Role
from platform_support.receivers import SECRET, Receiver, receiver

CHANNELS = "/api/v1/notifications/channels"
RULES = "/api/v1/notifications/rules"
DELIVERIES = "/api/v1/notifications/deliveries"
MAIL = {
    "kind": "mail",
    "name": "operators",
    "host": "mail.example.com",
    "sender": "placet@example.com",
    "recipients": ["ops@example.com"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    place: Path = tmp_path_factory.mktemp("notifications")
    with running(place / "data") as server:
        yield server


@pytest.fixture
def ada(server: ConsoleServer) -> Iterator[httpx2.Client]:
    with server.caller("ada", Role.ADMINISTRATOR) as client:
        yield client
        for item in client.get(CHANNELS).json():
            client.delete(f"{CHANNELS}/{item['id']}")


@pytest.fixture
def http() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def added(client: httpx2.Client, **members: Any) -> dict[str, Any]:
    answer = client.post(CHANNELS, json=members)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_channel_is_added_shown_masked_changed_and_removed(ada: httpx2.Client) -> None:
    login = {"user": "placet", "password": "hunter22hunter22"}
    found = added(ada, **MAIL, **login)
    assert (found["kind"], found["port"], found["security"], found["password"]) == ("mail", 587, "starttls", "****")
    changed = ada.put(f"{CHANNELS}/{found['id']}", json=MAIL | {"name": "all", "user": "placet", "security": "tls"})
    assert (changed.json()["name"], changed.json()["port"], changed.json()["password"]) == ("all", 465, "****")
    everything = [ada.get(path).text for path in (CHANNELS, "/api/v1/audit", DELIVERIES)]
    assert login["password"] not in "".join([*everything, str(found), changed.text])
    assert [item["name"] for item in ada.get(CHANNELS).json()] == ["all"]
    assert ada.delete(f"{CHANNELS}/{found['id']}").json()["removed"] is True
    assert as_problem(ada.delete(f"{CHANNELS}/{found['id']}"))["code"] == "unknown_channel"


def test_a_signing_secret_that_was_made_is_told_once(ada: httpx2.Client, http: Receiver) -> None:
    found = added(ada, kind="webhook", name="hook", url=f"http://{http.address}/in/s3cret")
    assert found["secret"].startswith("whsec_")
    assert (found["url"], found["origin"]) == ("****", f"http://{http.address}")
    (listed,) = ada.get(CHANNELS).json()
    assert (listed["secret"], listed["url"]) == ("****", "****")
    done = ada.post(f"{CHANNELS}/{found['id']}/test").json()
    assert (done["state"], done["kind"], done["channel"], done["reason"]) == ("delivered", "test", "hook", None)
    (told,) = http.verified(found["secret"])
    assert "ada pressed the test button of the channel 'hook'" in told["data"]["text"]


def test_a_refused_upload_is_told_by_the_server_itself(ada: httpx2.Client, http: Receiver) -> None:
    added(ada, kind="webhook", name="hook", url=f"http://{http.address}/", secret=SECRET)
    assert ada.put("/api/v1/license", content=b"no license").status_code == 403
    assert http.taken.wait(20)
    (told,) = http.verified()
    assert (told["type"], told["data"]["actor"]) == ("license.upload_refused", "ada")
    assert ada.get(DELIVERIES, params={"most": 1}).json()[0]["kind"] == "license.upload_refused"


def test_a_test_that_does_not_arrive_says_why(ada: httpx2.Client, http: Receiver) -> None:
    found = added(ada, kind="webhook", name="hook", url=f"http://{http.address}/s3cret", secret=SECRET)
    http.status = 418
    done = ada.post(f"{CHANNELS}/{found['id']}/test").json()
    assert (done["state"], done["attempts"], done["next_at"]) == ("given_up", 1, None)
    assert done["reason"] == f"http://{http.address} answered 418 and has not taken it."
    (kept,) = ada.get(DELIVERIES, params={"most": 1}).json()
    assert kept == done


def test_rules_are_read_and_set(ada: httpx2.Client) -> None:
    first = {"expiry_days": [90, 30, 14, 7, 1], "limit_percents": [80, 90, 100]}
    assert ada.get(RULES).json() == first
    wanted = {"expiry_days": [1, 60, 1], "limit_percents": []}
    assert ada.put(RULES, json=wanted).json() == wanted | {"expiry_days": [60, 1]}
    assert ada.put(RULES, json={}).json() == first


@pytest.mark.parametrize(
    "body",
    [
        {"expiry_days": [-1]},
        {"expiry_days": [3661]},
        {"expiry_days": ["1"]},
        {"expiry_days": list(range(21))},
        {"limit_percents": [9]},
        {"limit_percents": [1001]},
        {"days": [1]},
        [],
    ],
    ids=lambda body: str(body)[:40],
)
def test_rules_have_types_and_caps(ada: httpx2.Client, body: Any) -> None:
    assert as_problem(ada.put(RULES, json=body))["status"] == 400


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ({"kind": "pigeon", "name": "x"}, 400, "bad_request"),
        ({"kind": 1, "name": "x"}, 400, "bad_request"),
        ({"name": "x"}, 400, "bad_request"),
        (MAIL | {"sender": 1}, 400, "bad_request"),
        ({"kind": "mail", "name": "x"}, 400, "bad_request"),
        (MAIL | {"recipients": []}, 400, "bad_request"),
        (MAIL | {"port": "587"}, 400, "bad_request"),
        (MAIL | {"name": "a/b"}, 400, "bad_request"),
        (MAIL | {"user": "x"}, 422, "channel_unusable"),
        ({"kind": "webhook", "name": "x", "url": "file:///etc/passwd"}, 422, "channel_unusable"),
        ({"kind": "apprise", "name": "x", "url": "nobody://knows"}, 422, "channel_unusable"),
        ({"kind": "webhook", "name": "x", "url": "https://" + "x" * 70_000}, 413, "request_too_large"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_a_channel(ada: httpx2.Client, members: dict[str, Any], status: int, code: str) -> None:
    told = as_problem(ada.post(CHANNELS, json=members))
    assert (told["status"], told["code"]) == (status, code)
    assert ada.get(CHANNELS).json() == []


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"name": "x"}, "kind: it is missing. It is one of mail, webhook, apprise."),
        ({"kind": "pigeon"}, 'kind: "pigeon" was sent, which is not allowed. It is one of mail, webhook, apprise.'),
        ({"kind": "mail", "name": "x"}, "host: it is missing."),
        (MAIL | {"port": 0}, "port: 0 was sent, which is not allowed. It is a whole number from 1 to 65,535."),
        (MAIL | {"prot": 1}, "prot: there is no such member here. There is: name, host, port"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_with_a_channel_is_said(ada: httpx2.Client, members: dict[str, Any], sentence: str) -> None:
    told = as_problem(ada.post(CHANNELS, json=members))
    assert told["status"] == 400
    assert sentence in told["detail"]


def test_a_name_is_one_channels(ada: httpx2.Client) -> None:
    added(ada, **MAIL)
    assert as_problem(ada.post(CHANNELS, json=MAIL))["code"] == "channel_name_taken"
