import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.platform.package import PackageLimits, unpack
from placet.platform.packing import pack
from placet.platform.problems import ModuleProblem, ProblemCode
from platform_support.modules import MANIFEST, write_module, zip_of


def refused(archive: bytes, into: Path, **limits: int) -> ModuleProblem:
    with pytest.raises(ModuleProblem) as caught:
        unpack(archive, into, limits=PackageLimits(**limits))
    assert not into.exists(), "a refused package leaves something behind"
    return caught.value


def test_a_packed_module_unpacks_to_the_same_files(tmp_path: Path) -> None:
    source = write_module(tmp_path / "source", files={"screens/list.html": "<p>", "schema.sql": "CREATE TABLE a (b);"})
    package = unpack(pack(source), tmp_path / "target")
    assert package.manifest.name == "orders"
    assert package.manifest.version == "1.2.0"
    assert package.files == 5
    assert package.size == sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    assert len(package.digest) == 64
    for path in source.rglob("*"):
        if path.is_file():
            assert (tmp_path / "target" / path.relative_to(source)).read_bytes() == path.read_bytes()


def test_a_zip_of_the_directory_itself_is_accepted(tmp_path: Path) -> None:
    entries = {"orders-main/": b"", "orders-main/module.toml": MANIFEST, "orders-main/orders/app.py": "app = 1"}
    unpack(zip_of(entries), tmp_path / "a")
    assert (tmp_path / "a" / "orders" / "app.py").read_text() == "app = 1"


def test_a_folder_beside_the_manifest_is_kept(tmp_path: Path) -> None:
    unpack(zip_of({"module.toml": MANIFEST, "orders/module.toml": "x"}), tmp_path / "a")
    assert (tmp_path / "a" / "orders" / "module.toml").read_text() == "x"


