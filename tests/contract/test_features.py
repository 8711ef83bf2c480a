"""Scenario: a license without one of its switches. Only what needs that feature is refused."""

from pathlib import Path

import pytest

from contract.archives import directory_of, files_of, zipped
from contract.driver import ServerProcess, VendorDirectory
from contract.messages import e9
from contract.surfaces import assert_refused_everywhere, assert_status_everywhere

pytestmark = pytest.mark.server

FILES = files_of("shop", 2, **{"schema.sql": "CREATE TABLE prices (id INTEGER PRIMARY KEY);"})
SWITCHES = {"run": "Run", "debugger": "Debugger", "test_query": "Test Query"}
QUERY = {"sql": "SELECT count(*) FROM prices"}


@pytest.mark.parametrize(("missing", "title"), SWITCHES.items())
def test_only_what_needs_the_feature_is_refused(
    server: ServerProcess, vendor: VendorDirectory, tmp_path: Path, missing: str, title: str
) -> None:
    granted = [word for name in SWITCHES if name != missing for word in ("--feature", name)]
    server.installed(vendor.issue(*granted, "--limit", "software_units=50", serial=server.serial))
    assert_status_everywhere(server, "active")
    archive, source = zipped(FILES), directory_of(tmp_path / "shop", FILES)
    assert server.publish(archive).status_code == 201
    operations = {
        "run": (("POST", "/api/v1/runs"), ("module", "run", source), {"content": archive}),
        "debugger": (("POST", "/api/v1/debug-sessions"), ("module", "debug", source), {"content": archive}),
        "test_query": (
            ("POST", "/api/v1/modules/shop/queries"),
            ("module", "query", "shop", QUERY["sql"]),
            {"json": QUERY},
        ),
    }
    for name, (call, command, options) in operations.items():
        if name == missing:
            problem = assert_refused_everywhere(server, e9(title), call, command, **options)
            assert problem["feature"] == missing
        else:
            answer = server.api(*call, **options)
            assert answer.status_code in {200, 201}, answer.text
            if "id" in answer.json():
                server.api("DELETE", f"{call[1]}/{answer.json()['id']}")
    assert [item["name"] for item in server.get("/api/v1/features") if not item["licensed"]] == [missing]
