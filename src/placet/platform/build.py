"""Make a module ready to run: requirements, inspection, count, byte code.

All of it happens below one directory and in processes of their own; nothing of the server changes.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from placet.platform.inspection import count_units, inspect_module
from placet.platform.manifest import DATABASES
from placet.platform.package import Package, unpack
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.processes import bare_environment, run_bounded
from placet.platform.requirements import install_requirements
from placet.platform.schema import declared_entities
from placet.platform.schema_files import Entity, Wanted, read_wanted
from placet.platform.units import UnitCount

MODULE = "module"
SITE = "site"


class Unpacked(msgspec.Struct, frozen=True, kw_only=True):
    """A module taken out of its archive, below ``directory``."""

    directory: Path
    package: Package

    @property
    def module(self) -> Path:
        """The module's own files."""
        return self.directory / MODULE

    @property
    def site(self) -> Path | None:
        """What its requirements installed, if it has any."""
        return site_of(self.directory)


def site_of(directory: Path) -> Path | None:
    """The directory with the requirements of a version, if it has any."""
    site = directory / SITE
    return site if site.is_dir() else None


def open_archive(archive: bytes, directory: Path) -> Unpacked:
    """Unpack and validate an archive below ``directory``; raises :class:`ModuleProblem`."""
    directory.mkdir(mode=0o700, parents=True)
    return Unpacked(directory=directory, package=unpack(archive, directory / MODULE))


def install_only(unpacked: Unpacked, cache: Path) -> bool:
    """Install the module's requirements into a directory of that version alone; answers whether it has any."""
    return install_requirements(unpacked.module, unpacked.directory / SITE, cache=cache)


def measure(unpacked: Unpacked, entities: Callable[[str], tuple[Entity, ...]] = declared_entities) -> UnitCount:
    """Import the module in a process of its own, its requirements installed, and count its Software Units.

    ``entities`` answers what a schema declares that is not for SQLite: only a database server can tell.
    """
    inspection = inspect_module(unpacked.module, unpacked.package.manifest, site=unpacked.site)
    if unpacked.package.manifest.database != DATABASES[0]:
        inspection = msgspec.structs.replace(inspection, entities=entities(wanted_of(unpacked).schema))
    return count_units(unpacked.module, unpacked.package.manifest, inspection)


def compile_module(unpacked: Unpacked) -> None:
    """Compile every Python file to byte code; raises :class:`ModuleProblem` where one has a syntax error."""
    finished = run_bounded(
        [sys.executable, "-I", "-c", _COMPILE, str(unpacked.module)],
        directory=unpacked.module,
        environment=bare_environment(unpacked.directory),
        timeout_seconds=120,
        max_result_bytes=64 * 1024,
    )
    if finished.timed_out or finished.returncode != 0:
        what = "took more than 120 seconds" if finished.timed_out else "found a file that is not valid Python"
        said = finished.output.replace(f"{unpacked.module}/", "")
        place = _PLACE.search(said)
        raise ModuleProblem(
            ProblemCode.BUILD_FAILED,
            f"Compiling {unpacked.package.manifest.name} {what}. The output says which file and line; correct it.",
            step="build",
            file=place["file"] if place else None,
            line=int(place["line"]) if place else None,
            output=said,
        )


_PLACE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>[0-9]+)')
# The number of the result descriptor is the last argument; compiling has no result but its exit status.
_COMPILE = "import compileall, sys; sys.exit(not compileall.compile_dir(sys.argv[1], quiet=1, legacy=False))"


def wanted_of(unpacked: Unpacked) -> Wanted:
    """What the module wants of its database; raises :class:`ModuleProblem`."""
    return read_wanted(unpacked.module)
