import io
import os
import zipfile
from pathlib import Path

import pytest

from placet.platform import packing
from placet.platform.packing import pack
from placet.platform.problems import ModuleProblem, ProblemCode
from platform_support.modules import write_module


def names(archive: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first = write_module(tmp_path / "first")
    second = write_module(tmp_path / "second")
    os.utime(second / "orders" / "app.py", (1, 1))
    (second / "orders" / "app.py").chmod(0o755)
    assert pack(first) == pack(second)
    assert names(pack(first)) == ["module.toml", "orders/__init__.py", "orders/app.py"]


def test_caches_version_control_and_environments_stay_out(tmp_path: Path) -> None:
    left_out = {
        f"{directory}/file.py": ""
        for directory in (
            "__pycache__",
            ".git",
            ".venv",
            "node_modules",
            ".mypy_cache",
            "orders/__pycache__",
            "a.egg-info",
        )
    }
    left_out |= {
        "mine/pyvenv.cfg": "",
        "mine/lib/x.py": "",
        "orders/app.pyc": "",
        ".DS_Store": "",
        "orders/app.py~": "",
    }
    module = write_module(tmp_path, files=left_out | {"screens/a.html": "", ".hidden": ""})
    assert names(pack(module)) == [".hidden", "module.toml", "orders/__init__.py", "orders/app.py", "screens/a.html"]


def test_a_link_within_the_module_is_packed_as_the_file_it_names(tmp_path: Path) -> None:
    module = write_module(tmp_path)
    (module / "orders" / "alias.py").symlink_to("app.py")
    archive = zipfile.ZipFile(io.BytesIO(pack(module)))
    assert archive.read("orders/alias.py") == (module / "orders" / "app.py").read_bytes()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "../../secret-directory", "orders-nowhere", "."])
def test_links_that_leave_or_lead_to_directories_are_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secret-directory").mkdir()
    module = write_module(tmp_path / "module")
    (module / "orders" / "link").symlink_to(target)
    with pytest.raises(ModuleProblem) as caught:
        pack(module)
    assert caught.value.code is ProblemCode.PACKAGE_UNSAFE_PATH
    assert caught.value.file == "orders/link"


def test_special_files_are_refused(tmp_path: Path) -> None:
    module = write_module(tmp_path)
    os.mkfifo(module / "pipe")
    with pytest.raises(ModuleProblem, match="'pipe' is not a file"):
        pack(module)


def test_a_directory_without_a_manifest_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(ModuleProblem) as caught:
        pack(tmp_path)
    assert caught.value.code is ProblemCode.MANIFEST_MISSING
    with pytest.raises(ModuleProblem) as caught:
        pack(tmp_path / "nowhere")
    assert caught.value.code is ProblemCode.MANIFEST_MISSING


def test_the_limits_of_a_package_hold_here_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = write_module(tmp_path)
    for limit in ("MAX_FILES", "MAX_UNPACKED_BYTES", "MAX_ARCHIVE_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(packing, limit, 2)
            with pytest.raises(ModuleProblem) as caught:
                pack(module)
            assert caught.value.code is ProblemCode.PACKAGE_TOO_LARGE


def test_a_huge_sparse_file_is_refused_without_being_read(tmp_path: Path) -> None:
    module = write_module(tmp_path)
    with (module / "data.bin").open("wb") as file:
        file.truncate(50 * 1024**3)
    with pytest.raises(ModuleProblem, match="268,435,456 bytes are allowed"):
        pack(module)
