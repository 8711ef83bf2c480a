"""Timers of modules: once per period on whatever server of a farm, also over a publish and a server's death."""

import itertools
import json
import time
from collections import Counter
from pathlib import Path

import pytest

from contract.archives import files_of, zipped
from contract.driver import ServerProcess, wait_for
from contract.test_modules_in_a_farm import MakeServer, farm

__all__ = ["farm"]
pytestmark = pytest.mark.server

JOBS = """
import json, os, time

def tick():
    with open({ticks!r}, "a") as file:
        file.write(json.dumps([time.time(), {version}, os.getpid()]) + "\\n")
    time.sleep({lasts})
"""


def with_timer(ticks: Path, version: int, lasts: float = 0) -> bytes:
    files = files_of("shop", 1, version=f"{version}.0.0")
    files["shop/jobs.py"] = JOBS.format(ticks=str(ticks), version=version, lasts=lasts)
    files["module.toml"] = (
        str(files["module.toml"]) + '\n[[timer]]\nname = "tick"\nevery = "2s"\ncall = "shop.jobs:tick"\n'
    )
    return zipped(files)


def ticks_in(path: Path) -> list[tuple[float, int, int]]:
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def apart(ticks: list[tuple[float, int, int]]) -> float:
    """The shortest time between two runs, in seconds."""
    moments = sorted(moment for moment, _, _ in ticks)
    return min(later - earlier for earlier, later in itertools.pairwise(moments))


@pytest.mark.parametrize("farm", ["sqlite", "postgresql"], indirect=True)
def test_one_server_runs_each_period_also_over_a_publish(farm: MakeServer, tmp_path: Path) -> None:
    one, two = farm(), farm()
    path = tmp_path / "ticks"
    for version, by in ((1, one), (2, two)):
        assert by.publish(with_timer(path, version)).status_code == 201
        wait_for(lambda version=version: Counter(v for _, v, _ in ticks_in(path))[version] >= 3)  # type: ignore[misc]
    assert apart(ticks_in(path)) > 1.5
    assert [version for _, version, _ in ticks_in(path)] == sorted(version for _, version, _ in ticks_in(path))


def test_a_run_that_lasts_is_not_joined_and_its_servers_death_passes_it_on(farm: MakeServer, tmp_path: Path) -> None:
    servers = [farm(), farm()]
    path = tmp_path / "ticks"
    assert servers[0].publish(with_timer(path, 1, lasts=600)).status_code == 201
    first = wait_for(lambda: ticks_in(path))[0]
    time.sleep(5)
    assert ticks_in(path) == [first]
    runs_it = next(server for server in servers if pid_at(server) == first[2])
    runs_it.kill9()
    second = wait_for(lambda: ticks_in(path)[1:], within_seconds=60)[0]
    assert second[2] == pid_at(servers[1 - servers.index(runs_it)])


def pid_at(server: ServerProcess) -> int:
    return int(server.get("/api/v1/modules/shop")["worker"]["pid"])
