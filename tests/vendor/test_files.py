import os
import stat
from pathlib import Path

import pytest

from placet.vendor.failures import Failed, Refused
from placet.vendor.files import PRIVATE, PUBLIC, read_capped, reserve, write_whole


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("mode", [PRIVATE, PUBLIC])
def test_the_mode_holds_whatever_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "file", b"content", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode
    assert (tmp_path / "file").read_bytes() == b"content"


def test_an_existing_file_is_replaced_only_where_that_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"first", mode=PUBLIC, replace=False)
    with pytest.raises(Refused, match="exists already, and was not overwritten"):
        write_whole(path, b"second", mode=PUBLIC, replace=False)
    assert path.read_bytes() == b"first"
    write_whole(path, b"third", mode=PUBLIC, replace=True)
    assert path.read_bytes() == b"third"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with reserve(path, mode=PUBLIC, replace=False) as write:
        path.write_bytes(b"somebody else's")
        with pytest.raises(Refused, match="exists already"):
            write(b"ours")
    assert path.read_bytes() == b"somebody else's"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_reservation_that_is_not_used_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), reserve(tmp_path / "file", mode=PUBLIC, replace=False):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", b"new", mode=PUBLIC, replace=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


@pytest.mark.parametrize("place", ["directory", "fifo"])
def test_what_is_no_ordinary_file_is_never_replaced(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    path.mkdir() if place == "directory" else os.mkfifo(path)
    with pytest.raises(Refused, match="not an ordinary file"):
        write_whole(path, b"content", mode=PUBLIC, replace=True)
    assert path.exists()


def test_a_directory_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "missing" / "file", b"content", mode=PUBLIC)


def test_reading_is_capped(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 11)
    assert read_capped(tmp_path / "file", 11) == b"x" * 11
    with pytest.raises(Failed, match="more than 10 bytes"):
        read_capped(tmp_path / "file", 10)


def test_without_hard_links_an_existing_file_is_still_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", unsupported)
    path = tmp_path / "file"
    write_whole(path, b"first", mode=PUBLIC, replace=False)
    assert path.read_bytes() == b"first"
    with reserve(tmp_path / "other", mode=PUBLIC, replace=False) as write:
        (tmp_path / "other").write_bytes(b"somebody else's")
        with pytest.raises(Refused):
            write(b"ours")
    assert (tmp_path / "other").read_bytes() == b"somebody else's"
