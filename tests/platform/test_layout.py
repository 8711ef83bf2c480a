import os
from pathlib import Path

import pytest

from placet.platform.layout import sync, sync_tree


def test_a_tree_is_synced_whole_and_no_link_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside"
    outside.write_text("x")
    tree = tmp_path / "versions" / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "file").write_text("x")
    (tree / "link").symlink_to(outside)
    os.mkfifo(tree / "fifo")
    synced, fsync = list[Path](), os.fsync

    def noting(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    sync_tree(tree)
    assert synced == [tree / "a" / "b" / "file", tree / "a" / "b", tree / "a", tree, tree.parent]
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        sync(tree / "link")
