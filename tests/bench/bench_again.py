# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of evidences judged against two feeds in turn, without an image: images an hour, by the clock: the
processor time of confined programs is not added to that of those who started them."""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile
import time
import typing as t

from ansible_collections.scap.images.plugins.module_utils.scan.again import Again, judge_again

from tests.support import kept_fleet, red_hat_feed

Row = t.Dict[str, t.Any]
IMAGES = int(os.environ.get("FLEET", "1000"))
PACKAGES, DEFINITIONS = 200, 2000


def run() -> list[Row]:
    """The rows of build/bench.json."""
    return [*_judged(IMAGES, "no two alike"), *_judged(IMAGES // 10, "ten on a base")]


def _judged(bases: int, alike: str) -> t.Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="scap-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "work").mkdir()
        kept_fleet.write(folder / "scaps", folder / "work", IMAGES, PACKAGES, bases)
        for number in (1, 2):
            feed = folder / f"feed{number}.xml"
            red_hat_feed.write(feed, DEFINITIONS, seed=number)
            started = time.monotonic()
            summary = judge_again(Again(str(folder / "scaps"), [str(feed)], sys.executable))
            seconds = time.monotonic() - started
            if summary.evaluated != IMAGES:
                raise AssertionError(f"{summary}, {IMAGES} evidences")
            what = f"{IMAGES} evidences, {alike}, judged by feed {number} of {DEFINITIONS} definitions"
            yield {"name": what, "value": IMAGES * 3600 / seconds, "goal": ">= 20000", "unit": "images/h"}
