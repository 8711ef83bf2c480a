"""Usage over time over HTTP: the period that is asked for, and the points of a chart."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert

from builders import DAY
from console_server import ConsoleServer, running
from contract.surfaces import as_problem
from placet.license.instants import rfc3339
from placet.store.credentials import Role
from placet.store.history import HOUR, day_of, hour_of
from placet.store.schema import holder_days, usage_days, usage_samples
from placet.web.api.usage_history import period
from placet.web.problems import Problem

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
UNITS = "/api/v1/features/software_units/usage"


def day(number: int) -> datetime:
    return datetime(2026, 5, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "first", "end"),
    [
        ("2026-05-01", "2026-05-02", day(1), day(3)),
        ("2026-05-01", "2026-05-01", day(1), day(2)),
        ("2026-05-01T06:00:00Z", "2026-05-01T08:00:00+01:00", day(1) + 6 * HOUR, day(1) + 7 * HOUR),
        (None, "2026-05-09", day(10) - 365 * DAY, day(10)),
    ],
)
def test_a_date_is_the_whole_of_that_day(since: str | None, until: str, first: datetime, end: datetime) -> None:
    assert period(since, until, NOW) == (first, end)


def test_without_a_period_it_is_the_year_up_to_now_with_this_very_moment() -> None:
    first, end = period(None, None, NOW)
    assert first <= NOW - 365 * DAY + HOUR
    assert NOW < end < NOW + HOUR


@pytest.mark.parametrize(
    ("since", "until", "sentence"),
    [
        ("yesterday", None, "The parameter 'since': 'yesterday' is not a time."),
        (None, "2026-13-01", "The parameter 'until': '2026-13-01' is not a day of the calendar."),
        ("2026-05-02", "2026-05-01", "'since' is 2026-05-02T00:00:00Z, which is not before 'until'"),
        ("2026-06-02", None, "which is not before 'until'"),
        ("2001-01-01", None, "may be at most 3,660 days"),
        ("2026-05-01T00:00:00", None, "has no time zone"),
    ],
)
def test_what_is_no_period_is_told(since: str | None, until: str | None, sentence: str) -> None:
    with pytest.raises(Problem) as caught:
        period(since, until, NOW)
    assert (caught.value.status, caught.value.code) == (400, "bad_request")
    assert sentence in caught.value.detail


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    with running(tmp_path_factory.mktemp("history") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: ConsoleServer) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {server.token(Role.DEVELOPER, name='dev')}"}
    with httpx2.Client(base_url=server.url, timeout=30, trust_env=False, headers=headers) as client:
        yield client


def get(client: httpx2.Client, path: str, **query: str) -> Any:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_chart_has_days_and_hours(server: ConsoleServer, client: httpx2.Client) -> None:
    now = server.guard.now()
    old = day_of(now) - 100 * DAY
    row = {"feature": "software_units", "total": 9, "samples": 2, "maximum": None}
    with server.guard.database.write() as connection:
        connection.execute(insert(usage_days).values(day=old, peak=7, **row))
        connection.execute(insert(usage_samples).values(sampled_at=hour_of(now) - 30 * HOUR, used=6, **row))
    found = get(client, UNITS)
    assert found["resolution"] == "day"
    assert found["points"][0] == {"at": rfc3339(old), "peak": 7, "average": 4.5, "limit": None}
    assert [point["peak"] for point in found["points"]] == [7, 6, 0]  # the last is of the tick at the start
    hours = get(client, UNITS, since=rfc3339(now - 2 * DAY))
    assert hours["resolution"] == "hour"
    expected = {"at": rfc3339(hour_of(now) - 30 * HOUR), "peak": 6, "average": 4.5, "limit": None}
    assert hours["points"][0] == expected
    assert hours["history"][0] == {"at": expected["at"], "used": 6, "limit": None}
    assert get(client, UNITS, since="2020-01-01", until="2020-01-31")["points"] == []


def test_the_trend_is_told_with_what_it_rests_on(server: ConsoleServer, client: httpx2.Client) -> None:
    today = day_of(server.guard.now())
    with server.guard.database.write() as connection:
        for ago in range(10):
            row = {"feature": "users", "day": today - ago * DAY, "peak": 30 - 3 * ago}
            connection.execute(insert(usage_days).values(total=1, samples=1, maximum=5, **row))
    trend = get(client, "/api/v1/features/users/usage")["trend"]
    assert (trend["outlook"], trend["per_day"], trend["days"]) == ("reached", 3.0, 10)
    assert trend["since"] == rfc3339(today - 9 * DAY)
    assert trend["sentence"] == "The limit of 0 is reached."  # without a license
    assert trend["reached_at"] is None
    assert get(client, "/api/v1/features/run/usage")["trend"] is None


def test_what_a_holder_held(server: ConsoleServer, client: httpx2.Client) -> None:
    row = {"feature": "software_units", "holder": "o rä", "day": datetime(2026, 5, 1, tzinfo=UTC), "amount": 4}
    with server.guard.database.write() as connection:
        connection.execute(insert(holder_days).values(row))
    found = get(client, f"{UNITS}/holders/o%20r%C3%A4", since="2026-05-01", until="2026-05-02")
    assert found == {
        "name": "software_units",
        "holder": "o rä",
        "measure": "held",
        "since": "2026-05-01T00:00:00Z",
        "until": "2026-05-03T00:00:00Z",
        "points": [{"at": "2026-05-01T00:00:00Z", "amount": 4}, {"at": "2026-05-02T00:00:00Z", "amount": 4}],
    }
    assert get(client, f"{UNITS}/holders/nobody")["points"] == []


def test_a_holder_with_a_slash_is_asked_about_by_a_parameter(server: ConsoleServer, client: httpx2.Client) -> None:
    row = {"feature": "software_units", "holder": "a/b c", "day": day(1), "amount": 4}
    with server.guard.database.write() as connection:
        connection.execute(insert(holder_days).values(row))
    found = get(client, f"{UNITS}/holder", holder="a/b c", since="2026-05-01", until="2026-05-01")
    assert (found["holder"], [point["amount"] for point in found["points"]]) == ("a/b c", [4])
    assert as_problem(client.get(f"{UNITS}/holder"))["status"] == 400


@pytest.mark.parametrize(("name", "measure"), [("test_queries", "consumed"), ("private_instances", "most_held")])
def test_a_day_without_a_row_is_nothing_where_days_are_apart(
    server: ConsoleServer, client: httpx2.Client, name: str, measure: str
) -> None:
    row = {"feature": name, "holder": "dev", "day": day(1), "amount": 3}
    with server.guard.database.write() as connection:
        connection.execute(insert(holder_days).values(row))
    found = get(client, f"/api/v1/features/{name}/usage/holder", holder="dev", since="2026-04-30", until="2026-05-02")
    assert found["measure"] == measure
    assert [point["amount"] for point in found["points"]] == [3, 0]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{UNITS}?since=soon", 400, "bad_request"),
        (f"{UNITS}/holders/orders?until=never", 400, "bad_request"),
        ("/api/v1/features/nothing/usage/holders/orders", 404, "unknown_feature"),
    ],
)
def test_what_cannot_be_told_is_a_problem(client: httpx2.Client, path: str, status: int, code: str) -> None:
    told = as_problem(client.get(path))
    assert (told["status"], told["code"]) == (status, code)


def test_a_holder_has_no_null_character(ann: httpx2.Client) -> None:
    answer = ann.get(f"{UNITS}/holders/%00")
    assert answer.status_code == 400
