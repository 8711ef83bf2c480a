"""Commands on the server's own machine: tokens before the first serve, the doctor's findings, and serving."""

import json
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from contract.archives import archive_of, files_of, zipped
from contract.conftest import MakeServer
from contract.driver import Done, ServerProcess, VendorDirectory, placet, succeed, wait_for

pytestmark = pytest.mark.server


def token(data: object, *more: object) -> Done:
    return placet("admin", "token", "--data", data, "--role", "developer", "--name", "ci", *more)


def doctor(data: Path) -> Done:
    """Run the doctor for people and for programs, who are told the same."""
    done, as_json = placet("admin", "doctor", "--data", data), placet("admin", "doctor", "--data", data, "--json")
    findings = as_json.json()
    assert done.status == as_json.status == (0 if all(finding["ok"] for finding in findings) else 1)
    assert [f"{finding['subject']}: {finding['finding']}" for finding in findings] == [
        line[8:] for line in done.out.splitlines() if not line.startswith("        ")
    ]
    return done


# Tokens and serial numbers


def test_a_token_is_printed_alone_before_there_is_a_server(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = token(data)
    assert done.status == 0
    assert done.out.startswith("plt_")
    assert len(done.out.split("\n")) == 2
    assert data.stat().st_mode & 0o077 == 0
    other = token(data)
    assert (other.status, other.err) == (0, "")
    assert other.out != done.out


@pytest.mark.parametrize("command", [["token", "--role", "developer", "--name", "ci"], ["sign-in"]], ids=" ".join)
def test_an_installation_that_is_made_is_told_of_once(command: list[str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    done, again = (placet("admin", *command, "--data", data) for _ in range(2))
    with closing(sqlite3.connect(data / "placet.sqlite3")) as connection:
        [(serial_number,)] = connection.execute("SELECT serial_number FROM installation")
    assert done.err == f"Made a new installation in {data}, with serial number {serial_number}.\n"
    assert (done.status, again.status, again.err) == (0, 0, "")


@pytest.mark.parametrize("command", [["token", "--role", "developer", "--name", "ci"], ["sign-in"]], ids=" ".join)
def test_no_installation_is_made_where_nothing_is_there(command: list[str], tmp_path: Path) -> None:
    done = placet("admin", *command, "--data", tmp_path / "typo" / "data")
    assert (done.status, done.out) == (3, "")
    assert done.message == (
        f"There is no directory {tmp_path}/typo for an installation to be in. "
        "Name a server's data directory with --data, or make that directory first."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_new_serial_number_is_another(tmp_path: Path) -> None:
    token(tmp_path)
    first = succeed("admin", "new-serial", "--data", tmp_path)
    second = placet("admin", "new-serial", "--data", tmp_path, "--json").json()["serial_number"]
    assert len({first.strip(), second}) == 2


@pytest.mark.parametrize("command", ["doctor", "new-serial"])
def test_where_there_is_no_installation_none_is_made(command: str, tmp_path: Path) -> None:
    done = placet("admin", command, "--data", tmp_path / "typo")
    assert (done.status, done.out) == (3, "")
    assert done.message == f"There is no installation in {tmp_path}/typo. Name a server's data directory with --data."
    assert list(tmp_path.iterdir()) == []


def test_data_directories_that_are_none(tmp_path: Path) -> None:
    file, loop = tmp_path / "file", tmp_path / "loop"
    file.write_text("x")
    loop.symlink_to(loop)
    assert token(file).message == f"{file}: File exists."
    assert token(file / "below").message == f"{file}/below: Not a directory."
    assert [token(path).status for path in (file, file / "below", tmp_path / ("x" * 300))] == [3, 3, 3]
    assert [token(path).status for path in ("", loop)] == [2, 2]
    (tmp_path / "placet.sqlite3").write_text("nonsense")
    for done in (token(tmp_path), placet("admin", "doctor", "--data", tmp_path)):
        assert (done.status, done.out) == (3, "")
        assert "file is not a database" in done.message


@pytest.mark.parametrize("url", ["nonsense", "nonsense://x", "sqlite:////nowhere/x.db", "postgresql+psycopg://h:x/d"])
def test_databases_that_are_none(url: str, tmp_path: Path) -> None:
    done = token(tmp_path, "--database", url)
    assert (done.status, done.out) == (3, "")
    assert done.message.endswith(".")


# The doctor


@pytest.fixture(scope="module")
def busy(new_server: MakeServer, vendor: VendorDirectory) -> Path:
    """The data directory of a server that stopped, with a license, a module of 4 units with a database, and a user."""
    server = new_server()
    server.installed(vendor.issue(serial=server.serial))
    schema = {"schema.sql": "CREATE TABLE prices (id INTEGER PRIMARY KEY);"}
    assert server.publish(zipped(files_of("shop", 3, **schema))).status_code == 201
    assert server.cli("user", "add", "maria").status == 0
    wait_for(lambda: server.client.get("/apps/shop/").status_code == 200)
    server.stop()
    return server.data


@pytest.fixture
def data(busy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(busy, tmp_path / "data"))


def test_a_sound_installation_is_sound(data: Path) -> None:
    done = doctor(data)
    assert (done.status, done.err) == (0, "")
    assert "WRONG" not in done.out
    assert "software_units: the total of 4 is the sum of its allocations" in done.out


def damage(data: Path, statement: str) -> None:
    with closing(sqlite3.connect(data / "placet.sqlite3")) as connection:
        connection.executescript(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (
            "UPDATE totals SET used = 7 WHERE feature = 'software_units'",
            "software_units: the total is 7, and its allocations add up to 4",
        ),
        ("UPDATE users SET active = 0", "users: 'maria' holds 1 and accounts for 0; 1 such in all"),
    ],
)
def test_an_inconsistency_is_named_explained_and_mended(data: Path, statement: str, finding: str) -> None:
    damage(data, statement)
    done = placet("admin", "doctor", "--data", data)
    assert done.status == 1
    assert f"WRONG   {finding}\n        What it means: " in done.out
    assert done.err.startswith("1 of ")
    assert done.err.endswith(" findings is wrong.\n")
    mended = placet("admin", "doctor", "--data", data, "--repair", "--json")
    assert (mended.status, mended.err) == (0, "")
    assert all(row["ok"] for row in mended.json())
    assert [set(row["repaired"]) for row in mended.json() if row["repaired"]] == [{"before", "after"}]
    assert placet("admin", "doctor", "--data", data).status == 0


def test_what_is_mended_is_told(data: Path) -> None:
    damage(data, "UPDATE totals SET used = 7 WHERE feature = 'software_units'")
    mended = placet("admin", "doctor", "--data", data, "--repair")
    assert (mended.status, mended.err) == (0, "")
    assert "MENDED  software_units: the total is 7" in mended.out
    assert "\n        Before: 7. After: 4.\n" in mended.out


def test_what_cannot_be_mended_stays_wrong(data: Path) -> None:
    damage(data, "UPDATE licenses SET signed = 'x'")
    done = placet("admin", "doctor", "--data", data, "--repair")
    assert done.status == 1
    assert "WRONG   license: its signed bytes are damaged: " in done.out
    assert "placet license restore ID" in done.out


def test_a_license_is_verified_by_the_trust_store_that_is_given(data: Path, vendor: VendorDirectory) -> None:
    assert placet("admin", "doctor", "--data", data, "--trust", vendor.trust).status == 0
    damage(data, "UPDATE licenses SET customer = 'Somebody Else'")
    assert placet("admin", "doctor", "--data", data, "--repair").status == 1
    assert placet("admin", "doctor", "--data", data, "--repair", "--trust", vendor.trust).status == 0
    done = placet("admin", "doctor", "--data", data, "--trust", data / "nowhere")
    assert (done.status, "cannot be read" in done.message) == (3, True)


def test_missing_files_and_damaged_databases_are_named(data: Path) -> None:
    shutil.rmtree(data / "versions")
    with closing(sqlite3.connect(data / "placet.sqlite3")) as database, database:
        database.execute("DELETE FROM module_archives")
    (data / "databases" / "shop.sqlite3").write_bytes(b"nonsense" * 1000)
    done = doctor(data)
    assert done.status == 1
    assert "WRONG   module shop: the files of 1.0.0 are missing" in done.out
    assert "WRONG   database shop: " in done.out


# Serving


def serve(data: Path, trust: Path, *options: object) -> Done:
    return placet("serve", "--data", data, "--trust", trust, "--port", "0", *options)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{}", b"[]", b'{"keys": []}', b'{"keys": [{}]}', b"\xff", b"x" * 10**6]
)
def test_a_trust_store_that_is_none_is_status_3(content: bytes, tmp_path: Path) -> None:
    trust = tmp_path / "trust.json"
    trust.write_bytes(content)
    done = serve(tmp_path / "data", trust)
    assert (done.status, done.out) == (3, "")
    assert done.message.startswith(f"{trust}: ")
    assert "trust store" in done.message


def test_a_trust_store_with_a_private_key_is_refused_and_not_told(vendor: VendorDirectory, tmp_path: Path) -> None:
    jwks = json.loads(vendor.trust.read_text())
    secret = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
    jwks["keys"][0]["d"] = secret
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps(jwks))
    done = serve(tmp_path / "data", trust)
    assert (done.status, done.out) == (3, "")
    assert "private" in done.message
    assert secret not in done.err


def test_a_trust_store_that_cannot_be_read_is_status_3(tmp_path: Path) -> None:
    missing = serve(tmp_path / "data", tmp_path / "missing")
    assert missing.message == f"The trust store {tmp_path}/missing cannot be read: No such file or directory."
    assert [missing.status, serve(tmp_path / "data", tmp_path).status] == [3, 3]


@pytest.mark.parametrize("period", ["", "soon", "30", "-3d", "1.5d", "999999999d", "9" * 50 + "d"])
@pytest.mark.parametrize("option", ["--warn-before", "--keep-daily"])
def test_a_period_that_is_none_is_wrong_usage(
    option: str, period: str, vendor: VendorDirectory, tmp_path: Path
) -> None:
    done = serve(tmp_path / "data", vendor.trust, f"{option}={period}")
    assert (done.status, done.out) == (2, "")
    assert option in done.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--keep-hourly", "23h"], "1 to 36,500 days, not for 0.958"),
        (["--keep-daily", "101y"], "1 to 36,500 days, not for 36,865"),
        (["--keep-hourly", "1y", "--keep-daily", "30d"], "30 days, which is shorter than the 365 days by the hour"),
    ],
)
def test_what_is_kept_has_bounds(options: list[str], sentence: str, vendor: VendorDirectory, tmp_path: Path) -> None:
    done = serve(tmp_path / "data", vendor.trust, *options)
    assert (done.status, done.out) == (2, "")
    assert sentence in " ".join(done.err.split())
    assert not (tmp_path / "data").exists()


