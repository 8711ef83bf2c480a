"""Requests for a license, signed by the server itself."""

from datetime import timedelta

import pytest

from builders import NOW, numeric
from guard_support.guards import Clock, allocate, install
from placet.enforcement import ProductError
from placet.guard import Guard
from placet.guard.wanted import read_wanted
from placet.license.request import verify_request
from placet.license.terms import Grant
from placet.store.installation import read_installation
from store_support.databases import dump


def key_id(guard: Guard) -> str:
    with guard.database.read() as connection:
        return read_installation(connection).signing_key().kid


def test_a_request_says_which_server_and_what_it_uses(licensed: Guard, clock: Clock) -> None:
    allocate(licensed, "orders", 7)
    clock.now = NOW.replace(microsecond=999_999)
    before = dump(licensed.database)
    request, signed_by = verify_request(licensed.request(product_version="1.2.3", wishes="More units,\nplease: 🙏"))
    assert request.serial_number == licensed.status().serial_number
    assert request.iat == numeric(NOW)
    assert (request.product, request.product_version) == ("platform_server", "1.2.3")
    assert request.usage == {"software_units": 7, "users": 0, "front_end_servers": 0, "mailboxes": 0}
    assert (request.installed, request.wishes) == ("L-0001", "More units,\nplease: 🙏")
    assert signed_by == key_id(licensed)
    assert dump(licensed.database) == before


def test_without_a_license_there_is_a_request_as_well(guard: Guard) -> None:
    request, _ = verify_request(guard.request(product_version="1.2.3"))
    assert (request.installed, request.wishes) == (None, None)


def test_the_key_stays_and_goes_with_the_serial_number(licensed: Guard) -> None:
    _, first = verify_request(licensed.request(product_version="1"))
    install(licensed, jti="L-2")
    request, second = verify_request(licensed.request(product_version="1"))
    assert (first, request.installed) == (second, "L-2")
    number = licensed.renew_serial_number()
    request, third = verify_request(licensed.request(product_version="1"))
    assert (request.serial_number, request.installed) == (number, "L-2")
    assert third != first


def test_a_request_holds_no_secret(guard: Guard) -> None:
    with guard.database.read() as connection:
        pem = read_installation(connection).server_key
    request = guard.request(product_version="1.2.3").decode()
    assert "PRIVATE" not in request
    assert not any(line in request for line in pem.splitlines())


def test_what_is_wanted_is_asked_for_as_a_license_would_grant_it(licensed: Guard) -> None:
    wanted = read_wanted(licensed.product, ["run", "Software-Units = 50"])
    assert wanted == {"run": None, "software_units": 50}
    until = NOW + timedelta(days=365)
    request, _ = verify_request(licensed.request(product_version="1", wanted=wanted, until=until))
    assert request.wanted == {"run": Grant(kind="switch"), "software_units": Grant(kind="limit", limit=50)}
    assert request.wanted_until == numeric(until)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["teleport"], "There is no feature 'teleport' to ask for. There are: "),
        (["run=3"], "is on or off. Ask for it without a number: run."),
        (["software_units"], "has a maximum. Say which is wanted: software_units=50."),
        (["software_units=-1"], "is wanted as '-1'. Write a whole number from 0 to 1,000,000,000,000."),
        (["software_units=1e3"], "is wanted as '1e3'."),
        (["software_units=1000000000001"], "is wanted as '1000000000001'."),
        (["run", "run"], "is wanted twice. Name it once."),
    ],
)
def test_what_nobody_can_want(licensed: Guard, texts: list[str], told: str) -> None:
    with pytest.raises(ProductError) as raised:
        read_wanted(licensed.product, texts)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    "said",
    [
        {"product_version": ""},
        {"product_version": "1" * 201},
        {"product_version": "1\n"},
        {"product_version": 1},
        {"product_version": "1", "wishes": ""},
        {"product_version": "1", "wishes": "x" * 1001},
        {"product_version": "1", "wishes": "\x1b[31m"},
    ],
)
def test_what_no_vendor_could_read_is_not_signed(guard: Guard, said: dict[str, str]) -> None:
    with pytest.raises(ProductError, match="That cannot be requested: "):
        guard.request(**said)
    verify_request(guard.request(product_version="1" * 200, wishes="x" * 1000))