def test_what_a_mac_adds_is_left_out(tmp_path: Path) -> None:
    unpack(zip_of({"o/module.toml": MANIFEST, "__MACOSX/o/._module.toml": "x"}), tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["module.toml"]


@pytest.mark.parametrize(
    "name",
    [
        "../outside.py",
        "orders/../../outside.py",
        "/etc/passwd",
        "//host/share",
        "C:/windows/system.ini",
        "C:outside",
        "orders\\..\\..\\outside.py",
        "orders//app.py",
        "./app.py",
        "..",
        "orders/./app.py",
        "orders/new\nline.py",
        "orders/nul\x00.py",
        "a/" * 260 + "deep.py",
        "n" * 300,
        "ü" * 200,
    ],
)
def test_hostile_paths_are_refused(tmp_path: Path, name: str) -> None:
    problem = refused(zip_of({"module.toml": MANIFEST, name: "evil"}), tmp_path / "in" / "target")
    assert problem.code is ProblemCode.PACKAGE_UNSAFE_PATH
    assert problem.kind.status == 422
    assert not (tmp_path / "outside.py").exists()
    assert not (tmp_path / "in" / "outside.py").exists()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("orders/app.py", "orders/app.py"),
        ("orders/app.py", "orders/App.py"),
        ("orders/app.py", "Orders/other.py"),
        ("orders", "orders/app.py"),
        ("orders/app.py", "orders/app.py/more"),
        ("stra\N{LATIN SMALL LETTER SHARP S}e.py", "strasse.py"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}.py", "e\N{COMBINING ACUTE ACCENT}.py"),
    ],
)
def test_colliding_names_are_refused(tmp_path: Path, first: str, second: str) -> None:
    archive = zip_of({"module.toml": MANIFEST}, (first, "one"), (second, "two"))
    assert refused(archive, tmp_path / "a").code is ProblemCode.PACKAGE_UNSAFE_PATH


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_special_files_are_refused(tmp_path: Path, kind: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("module.toml", MANIFEST)
        info = zipfile.ZipInfo("orders/link")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    problem = refused(buffer.getvalue(), tmp_path / "a")
    assert problem.code is ProblemCode.PACKAGE_UNSAFE_PATH
    assert problem.file == "orders/link"


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    archive = bytearray(zip_of({"module.toml": MANIFEST}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = archive.index(signature) + offset
        archive[at] |= 1
    assert refused(bytes(archive), tmp_path / "a").code is ProblemCode.PACKAGE_UNREADABLE


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_methods_are_refused(tmp_path: Path, method: int) -> None:
    problem = refused(zip_of({"module.toml": MANIFEST}, method=method), tmp_path / "a")
    assert problem.code is ProblemCode.PACKAGE_UNREADABLE
    assert "method" in problem.detail


def test_an_archive_over_the_cap_is_refused_with_the_numbers(tmp_path: Path) -> None:
    problem = refused(b"x" * 1001, tmp_path / "a", archive_bytes=1000)
    assert problem.code is ProblemCode.PACKAGE_TOO_LARGE
    assert "1,001 bytes; 1,000 are allowed" in problem.detail
    assert problem.kind.status == 413


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    archive = zip_of({f"f{number}": b"" for number in range(11)})
    assert refused(archive, tmp_path / "a", entries=10).code is ProblemCode.PACKAGE_TOO_LARGE


def test_a_directory_of_a_million_records_is_refused_before_it_is_read(tmp_path: Path) -> None:
    archive = b"PK\x01\x02" * 1_000_000 + b"PK\x05\x06" + bytes(18)
    assert refused(archive, tmp_path / "a").code is ProblemCode.PACKAGE_TOO_LARGE


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    archive = zip_of({"module.toml": MANIFEST, "bomb": bytes(40 * 1024 * 1024)})
    problem = refused(archive, tmp_path / "a")
    assert problem.code is ProblemCode.PACKAGE_TOO_LARGE
    assert "200 times" in problem.detail


def test_many_small_files_count_together(tmp_path: Path) -> None:
    archive = zip_of({"module.toml": MANIFEST} | {f"f{number}": bytes(1000) for number in range(100)})
    problem = refused(archive, tmp_path / "a", unpacked_bytes=50_000)
    assert "50,000" in problem.detail


@pytest.mark.parametrize("claimed", [1, 10, 2**31])
def test_a_size_in_the_header_is_not_believed(tmp_path: Path, claimed: int) -> None:
    archive = bytearray(zip_of({"module.toml": MANIFEST, "bomb": bytes(1024 * 1024)}))
    at = archive.rindex(b"PK\x01\x02") + 24
    archive[at : at + 4] = struct.pack("<I", claimed)
    refused(bytes(archive), tmp_path / "a", unpacked_bytes=500_000)


@pytest.mark.parametrize(
    "archive",
    [b"", b"not a zip", b"PK\x05\x06", zip_of({"module.toml": MANIFEST})[:-30], b"PK\x03\x04" + bytes(200)],
    ids=["empty", "text", "cut end record", "cut archive", "only a header"],
)
def test_what_is_not_a_zip_is_refused(tmp_path: Path, archive: bytes) -> None:
    assert refused(archive, tmp_path / "a").code is ProblemCode.PACKAGE_UNREADABLE


def test_damaged_content_is_refused(tmp_path: Path) -> None:
    archive = bytearray(zip_of({"module.toml": MANIFEST, "data": b"abcdefghij" * 100}, method=zipfile.ZIP_STORED))
    archive[archive.index(b"abcdefghij") + 5] ^= 0xFF
    assert refused(bytes(archive), tmp_path / "a").code is ProblemCode.PACKAGE_UNREADABLE


def test_a_package_without_a_manifest_is_refused(tmp_path: Path) -> None:
    assert refused(zip_of({"orders/app.py": "x"}), tmp_path / "a").code is ProblemCode.MANIFEST_MISSING
    assert refused(zip_of({}), tmp_path / "b").code is ProblemCode.MANIFEST_MISSING


def test_a_manifest_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    assert refused(zip_of({"module.toml/": b""}), tmp_path / "a").code is ProblemCode.MANIFEST_INVALID


def test_an_occupied_target_is_the_callers_bug(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep me")
    with pytest.raises(FileExistsError):
        unpack(zip_of({"module.toml": MANIFEST}), tmp_path)
    assert (tmp_path / "mine").read_text() == "keep me"


@given(st.binary(max_size=400), st.integers(min_value=0, max_value=200))
def test_no_bytes_do_anything_but_unpack_or_be_refused(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, position: int
) -> None:
    archive = bytearray(zip_of({"module.toml": MANIFEST}))
    archive[position : position + len(noise)] = noise
    root = tmp_path_factory.mktemp("fuzz")
    try:
        unpack(bytes(archive), root / "target")
    except ModuleProblem:
        assert not (root / "target").exists()
    assert {path.name for path in root.iterdir()} <= {"target"}
