"""Scenario: a license meters Test Queries. Each that runs counts; once they are used up, the next is refused."""

import pytest

from contract.archives import files_of, zipped
from contract.driver import ServerProcess, VendorDirectory, on_each_database
from contract.surfaces import as_problem

pytestmark = [pytest.mark.server, on_each_database]

CALL = ("POST", "/api/v1/modules/shop/queries")
QUERY = {"sql": "SELECT count(*) FROM prices"}
GRANTED = ("--feature", "test_query", "--limit", "software_units=50")


@pytest.fixture(scope="module", autouse=True)
def published(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue(*GRANTED, serial=server.serial))
    files = files_of("shop", 2, **{"schema.sql": "CREATE TABLE prices (id INTEGER PRIMARY KEY);"})
    assert server.publish(zipped(files)).status_code == 201


def test_queries(server: ServerProcess) -> dict[str, object]:
    found: dict[str, object] = server.get("/api/v1/features/test_queries/usage")
    return found


test_queries.__test__ = False  # type: ignore[attr-defined]  # the feature's name, no test


def test_without_a_word_of_them_in_the_license_they_are_unlimited_and_counted(server: ServerProcess) -> None:
    before = test_queries(server)
    assert (before["kind"], before["licensed"], before["limit"], before["used"]) == ("metered", True, None, 0)
    assert server.api(*CALL, json=QUERY).status_code == 200
    assert test_queries(server)["used"] == 1


def test_one_that_fails_has_run_and_one_for_no_module_or_of_no_statement_has_not(server: ServerProcess) -> None:
    assert server.api(*CALL, json={"sql": "SELECT nothing FROM nowhere"}).status_code == 422
    assert test_queries(server)["used"] == 2
    assert server.api(*CALL, json={"sql": "-- nothing to run"}).status_code == 422
    assert server.api("POST", "/api/v1/modules/nowhere/queries", json=QUERY).status_code == 404
    assert test_queries(server)["used"] == 2


def test_once_they_are_used_up_the_next_is_refused(server: ServerProcess, vendor: VendorDirectory) -> None:
    metered = ("--metered", "test-queries=4/month", "--tolerance", "test-queries=25%")
    server.installed(vendor.issue(*GRANTED, *metered, serial=server.serial))
    last = [server.api(*CALL, json=QUERY).json()["warnings"] for _ in range(3)]
    assert [[warning["code"] for warning in warnings] for warnings in last] == [[], [], ["limit_reached_tolerated"]]
    refused = server.api(*CALL, json=QUERY)
    problem = as_problem(refused)
    assert (refused.status_code, problem["code"], problem["feature"]) == (403, "limit_reached", "test_queries")
    assert (problem["used"], problem["limit"], problem["requested"]) == (5, 4, 1)
    assert problem["remedy"]
    assert problem["contact"]
    done = server.cli("module", "query", "shop", QUERY["sql"])
    assert (done.status, done.message) == (1, problem["detail"])
    now = test_queries(server)
    assert (now["used"], now["limit"], now["tolerated_limit"]) == (5, 4, 5)
    assert str(now["period_starts_at"]) < str(now["period_ends_at"])


def test_a_query_that_is_refused_does_not_count(server: ServerProcess, vendor: VendorDirectory) -> None:
    switched_off = ("--feature", "run", "--metered", "test_queries=50/month", "--limit", "software_units=50")
    server.installed(vendor.issue(*switched_off, serial=server.serial), acknowledge=True)
    assert as_problem(server.api(*CALL, json=QUERY))["code"] == "feature_not_licensed"
    assert test_queries(server)["used"] == 5
