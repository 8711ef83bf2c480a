import base64
import hashlib
import io
import socket
import zipfile
from pathlib import Path

import pytest

from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.requirements import install_requirements


def wheel(directory: Path, name: str = "tiny", body: str = "VALUE = 7\n") -> Path:
    """Write a wheel by hand: no build tools, no network."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": body,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}"
        for path, text in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    target = directory / f"{name}-1.0-py3-none-any.whl"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(buffer.getvalue())
    return target


@pytest.fixture
def module(tmp_path: Path) -> Path:
    directory = tmp_path / "module"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("text", [None, "", "\n\n", "# nothing\n   # yet\n", "\ufeff# nothing"])
def test_nothing_to_install(module: Path, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (module / "requirements.txt").write_text(text)
    assert not install_requirements(module, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_wheel_that_travels_with_the_module(module: Path, tmp_path: Path) -> None:
    wheel(module / "vendored")
    (module / "pip.py").write_text("raise SystemExit('the module was taken for pip')")
    (module / "requirements.txt").write_text("--no-index\n--find-links ./vendored\ntiny==1.0\n")
    assert install_requirements(module, tmp_path / "site")
    assert (tmp_path / "site" / "tiny.py").read_text() == "VALUE = 7\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("./vendored/nothing-1.0-py3-none-any.whl\n", "nothing-1.0-py3-none-any.whl"),
        ("--no-index\nno-such-package-at-all\n", "no-such-package-at-all"),
        ("--no-such-option\n", "requirements.txt:1:1"),
        ("not a requirement !!\n", "not a requirement"),
    ],
)
def test_what_cannot_be_installed_is_said(module: Path, tmp_path: Path, text: str, said: str) -> None:
    (module / "requirements.txt").write_text(text)
    with pytest.raises(ModuleProblem) as caught:
        install_requirements(module, tmp_path / "site")
    problem = caught.value
    assert problem.code is ProblemCode.BUILD_FAILED
    assert said in (problem.output or "")
    assert problem.file == "requirements.txt"
    assert str(tmp_path) not in f"{problem.detail}{problem.output}"
    assert not (tmp_path / "site").exists()


def test_the_line_is_told(module: Path, tmp_path: Path) -> None:
    (module / "requirements.txt").write_text("# ours\n--no-index\n  not a requirement !!\n")
    with pytest.raises(ModuleProblem) as caught:
        install_requirements(module, tmp_path / "site")
    assert (caught.value.file, caught.value.line) == ("requirements.txt", 3)


def test_it_sees_pips_settings_and_none_of_the_servers_secrets(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_TOKEN", "hunter2")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(tmp_path / "links").parent))
    (module / "requirements.txt").write_text("tiny\n./${PLACET_TOKEN}/x\n")
    with pytest.raises(ModuleProblem) as caught:
        install_requirements(module, tmp_path / "site")
    assert "hunter2" not in (caught.value.output or "")
    (module / "requirements.txt").write_text("tiny\n")
    assert install_requirements(module, tmp_path / "site")


def test_passwords_in_urls_are_not_shown(module: Path, tmp_path: Path) -> None:
    (module / "requirements.txt").write_text("--no-index\nx @ file://user:hunter2@/nowhere.whl\n")
    with pytest.raises(ModuleProblem) as caught:
        install_requirements(module, tmp_path / "site")
    assert "hunter2" not in f"{caught.value.detail}{caught.value.output}"


def test_it_takes_only_so_long(module: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and never answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/tiny-1.0-py3-none-any.whl"
        (module / "requirements.txt").write_text(f"tiny @ {address}\n")
        with pytest.raises(ModuleProblem, match=r"longer than 2 seconds"):
            install_requirements(module, tmp_path / "site", timeout_seconds=2)


def test_an_enormous_file_is_refused(module: Path, tmp_path: Path) -> None:
    (module / "requirements.txt").write_text("x\n" * 200_000)
    with pytest.raises(ModuleProblem, match="256 KiB"):
        install_requirements(module, tmp_path / "site")
