"""``placet meter`` and ``placet feature`` against a real server, for people and for programs, on each database."""

from collections.abc import Iterator

import pytest

from contract.driver import Done, ServerProcess, VendorDirectory, on_each_database

pytestmark = [pytest.mark.server, on_each_database]

FEATURE = "test_queries"


@pytest.fixture(scope="module", autouse=True)
def licensed(server: ServerProcess, vendor: VendorDirectory) -> None:
    granted = ("--metered", f"{FEATURE}=1000/month", "--seats", "private_instances=2")
    server.installed(vendor.issue(*granted, serial=server.serial))


@pytest.fixture(scope="module")
def developer(server: ServerProcess) -> str:
    return server.new_token("dora")


@pytest.fixture(autouse=True)
def none_open(server: ServerProcess) -> Iterator[None]:
    yield
    for block in server.get("/api/v1/blocks"):
        assert server.cli("meter", "settle", block["id"], "--used", 0).status == 0


def used(server: ServerProcess) -> int:
    (found,) = [item for item in server.cli("feature", "list", "--json").json() if item["name"] == FEATURE]
    return int(found["used"])


def refused(done: Done, message: str) -> None:
    assert (done.status, done.message) == (1, message)


def test_a_key_counts_once(server: ServerProcess, developer: str) -> None:
    before = used(server)
    assert server.cli("meter", "consume", FEATURE, 3, "--key", "job 1", token=developer).out == (
        f"3 units of {FEATURE} consumed.\n"
    )
    again = server.cli("meter", "consume", FEATURE, 3, "--key", "job 1", token=developer)
    assert (again.status, again.out) == (0, f"The key job 1 was counted before: 3 units of {FEATURE} consumed.\n")
    assert server.cli("meter", "consume", FEATURE, "--key", "job 2").out == f"1 unit of {FEATURE} consumed.\n"
    found = server.cli("meter", "consume", FEATURE, "--key", "job 2", "--json").json()
    assert found == {"feature": FEATURE, "key": "job 2", "amount": 1, "replayed": True, "warnings": []}
    assert used(server) == before + 4


def test_what_is_not_consumed(server: ServerProcess) -> None:
    before = used(server)
    done = server.cli("meter", "consume", FEATURE, 2000, "--key", "large")
    assert (done.status, done.out) == (1, "")
    assert f"{before} of 1000 Test Queries" in done.err.replace("1,000", "1000")
    assert server.cli("meter", "consume", FEATURE, 2000, "--key", "large", "--json").json()["code"] == "limit_reached"
    server.cli("meter", "consume", FEATURE, 1, "--key", "reused")
    done = server.cli("meter", "consume", FEATURE, 2, "--key", "reused")
    assert (done.status, "'reused' was used before for 1 units" in done.message) == (3, True)
    refused(
        server.cli("meter", "consume", "users", "--key", "k"),
        f"There is no metered feature 'users'. There are: {FEATURE}.",
    )
    assert used(server) == before + 1


def test_a_block_is_taken_and_returned_by_its_holder(server: ServerProcess, developer: str) -> None:
    before = used(server)
    assert server.cli("meter", "blocks").out == "No block is open.\n"
    told = server.cli("meter", "take", FEATURE, 60, token=developer).out.splitlines()
    number = told[0].split()[1]
    assert told == [
        f"Block {number} has 60 units of {FEATURE}.",
        f"Give it back with: placet meter return {number} --used N",
    ]
    assert used(server) == before + 60
    listed = server.cli("meter", "blocks", FEATURE).out.splitlines()
    assert listed[0].split() == ["BLOCK", "FEATURE", "HOLDER", "UNITS", "SINCE"]
    assert listed[1].split()[:4] == [number, FEATURE, "dora", "60"]
    assert [str(block["id"]) for block in server.cli("meter", "blocks", "--json").json()] == [number]
    holders = server.cli("feature", "usage", FEATURE, token=developer).out
    assert ["dora", "60"] in [line.split()[:2] for line in holders.splitlines()]
    assert server.cli("meter", "return", number, "--used", 15, token=developer).out == (
        f"Block {number} of dora is closed: 15 of 60 units of {FEATURE} used, 45 given back.\n"
    )
    assert used(server) == before + 15
    assert server.cli("meter", "return", number, "--used", 15, token=developer).status == 0  # a retry
    refused(server.cli("meter", "return", number, "--used", 16, token=developer), f"Block {number} is closed already.")
    refused(server.cli("meter", "return", 10**9, "--used", 1, token=developer), f"You hold no block {10**9}.")
    assert used(server) == before + 15


