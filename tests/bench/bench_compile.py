# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled profiles against `oscap xccdf eval --results-arf` of the original: processor time and memory, one after the
other on the same root; the answers are compared in the same run. And what compiling costs, once."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import typing as t

from ansible_collections.scap.images.plugins.module_utils.scanner import confine, contentinfo
from ansible_collections.scap.images.plugins.module_utils.scanner.compile.stream import compile_stream

from tests.support import both_ways, shared_data

Row = t.Dict[str, t.Any]
STREAMS = ("rhel8", "rhel9", "debian11", "ubuntu2004", "ubuntu2204")
SSG = pathlib.Path("/") / both_ways.SSG
_COMPILE = (
    "import sys; from ansible_collections.scap.images.plugins.module_utils.scanner import compile, contentinfo; "
    "info = contentinfo.content_info(sys.argv[1], sys.argv[3]); "
    "profile = contentinfo.choose_profile(info, sys.argv[2], sys.argv[1]); "
    "compile.compile_stream(sys.argv[1], info.sha256, profile.id, profile.rules, sys.argv[3])"
)

_MEASURE = (
    "import resource, subprocess, sys; "
    "status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
    "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
    "print(status, used.ru_utime + used.ru_stime, used.ru_maxrss)"
)


class Cost(t.NamedTuple):
    """Of one process and its children."""

    seconds: float
    """Of processor."""
    megabytes: float
    """Most that was resident."""


class Pair(t.NamedTuple):
    """One profile, compiled and not."""

    name: str
    compiled: Cost
    original: Cost


def run() -> list[Row]:
    """The rows of build/bench.json."""
    with tempfile.TemporaryDirectory(prefix="scap-bench-") as name:
        folder = pathlib.Path(name)
        confine.prepare_home(str(folder / "home"), "amd64")
        rows = []
        for stream in STREAMS:
            pairs = _pairs(stream, folder)
            if stream == "rhel8":
                stig = next(pair for pair in pairs if pair.name == "stig")
                rows += _rows("RHEL 8, profile stig", [stig], 0.4)
                pairs.remove(stig)
            rows += _rows(f"{stream}, the slowest of {len(pairs)} profiles", pairs, 0.5)
        return rows + _compiling(folder)


def _pairs(stream: str, folder: pathlib.Path) -> list[Pair]:
    path = SSG / f"ssg-{stream}-ds.xml"
    info = contentinfo.content_info(str(path))
    root = _root(stream, folder)
    pairs = []
    for profile in info.profiles:
        made = compile_stream(str(path), info.sha256, profile.id, profile.rules, str(folder / "compiled"))
        results = folder / "original.xml", folder / "compiled.xml"
        original = _oscap(root, folder, str(path), profile.id, results[0], [])
        compiled = _oscap(root, folder, made.path, profile.id, results[1], ["--skip-validation"])
        answers = [both_ways.read_answers(result) for result in results]
        if answers[0] != answers[1] or len(answers[0]) != len(profile.rules):
            raise AssertionError(f"{path} {profile.id}: compiled, its answers are others")
        pairs.append(Pair(profile.id.rpartition("_profile_")[2], compiled, original))
    return pairs


def _root(stream: str, folder: pathlib.Path) -> pathlib.Path:
    """A root of the stream's family; of the stream's own system where there is one."""
    root = folder / ("debian" if not stream.startswith("rhel") else stream)
    if root.exists():
        return root
    if not stream.startswith("rhel"):
        return both_ways.debian(root)
    names = {"rhel8": "rhel8-ubi8.0", "rhel9": "rhel9-ubi9.0"}
    if (shared_data.FOLDER / "roots" / f"{names[stream]}.tar.xz").exists():
        return both_ways.red_hat(root, names[stream], "1.3.7")
    return both_ways.minimal(root)


def _oscap(
    root: pathlib.Path, folder: pathlib.Path, stream: str, profile: str, results: pathlib.Path, options: list[str]
) -> Cost:
    results.unlink(missing_ok=True)
    argv = ["oscap", "xccdf", "eval", *options, "--profile", profile, "--results-arf", str(results), stream]
    home = folder / "home"
    environment = {"HOME": str(home), "APT_CONFIG": str(home / "apt.conf"), "OSCAP_PROBE_ROOT": str(root)}
    for _attempt in range(5):
        status, cost = _measured(argv, environment)
        if status != -11:
            break
    if status not in (0, 2):
        raise AssertionError(f"{argv} ended with {status}")
    return cost


def _measured(argv: t.Sequence[str], environment: t.Mapping[str, str]) -> tuple[int, Cost]:
    """Exit status and cost; measured by a small process, as a child begins with the peak of who started it."""
    env = {"PATH": os.environ["PATH"], **environment}
    done = subprocess.run([sys.executable, "-S", "-c", _MEASURE, *argv], env=env, check=True, capture_output=True)
    status, seconds, kilobytes = done.stdout.split()
    return int(status), Cost(float(seconds), int(kilobytes) / 1024)


def _rows(name: str, pairs: t.Sequence[Pair], goal: float) -> list[Row]:
    """The profile with the worst time, and that with the worst memory."""
    slow = max(pairs, key=lambda pair: pair.compiled.seconds / pair.original.seconds)
    large = max(pairs, key=lambda pair: pair.compiled.megabytes / pair.original.megabytes)
    return [
        _row(f"{name}: time ({slow.name})", slow.compiled.seconds, slow.original.seconds, goal, "s"),
        _row(f"{name}: memory ({large.name})", large.compiled.megabytes, large.original.megabytes, goal, "MB"),
    ]


def _compiling(folder: pathlib.Path) -> list[Row]:
    """Reading what a data stream holds included."""
    cache = folder / "cache"
    argv = [sys.executable, "-c", _COMPILE, str(SSG / "ssg-rhel8-ds.xml"), "stig", str(cache)]
    status, cost = _measured(argv, {"PYTHONPATH": os.pathsep.join(sys.path)})
    if status:
        raise AssertionError(f"compiling ended with {status}")
    return [
        _row("compiling RHEL 8 stig: time", cost.seconds, 2.0, 1.0, "s"),
        _row("compiling RHEL 8 stig: memory", cost.megabytes, 300.0, 1.0, "MB"),
    ]


def _row(name: str, value: float, peer: float, goal: float, unit: str) -> Row:
    ratio = value / peer
    return {
        "name": name,
        "value": round(value, 2),
        "peer": round(peer, 2),
        "ratio": round(ratio, 3),
        "goal": goal,
        "unit": unit,
        "within": ratio <= goal,
    }
