# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every profile of every data stream that Debian ships, compiled and not, on roots of every kind, rule by rule.

`python -m tests.differential.profiles TABLE` goes on where a run before it has stopped; one JSON line a profile.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import sys
import tempfile
import threading
import typing as t

from ansible_collections.scap.images.plugins.module_utils.model import J
from ansible_collections.scap.images.plugins.module_utils.scanner import contentinfo
from ansible_collections.scap.images.plugins.module_utils.scanner.compile.index import RefusedError

from tests.integration.inventory.lab import versions
from tests.support import both_ways
from tests.support.both_ways import Ways

_DEBIAN = ("debian", "ubuntu")


class Row(t.NamedTuple):
    """One profile to be compared."""

    oscap: str
    ships: str
    """The version of oscap that ships with the data stream."""
    stream: str
    root: str
    everywhere: bool
    """Whether the operating systems that the stream is for are taken out, so that its rules are evaluated."""


class Lab:
    """The roots and data streams of a run, each made once."""

    def __init__(self, work: pathlib.Path) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._made: dict[str, pathlib.Path] = {}
        self._infos: dict[str, contentinfo.ContentInfo] = {}

    def stream(self, row: Row) -> tuple[pathlib.Path, contentinfo.ContentInfo]:
        with self._lock:
            key = f"stream-{row.ships}-{row.stream}-{row.everywhere}"
            if key not in self._made:
                (source,) = [path for path in both_ways.streams(row.ships) if path.name == row.stream]
                folder = self._work / key
                folder.mkdir()
                self._made[key] = both_ways.everywhere(source, folder) if row.everywhere else source
                self._infos[key] = contentinfo.content_info(str(self._made[key]))
            return self._made[key], self._infos[key]

    def ways(self, row: Row) -> Ways:
        with self._lock:
            key = f"root-{row.root}-{row.oscap}"
            if key not in self._made:
                self._made[key] = _ROOTS[row.root](self._work / key, row.oscap)
            return Ways(row.oscap, self._made[key], self._work)


_ROOTS: dict[str, t.Callable[[pathlib.Path, str], pathlib.Path]] = {
    "empty": lambda folder, _oscap: both_ways.empty(folder),
    "minimal": lambda folder, _oscap: both_ways.minimal(folder),
    "debian11": lambda folder, _oscap: both_ways.debian(folder),
    "rhel8": lambda folder, oscap: both_ways.red_hat(folder, "rhel8-ubi8.0", oscap),
    "rhel9": lambda folder, oscap: both_ways.red_hat(folder, "rhel9-ubi9.0", oscap),
    "hostile dpkg": lambda folder, _oscap: both_ways.hostile(folder),
    "hostile rpm": lambda folder, oscap: both_ways.hostile(
        folder, lambda place: both_ways.red_hat(place, "rhel8-ubi8.0", oscap)
    ),
}


def rows() -> t.Iterator[Row]:
    """All comparisons, those that tell most first."""
    ships = [
        (version, path.name) for version in versions() for path in both_ways.streams(version) if "-1.2" not in path.name
    ]
    for version, name in ships:
        yield Row(version, version, name, _hostile(name), True)
    for version, name in ships:
        if _fitting(name) != "minimal":
            yield Row(version, version, name, _fitting(name), False)
    for version, name in ships:
        for other in versions():
            if other != version:
                yield Row(other, version, name, _hostile(name), True)
    for version, name in ships:
        if _fitting(name) == "minimal":
            yield Row(version, version, name, "minimal", False)
    for version, name in ships:
        yield Row(version, version, name, "empty", False)
    for version in versions():
        for path in both_ways.streams(version):
            if "-1.2" in path.name:
                yield Row(version, version, path.name, _hostile(path.name), True)


def _hostile(name: str) -> str:
    return "hostile dpkg" if name.startswith(tuple(f"ssg-{word}" for word in _DEBIAN)) else "hostile rpm"


def _fitting(name: str) -> str:
    for word in ("debian11", "rhel8", "rhel9"):
        if name.startswith(f"ssg-{word}-"):
            return word
    return "minimal"


def compare(lab: Lab, row: Row, profile: contentinfo.Profile) -> J:
    """One line of the table."""
    stream, info = lab.stream(row)
    line: J = {**row._asdict(), "profile": profile.id.rpartition("_profile_")[2], "rules": len(profile.rules)}
    if not profile.rules:
        return {**line, "same": True, "note": "selects no rule"}
    try:
        found = lab.ways(row).compare(stream, profile, info.sha256)
    except RefusedError as error:
        return {**line, "same": True, "refused": True, "note": str(error)[:500]}
    first = dict(sorted(found.differing.items())[:5])
    return {
        **line,
        "answered": found.rules,
        "evaluated": found.evaluated,
        "same": not found.differing and (found.failed or found.rules == len(profile.rules)),
        "failed": found.failed,
        "note": str(first)[:500] if first else "",
    }


def run(table: pathlib.Path, jobs: int, wanted: t.Callable[[Row], bool] = lambda _row: True) -> list[J]:
    """Compare everything that `table` does not hold yet; all lines."""
    known = [json.loads(line) for line in table.read_text().splitlines()] if table.exists() else []
    done = {(Row(**{name: line[name] for name in Row._fields}), line["profile"]) for line in known}
    with tempfile.TemporaryDirectory(prefix="scap-differential-") as name, table.open("a") as out:
        os.chmod(name, 0o755)
        lab = Lab(pathlib.Path(name))
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for row in filter(wanted, rows()):
                _stream, info = lab.stream(row)
                todo = [
                    profile for profile in info.profiles if (row, profile.id.rpartition("_profile_")[2]) not in done
                ]
                waiting = [pool.submit(compare, lab, row, profile) for profile in todo]
                for future in concurrent.futures.as_completed(waiting):
                    line = future.result()
                    known.append(line)
                    out.write(json.dumps(line) + "\n")
                    out.flush()
    return known


COLUMNS = (
    *("oscap", "content of", "root", "content", "profiles", "rule answers", "not compiled"),
    *("oscap ends without answers either way", "differ"),
)


def summary(lines: t.Sequence[J]) -> str:
    """The table that people read: profiles compared and different, for each oscap, distribution and root."""
    totals: dict[tuple[str, ...], list[int]] = {}
    for line in lines:
        key = (line["oscap"], line["ships"], line["root"], "of any OS" if line["everywhere"] else "as shipped")
        failed, refused = bool(line.get("failed")), bool(line.get("refused"))
        numbers = (1, 0 if failed else line.get("answered", 0), refused, failed, not line["same"])
        totals[key] = [before + number for before, number in zip(totals.get(key, [0] * 5), numbers)]
    rows = [[*key, *map(str, totals[key])] for key in sorted(totals)]
    return "\n".join(" | ".join(row) for row in [list(COLUMNS), *rows])


if __name__ == "__main__":
    sys.stdout.write(summary(run(pathlib.Path(sys.argv[1]), 2)) + "\n")
