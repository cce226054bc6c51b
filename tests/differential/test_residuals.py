# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every feed of the shared data on every root, and thousands of random documents: compiled and as they are."""

from __future__ import annotations

import bz2
import lzma
import os
import pathlib
import shutil
import typing as t

import pytest

from tests.integration.inventory.lab import Lab, lab
from tests.support import random_oval, shared_data
from tests.support.residuals import Both, tally

__all__ = ["lab"]
ROOTS = ["rhel8-ubi8.0", "rhel8-ubi8.0-bdb", "rhel9-ubi9.0", "sle15", "amazon2023", "debian", "empty"]
DOCUMENTS = int(os.environ.get("DIFFERENTIAL_DOCUMENTS", "1000"))
"""Random documents for each package manager and oscap."""
_OPENERS: dict[str, t.Callable[[bytes], bytes]] = {".xz": lzma.decompress, ".bz2": bz2.decompress}


def feeds() -> t.Iterator[tuple[str, bytes]]:
    for path in sorted(shared_data.path("oval").iterdir()):
        yield path.name, _OPENERS.get(path.suffix, bytes)(path.read_bytes())


def fill(lab: Lab, name: str) -> None:
    if name == "sle15":
        lab.database("sle15-bci-ndb", "Packages.db", "usr/lib/sysimage/rpm")
    elif name == "amazon2023":
        lab.database("amazonlinux2023-sqlite", "rpmdb.sqlite")
    elif name == "debian":
        lab.write("var/lib/dpkg/status", pathlib.Path("/var/lib/dpkg/status").read_bytes())
        shutil.copy("/etc/debian_version", lab.root)
    elif name != "empty":
        lab.unpack(name)


@pytest.mark.parametrize("root", ROOTS)
def test_feeds(lab: Lab, tmp_path: pathlib.Path, root: str) -> None:
    fill(lab, root)
    found = tally(Both.of(lab), feeds(), tmp_path / "cache")
    print(f"{lab.version} {root}: {found}")
    assert not found.different
    assert found.unread <= 1, "the feed that is malformed on purpose"


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("manager", ["rpm", "dpkg"])
def test_random_documents(lab: Lab, tmp_path: pathlib.Path, manager: str) -> None:
    random_oval.fill(lab.root, manager)
    documents = ((f"seed-{seed}", random_oval.Document(seed, manager).bytes()) for seed in range(100, 100 + DOCUMENTS))
    found = tally(Both.of(lab), documents, tmp_path / "cache")
    print(f"{lab.version} {manager}: {found}")
    assert not found.different
    assert found.refused + found.unread < found.documents / 2