def test_addresses_nobody_can_listen_at(vendor: VendorDirectory, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve(tmp_path / "data", vendor.trust, "--port", port)
    assert (done.status, done.out) == (3, "")
    assert done.message == (
        f"Cannot listen at 127.0.0.1, port {port}: Address already in use. Name another with --host and --port."
    )
    for host, status in (("203.0.113.1", 3), ("x" * 300, 3), ("a host", 3), ("", 2)):
        done = serve(tmp_path / "data", vendor.trust, "--host", host)
        assert (done.status, done.out) == (status, ""), host
        assert placet("demo", tmp_path / "demo", "--port", "0", "--host", host).status == status
    assert list(tmp_path.iterdir()) == []


def test_one_server_on_a_directory(new_server: MakeServer, vendor: VendorDirectory) -> None:
    server = new_server()
    done = serve(server.data, vendor.trust)
    assert (done.status, done.out) == (3, "")
    assert done.message.startswith(f"A server is running on {server.data} already.")
    assert token(server.data).status == 0
    assert server.api("GET", "/healthz").status_code == 200


def test_a_token_made_beside_a_running_server_is_in_force(new_server: MakeServer) -> None:
    server: ServerProcess = new_server()
    made = token(server.data).out.strip()
    assert server.api("GET", "/api/v1/license", token=made).status_code == 200
    assert server.publish(archive_of("shop", 1)).json()["code"] == "operation_no_license"


def test_a_link_signs_in_once(new_server: MakeServer) -> None:
    server = new_server()
    link = server.cli("admin", "sign-in", "--data", server.data, "--server", f"{server.address}/").out.strip()
    with httpx2.Client(trust_env=False) as first, httpx2.Client(trust_env=False) as second:
        assert first.get(link).headers["location"] == "/service-center/"
        assert first.get(f"{server.address}/service-center/").status_code == 200
        assert second.get(link).headers.get("location") != "/service-center/"
        assert "set-cookie" not in second.get(link).headers
