# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging and reporting: seconds, growth of memory, and size of the fleet page."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

from ansible_collections.scap.images.plugins.module_utils.policy import Policy, Waiver, Waivers, judge_strictest
from ansible_collections.scap.images.plugins.module_utils.policy.policy import Condition
from ansible_collections.scap.images.plugins.module_utils.policy.run import judge_folder, load_grounds
from ansible_collections.scap.images.plugins.module_utils.progress import JUDGE, Progress
from ansible_collections.scap.images.plugins.module_utils.store import evidences, results_of

from ..support.browser import chromium
from ..support.fleet import many

_MEASURED = """
import json, resource, sys, time
from ansible_collections.scap.images.plugins.module_utils.policy.run import judge_folder, load_grounds
from ansible_collections.scap.images.plugins.module_utils.reporting.html_fleet import write_index
from ansible_collections.scap.images.plugins.module_utils.reporting.interface import Fleet
from ansible_collections.scap.images.plugins.module_utils.reporting.output import Output
from ansible_collections.scap.images.plugins.module_utils.reporting.run import write_reports
from ansible_collections.scap.images.plugins.module_utils.reporting.summary import Gatherer

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def whole(root):
    judge_folder(root, load_grounds([], []), write=True, keep=100)
    write_reports(root, ["html"])

def index(root):
    fleet = Fleet.open(root)
    gatherer = Gatherer(fleet)
    for verdict in fleet.verdicts():
        gatherer.add(verdict)
    write_index(fleet, gatherer.summary(), Output(root + "/fleet"))

start, before = time.monotonic(), peak()
{"whole": whole, "index": index}[sys.argv[1]](sys.argv[2])
print(json.dumps([time.monotonic() - start, peak() - before, peak()]))
"""


def run() -> list[dict[str, t.Any]]:
    rows: list[dict[str, t.Any]] = []
    with tempfile.TemporaryDirectory(prefix="report-bench-") as folder:
        small, large = pathlib.Path(folder, "100"), pathlib.Path(folder, "2000")
        for root in (small, large):
            root.mkdir()
            many(root, int(root.name))
        seconds, growth, _peak = _measured("whole", small)
        rows.append(_row("judge and report 100 evidences", seconds, 3, "s"))
        judge_folder(str(large), load_grounds([], []), write=True, keep=0)
        seconds, _growth, peak = _measured("index", large)
        rows.append(_row("fleet page of 2,000 verdicts", seconds, 4, "s"))
        rows.append(_row("fleet page of 2,000 verdicts: peak memory", peak / 1e6, 150, "MB"))
        size = os.path.getsize(large / "fleet" / "index.html") / 1e6
        rows.append(_row("fleet page of 2,000 verdicts: size", size, 15, "MB"))
        rows.append(_row("fleet page of 2,000 verdicts: opened in a browser", _opened(large / "fleet"), 2, "s"))
        _seconds, more, _peak = _measured("whole", large)
        rows.append(_row("memory that 1,900 more images take to judge and report", (more - growth) / 1e6, 40, "MB"))
        rows.append(_row("progress of judging 2,000 evidences", _progress(large, 2000), 1, "% of processor time"))
        rows.append(_row("judge 10,000 under 50 rules and 500 waivers", _judge(large, 10_000), 20, "s"))
    return rows


def _row(name: str, value: float, goal: float, unit: str) -> dict[str, t.Any]:
    return {
        "name": name,
        "value": value,
        "peer": None,
        "ratio": None,
        "goal": goal,
        "unit": unit,
        "within": value <= goal,
    }


def _measured(what: str, root: pathlib.Path) -> list[float]:
    """Seconds, growth and peak of memory in bytes, of a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", _MEASURED, what, str(root)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    answer: list[float] = json.loads(done.stdout)
    return answer


def _opened(folder: pathlib.Path) -> float:
    """Seconds until a browser shows how many images there are; the best of three."""
    times = []
    with chromium() as browser:
        page = browser.new_page()
        for _repeat in range(3):
            start = time.monotonic()
            page.goto(f"file://{folder}/index.html", wait_until="load")
            if page.locator("#count").inner_text() != "2000 images":
                raise AssertionError(page.locator("#count").inner_text())
            times.append(time.monotonic() - start)
    return min(times)


def _progress(root: pathlib.Path, number: int) -> float:
    """What telling how far a step is takes of it, in percent of its processor time."""
    start = time.process_time()
    judge_folder(str(root), load_grounds([], []), write=True, keep=0)
    whole = time.process_time() - start
    start = time.process_time()
    with Progress(str(root), JUDGE, number) as progress:
        for place in range(number):
            progress.ended(f"docker://registry.example:5000/shop/web-{place}:1")
    return 100 * (time.process_time() - start) / whole


def _judge(root: pathlib.Path, number: int) -> float:
    """Seconds to judge `number` records that are in memory."""
    policy = Policy(
        "fifty",
        rule_limits={"critical": 0, "high": 3, "medium": 10},
        rules_required=[f"rule_{place}" for place in range(10)],
        rules_ignored=[f"rule_{place}" for place in range(20, 35)],
        rules_promoted={f"rule_{place}": "high" for place in range(40, 50)},
        cves_denied=[f"CVE-2026-{place:05d}" for place in range(12)],
        fix_days=30,
        conditions=[
            Condition(f"condition-{place}", f"packages > `{1000 + place}`", "too many packages") for place in range(3)
        ],
    )
    rules = [
        Waiver("rule", f"rule_{place % 120}", "o", "r", "2999-01-01", images=(f"*{place}:1",)) for place in range(250)
    ]
    cves = [Waiver("cve", f"CVE-2026-{place:05d}", "o", "r", "2999-01-01", images=("*9:1",)) for place in range(250)]
    waivers = Waivers([*rules, *cves])
    now = datetime.datetime.now(datetime.timezone.utc)
    records = [(evidence, results_of(str(root), place, evidence)) for evidence, place in evidences(str(root))]
    start = time.monotonic()
    for place in range(number):
        evidence, results = records[place % len(records)]
        judge_strictest(evidence, results, [policy], waivers, now)
    return time.monotonic() - start
