import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from placet.platform.failures import Failure
from placet.platform.problems import ProblemCode

CHILD = """
import sys, msgspec, pathlib
from placet.platform.failures import Failure
from placet.platform.loading import add_paths, load
directory, site, reference = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
add_paths(directory, site)
found = load(reference, directory, site=site)
print(msgspec.json.encode(found).decode() if isinstance(found, Failure) else "{}")
"""


def loaded(directory: Path, site: Path, reference: str) -> Failure | None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(directory), str(site), reference], capture_output=True, text=True, check=True
    )
    return None if done.stdout.strip() == "{}" else msgspec.json.decode(done.stdout, type=Failure)


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    directory, site = tmp_path / "module", tmp_path / "site"
    for place, name in ((directory, "own"), (site, "required")):
        place.mkdir()
        (place / f"{name}.py").write_text("def app(scope, receive, send): ...\n")
    return directory, site


def test_an_entry_point_is_the_modules_own_or_of_its_requirements(places: tuple[Path, Path]) -> None:
    assert loaded(*places, "own:app") is None
    assert loaded(*places, "required:app") is None


@pytest.mark.parametrize("reference", ["os:system", "json:dumps", "placet.cli:main", "sys:exit"])
def test_an_entry_point_of_the_servers_own_is_refused(places: tuple[Path, Path], reference: str) -> None:
    failure = loaded(*places, reference)
    assert failure is not None
    assert failure.code is ProblemCode.ENTRYPOINT_MISSING
    assert "is no part of the module" in failure.message


def test_a_traceback_shows_the_modules_frames_and_no_path_of_the_server(places: tuple[Path, Path]) -> None:
    directory, site = places
    (directory / "broken.py").write_text("import json\njson.loads('{')\n")
    (directory / "unfinished.py").write_text("def app(:\n")
    for name in ("broken", "unfinished"):
        failure = loaded(directory, site, f"{name}:app")
        assert failure is not None
        assert f'File "{name}.py"' in failure.traceback
        assert str(directory) not in failure.traceback
        assert "placet" not in failure.traceback
