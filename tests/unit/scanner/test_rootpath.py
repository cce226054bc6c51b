"""Paths inside a root lead nowhere else."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.scanner import rootpath


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "secret").write_bytes(b"secret")
    root = tmp_path / "root"
    (root / "etc/deep").mkdir(parents=True)
    (root / "etc/file").write_bytes(b"inside")
    (root / "secret").write_bytes(b"root's own")
    for name, target in {
        "absolute": "/etc/file",
        "relative": "etc/deep/../file",
        "up": "../../../secret",
        "outside": str(tmp_path / "secret"),
        "loop": "loop",
        "chain": "absolute",
        "folder": "/etc",
        "dangling": "/nothing",
    }.items():
        os.symlink(target, root / name)
    os.mkfifo(root / "fifo")
    return root


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("etc/file", b"inside"),
        ("/etc//./file", b"inside"),
        ("absolute", b"inside"),
        ("relative", b"inside"),
        ("chain", b"inside"),
        ("folder/file", b"inside"),
        ("folder/../secret", b"root's own"),
        ("up", b"root's own"),
        ("../../secret", b"root's own"),
        ("outside", None),
        ("loop", None),
        ("dangling", None),
        ("fifo", None),
        ("etc", None),
        ("etc/file/x", None),
    ],
)
def test_read(root: pathlib.Path, path: str, data: bytes | None) -> None:
    assert rootpath.read_in_root(str(root), path, 100) == data


def test_limits_and_places(root: pathlib.Path) -> None:
    with pytest.raises(ScapError, match="larger than 3"):
        rootpath.read_in_root(str(root), "etc/file", 3)
    assert rootpath.resolve_in_root(str(root), "folder/deep/../file") == "etc/file"
    assert rootpath.resolve_in_root(str(root), "dangling") is None
    assert [rootpath.exists_in_root(str(root), name) for name in ("dangling", "loop", "none", "etc/file/x")] == [
        True,
        True,
        False,
        False,
    ]
    assert rootpath.list_in_root(str(root), "folder") == ["deep", "file"]
    assert rootpath.list_in_root(str(root), "none") == []


def test_writing_stays_inside(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    os.symlink(str(tmp_path), root / "etc/out")
    with pytest.raises(ScapError):
        rootpath.make_in_root(str(root), "etc/out/planted", b"1")
    assert not (tmp_path / "planted").exists()
    rootpath.write_in_root(str(root), "up", b"2")
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert (root / "secret").read_bytes() == b"root's own"
    assert (root / "up").read_bytes() == b"2"
    rootpath.remove_in_root(str(root), "outside")
    assert (tmp_path / "secret").exists()
    with pytest.raises(ScapError) as caught:
        rootpath.write_in_root(str(root), "etc", b"")
    assert caught.value.code == "root_unwritable"


def test_relink(root: pathlib.Path) -> None:
    """Absolute links become relative ones to the same place; what leads above the root is refused."""
    assert rootpath.relink_in_root(str(root), "folder/file")
    assert os.readlink(root / "folder") == "etc"
    os.symlink("/etc/file", root / "etc/deep/link")
    assert rootpath.relink_in_root(str(root), "etc/deep/link")
    assert (root / "etc/deep/link").read_bytes() == b"inside"
    assert not rootpath.relink_in_root(str(root), "up")
    assert not rootpath.relink_in_root(str(root), "loop")
    assert rootpath.relink_in_root(str(root), "none/at/all")
