# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A feed of 8,000 definitions by its remainders against `oscap oval eval --results` of the feed: processor time and
memory of everything that one image costs, after the index; the answers are compared in the same run. And the index."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import typing as t

from ansible_collections.scap.images.plugins.module_utils.results import parse_file
from ansible_collections.scap.images.plugins.module_utils.scanner import confine

from tests.integration.inventory.lab import Lab
from tests.support import red_hat_feed
from tests.support.residuals import differences

Row = t.Dict[str, t.Any]
DEFINITIONS = 8000
_INDEX = """
import sys
from ansible_collections.scap.images.plugins.module_utils.files import sha256_file
from ansible_collections.scap.images.plugins.module_utils.scanner.oval.index import make_index
make_index(sys.argv[1], sha256_file(sys.argv[1]), sys.argv[2])
"""
_OURS = """
import sys
from ansible_collections.scap.images.plugins.module_utils.scanner.confine import Sandbox
from ansible_collections.scap.images.plugins.module_utils.scanner.oval.index import index_path
from ansible_collections.scap.images.plugins.module_utils.scanner.oval.residual import Index
from ansible_collections.scap.images.plugins.module_utils.scanner.oval.run import evaluate_compiled
from ansible_collections.scap.images.plugins.module_utils.scanner.packages import read_inventory
feed, sha256, cache, root, home, out = sys.argv[1:]
sandbox = Sandbox(root=root, out=out, home=home, bare=True)
found = read_inventory(root)
index = Index(index_path(cache, sha256))
ended = evaluate_compiled(sandbox, feed, index, "compiled", root, found, work=out, timeout=600)
if not ended.roll_call.passed:
    raise SystemExit(ended.roll_call.detail)
sys.stderr.write(f"{ended.remainders} remainders of {ended.definitions} definitions\\n")
"""
_MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def run() -> list[Row]:
    """The rows of build/bench.json."""
    with tempfile.TemporaryDirectory(prefix="scap-bench-") as name:
        folder = pathlib.Path(name)
        confine.prepare_home(str(folder / "home"), "amd64")
        feed, cache = folder / "feed.xml", folder / "cache"
        red_hat_feed.write(feed, DEFINITIONS)
        seconds, megabytes = _measured([sys.executable, "-S", "-c", _INDEX, str(feed), str(cache)], {})
        (index,) = cache.iterdir()
        what = f"index of a feed of {DEFINITIONS} definitions"
        rows = [
            {"name": f"{what}: time", "value": seconds, "goal": 10, "unit": "s"},
            {"name": f"{what}: memory", "value": megabytes, "goal": 400, "unit": "MB"},
        ]
        for packages, goals in ((200, (0.12, 0.1)), (500, (0.25, None))):
            rows += _pair(folder, feed, index.name.split(".")[0], packages, goals)
        return rows


def _pair(
    folder: pathlib.Path, feed: pathlib.Path, sha256: str, packages: int, goals: tuple[float, float | None]
) -> list[Row]:
    root, out, home = (folder / f"{kind}{packages}" for kind in ("root", "out", "home"))
    for place in (root, out):
        place.mkdir()
    red_hat_feed.root(root, packages)
    Lab("1.3.7", root, out).prepare()
    confine.prepare_home(str(home), "amd64")
    whole = str(out / "whole.xml")
    environment = {"HOME": str(home), "OSCAP_PROBE_ROOT": str(root)}
    argv = ["oscap", "oval", "eval", "--skip-validation", "--results", whole, str(feed)]
    ours = [sys.executable, "-S", "-c", _OURS, str(feed), sha256, str(folder / "cache"), str(root), str(home), str(out)]
    value, peer = [1e9, 1e9], [1e9, 1e9]
    for _unused in range(2):
        peer = [min(pair) for pair in zip(peer, _measured(argv, environment))]
        value = [min(pair) for pair in zip(value, _measured(ours, {}))]
    problems = differences(parse_file(whole), parse_file(str(out / "compiled.xml")))
    if problems:
        raise AssertionError(f"compiled, the answers are others: {problems[:5]}")
    name = f"feed of {DEFINITIONS} definitions on {packages} packages"
    return [
        {"name": f"{name}: time", "value": value[0], "peer": peer[0], "goal": goals[0], "unit": "s"},
        {"name": f"{name}: memory", "value": value[1], "peer": peer[1], "goal": goals[1], "unit": "MB"},
    ]


def _measured(argv: t.Sequence[str], environment: t.Mapping[str, str]) -> tuple[float, float]:
    """(seconds of processor, megabytes of the largest process) of a program and its children."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    for _attempt in range(3):
        done = subprocess.run(
            [sys.executable, "-S", "-c", _MEASURE, *argv], env=env, check=True, capture_output=True, text=True
        )
        status, seconds, megabytes = done.stdout.split()
        if status != "-11":
            break
    sys.stderr.write(done.stderr[-500:])
    if status != "0":
        raise AssertionError(f"{argv} ended with {status}: {done.stderr[-2000:]}")
    return float(seconds), float(megabytes)