def test_a_block_left_behind_is_settled_by_an_administrator(server: ServerProcess, developer: str) -> None:
    before = used(server)
    number = server.cli("meter", "take", FEATURE, 60, "--json", token=developer).json()["id"]
    assert server.cli("meter", "settle", number, "--used", 1, token=developer).status == 1
    assert server.cli("meter", "blocks", token=developer).status == 1
    too_many = server.cli("meter", "settle", number, "--used", 61)
    assert (too_many.status, "0 to 60 units" in too_many.message) == (3, True)
    closed = server.cli("meter", "settle", number, "--used", 7, "--json").json()
    assert (closed["used"], closed["closed_by"]) == (7, "root")
    assert used(server) == before + 7
    assert server.get("/api/v1/audit")[0]["event"] == "usage.block_settled"
    assert server.cli("meter", "settle", number, "--used", 8).status == 1


def test_features(server: ServerProcess, developer: str) -> None:
    lines = server.cli("feature", "list", token=developer).out.splitlines()
    assert lines[0].split() == ["FEATURE", "ALLOWED", "USED"]
    shown = {line.split("  ")[0]: line.split() for line in lines[1:]}
    assert shown["Run"] == ["Run", "on"]
    assert shown["Software Units"] == ["Software", "Units", "100", "0", "within", "limit"]
    assert shown["Private Instances"] == ["Private", "Instances", "2", "0", "within", "limit"]
    assert shown["Test Queries"][2] == "1000"
    assert shown["Test Queries"][4:9] == ["within", "limit;", "from", "zero", "again"]
    assert lines[1:] == server.cli("license", "status").out.splitlines()[-len(lines) + 1 :]


def test_usage_of_a_feature(server: ServerProcess) -> None:
    server.cli("user", "add", "maria")
    told = server.cli("feature", "usage", "users").out.splitlines()
    assert told[-1].startswith("No trend yet: usage is known of ")
    assert told[1].split() == ["Users", "10", "1", "within", "limit"]
    assert told[3].split() == ["HOLDER", "UNITS", "SINCE"]
    assert told[4].split()[:2] == ["maria", "1"]
    assert told[6].split() == ["DAY", "PEAK", "AVERAGE", "ALLOWED"]
    found = server.cli("feature", "usage", "users", "--since", "2020-01-01", "--until", "2020-01-31", "--json").json()
    assert (found["since"], found["until"], found["points"]) == ("2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z", [])
    past = server.cli("feature", "usage", "users", "--since", "2020-01-01", "--until", "2020-01-31").out
    assert "\nNothing is known of its usage then.\n" in past
    nobody = server.cli("feature", "usage", "users", "--holder", "nobody there")
    assert (nobody.status, nobody.out) == (0, "Nothing is known of what nobody there used then.\n")
    assert server.cli("feature", "usage", "run").status == 0


def test_usage_that_cannot_be_told(server: ServerProcess) -> None:
    done = server.cli("feature", "usage", "nothing")
    assert (done.status, done.message.startswith("There is no feature 'nothing'. There are: ")) == (1, True)
    assert server.cli("feature", "usage", "users", "--since", "soon").status == 3
    refused(server.cli("meter", "blocks", "users"), f"There is no metered feature 'users'. There are: {FEATURE}.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("meter", "consume", FEATURE, "1"),
        ("meter", "consume", FEATURE, "0", "--key", "k"),
        ("meter", "consume", FEATURE, "x", "--key", "k"),
        ("meter", "consume", FEATURE, "1", "--key", ""),
        ("meter", "consume", FEATURE, "1", "--key", "k" * 201),
        ("meter", "consume", FEATURE, "1", "--key", "schlüssel"),
        ("meter", "consume", FEATURE, "1", "--key", "a\nb"),
        ("meter", "consume", FEATURE, "1", "--key", " k"),
        ("meter", "take", FEATURE, "0"),
        ("meter", "return", "1"),
        ("meter", "settle", "0", "--used", "1"),
        ("meter", "settle", "x", "--used", "1"),
        ("meter", "settle", "1", "--used", "-1"),
        ("feature", "usage"),
        ("feature", "usage", "users", "--most", "0"),
    ],
)
def test_wrong_usage(server: ServerProcess, arguments: tuple[str, ...]) -> None:
    assert server.cli(*arguments).status == 2
