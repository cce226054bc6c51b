# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a 32 MB ARF into records, against a pass of expat without handlers over the same bytes."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATASTREAM = pathlib.Path("/usr/share/xml/scap/ssg/content/ssg-rhel8-ds.xml")
PROFILE = "stig"
_MEASURE = """
import resource, sys, time
from xml.parsers import expat
from ansible_collections.scap.images.plugins.module_utils.results import parse_file

def bare():
    with open(sys.argv[1], "rb") as stream:
        expat.ParserCreate().ParseFile(stream)

def timed(work):
    start = time.process_time()
    work()
    return time.process_time() - start

bare()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
parsed = parse_file(sys.argv[1])
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
ours, peer = zip(*[(timed(lambda: parse_file(sys.argv[1])), timed(bare)) for _round in range(5)])
print(min(ours), min(peer), grown / 1024, len(parsed.rule_results))
"""


def make_arf(folder: pathlib.Path) -> pathlib.Path:
    """An ARF of the RHEL 8 STIG profile (32 MB), evaluated by oscap on a root that holds an os-release only."""
    root = folder / "root"
    (root / "etc").mkdir(parents=True)
    release = 'ID="rhel"\nVERSION_ID="8.4"\nCPE_NAME="cpe:/o:redhat:enterprise_linux:8.4:GA"\n'
    (root / "etc" / "os-release").write_text(release)
    arf = folder / "arf.xml"
    done = subprocess.run(
        ["oscap", "xccdf", "eval", "--profile", PROFILE, "--results-arf", str(arf), str(DATASTREAM)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "OSCAP_PROBE_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 2) or not arf.exists():
        raise RuntimeError(f"oscap ended with {done.returncode}: {done.stderr[-500:]}")
    return arf


def run() -> list[dict[str, t.Any]]:
    """The rows of the table: time in CPU seconds (best of 5), memory in MB of the process' peak."""
    with tempfile.TemporaryDirectory(prefix="scap-bench-results-") as name:
        arf = make_arf(pathlib.Path(name))
        size = arf.stat().st_size / 1e6
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, str(arf)],
            env={"PYTHONPATH": str(ROOT / "build" / "dev")},
            capture_output=True,
            text=True,
            check=True,
        )
    ours, peer, grown, _rules = (float(word) for word in done.stdout.split())
    return [
        {
            "name": f"reading an ARF of {size:.0f} MB into records, against an expat pass",
            "value": round(ours, 3),
            "peer": round(peer, 3),
            "ratio": round(ours / peer, 2),
            "goal": 3.0,
            "unit": "s",
            "within": ours <= 3 * peer,
        },
        {
            "name": f"reading an ARF of {size:.0f} MB: peak memory growth",
            "value": round(grown, 1),
            "peer": None,
            "ratio": None,
            "goal": 80.0,
            "unit": "MB",
            "within": grown <= 80,
        },
    ]
