# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A complete evidence takes its place at once, and is on the disk before it does."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.scap.images.plugins.module_utils.scan.accept import put_in_place


def test_every_file_is_durable_before_the_folder_has_its_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging, place = tmp_path / ".scan-1", tmp_path / "image" / "content"
    staging.mkdir()
    place.parent.mkdir()
    for name in ("evidence.json", "arf.xml.gz"):
        (staging / name).write_text(name)
    wanted = {path.stat().st_ino for path in (staging, *staging.iterdir())}
    events: list[tuple[str, int]] = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(handle: int) -> None:
        events.append(("fsync", os.fstat(handle).st_ino))
        fsync(handle)

    def watched_rename(source: str, target: str) -> None:
        events.append(("rename", os.stat(source).st_ino))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "rename", watched_rename)
    put_in_place(str(staging), str(place))
    renamed = events.index(("rename", place.stat().st_ino))
    assert {inode for what, inode in events[:renamed] if what == "fsync"} == wanted
    assert events[renamed + 1 :] == [("fsync", place.parent.stat().st_ino)]
    assert sorted(path.name for path in place.iterdir()) == ["arf.xml.gz", "evidence.json"]


def test_what_was_there_before_is_gone(tmp_path: pathlib.Path) -> None:
    staging, place = tmp_path / ".scan-1", tmp_path / "image" / "content"
    staging.mkdir()
    place.mkdir(parents=True)
    (staging / "new").write_text("")
    (place / "old").write_text("")
    put_in_place(str(staging), str(place))
    assert [path.name for path in place.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["image"]
