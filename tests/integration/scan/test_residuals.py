# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds by their remainders: the answers of oscap on the whole feed. A sample; tests/differential has all of it."""

from __future__ import annotations

import lzma
import pathlib

import pytest

from tests.integration.inventory.lab import Lab, lab
from tests.support import random_oval, shared_data
from tests.support.residuals import Both, differences, tally

__all__ = ["lab"]
KNOWN = {1619, 2692, 3352, 3513, 3520, 3530, 3575, 3583, 3592, 3600, 3624, 3698, 3700, 3701, 3706, 3707}
"""RHSA-2019 that hold for the root of UBI 8.0."""


def test_known_answer(lab: Lab, tmp_path: pathlib.Path) -> None:
    lab.unpack("rhel8-ubi8.0")
    both, feed = Both.of(lab), tmp_path / "rhel8.xml"
    feed.write_bytes(lzma.decompress(shared_data.path("oval", "com.redhat.rhsa-RHEL8.xml.xz").read_bytes()))
    whole, (compiled, ended) = both.whole(str(feed)), both.compiled(str(feed), tmp_path / "cache")
    assert not differences(whole, compiled)
    assert {f"oval:com.redhat.rhsa:def:2019{number}" for number in KNOWN} == {
        entry.id for entry in compiled.results.vulnerabilities
    }
    assert (ended.definitions, ended.roll_call.passed) == (129, True)
    assert ended.remainders < 30


@pytest.mark.parametrize("manager", ["rpm", "dpkg"])
def test_random_documents(lab: Lab, tmp_path: pathlib.Path, manager: str) -> None:
    random_oval.fill(lab.root, manager)
    documents = ((f"seed-{seed}", random_oval.Document(seed, manager).bytes()) for seed in range(12))
    found = tally(Both.of(lab), documents, tmp_path / "cache")
    assert not found.different
    assert found.refused + found.unread < found.documents / 2
    assert {name for name, count in found.answers.items() if count} >= {"true", "false", "unknown", "not evaluated"}
