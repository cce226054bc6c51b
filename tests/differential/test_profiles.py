# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make differential`: a compiled profile gives the answers of the original, all of them, everywhere."""

from __future__ import annotations

import concurrent.futures
import pathlib

import pytest

from tests.differential import profiles
from tests.integration.inventory.lab import versions
from tests.support import both_ways

TABLE = pathlib.Path(__file__).resolve().parents[2] / "build" / "differential.jsonl"


@pytest.mark.timeout(6 * 3600)
def test_every_profile_of_every_data_stream() -> None:
    TABLE.unlink(missing_ok=True)
    lines = profiles.run(TABLE, 2)
    print(profiles.summary(lines))
    assert len({line["oscap"] for line in lines}) == 2, "both versions of oscap are needed: tests/setup/trixie"
    different = [line for line in lines if not line["same"]]
    assert not different, different[:5]


@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize("version", versions())
def test_random_data_streams(tmp_path: pathlib.Path, version: str) -> None:
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o755)
    root = both_ways.random_root(tmp_path / "root")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(both_ways.compare_random, version, root, tmp_path, seed) for seed in range(1000)]
        found = [sentence for future in waiting for sentence in future.result()]
    assert not found, found[:5]
