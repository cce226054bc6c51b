# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies beside a root that a hostile image is unpacked into, and must stay as it is."""

from __future__ import annotations

import contextlib
import os
import pathlib
import typing as t

from tests.support.trees import difference, snapshot


@contextlib.contextmanager
def unchanged(folder: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """A folder to work in; `folder`/outside is the same afterwards, to the last time and byte."""
    outside = folder / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "secret").write_text("secret")
    (outside / "secret").chmod(0o600)
    (outside / "link").symlink_to("secret")
    work = folder / "work"
    work.mkdir()
    before = snapshot(outside)
    yield work
    assert difference(before, snapshot(outside)) == {}
    assert (outside / "secret").stat().st_nlink == 1
    assert sorted(os.listdir(folder)) == ["outside", "work"]
