"""Package inventories of 500 packages: time and memory of each format, and the whole proof with rebuild and oscap."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

from tests import conftest

if t.TYPE_CHECKING:
    from collections.abc import Callable

COUNT, FILLER = 500, 30_000

_CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.scap.images.plugins.module_utils.scanner.packages import read_inventory
started = time.perf_counter()
found = read_inventory(sys.argv[2])
seconds = time.perf_counter() - started
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(len(found.packages), seconds, int(peak) / 1024)
"""


def run() -> list[dict[str, t.Any]]:
    from tests.support import package_databases as made

    names = [f"package-{number}" for number in range(COUNT)]
    headers = [made.rpm_header(name, filler=FILLER) for name in names]
    makers: dict[str, Callable[[pathlib.Path], object]] = {
        "sqlite": lambda root: made.sqlite_file(root / "var/lib/rpm/rpmdb.sqlite", headers),
        "sqlite in its log": lambda root: made.sqlite_file(root / "var/lib/rpm/rpmdb.sqlite", headers, wal=True),
        "ndb": lambda root: _put(root, "var/lib/rpm/Packages.db", made.ndb_bytes(headers)),
        "bdb": lambda root: _put(root, "var/lib/rpm/Packages", made.bdb_bytes(headers)),
        "dpkg": lambda root: _put(root, "var/lib/dpkg/status", made.dpkg_status(names)),
        "apk": lambda root: _put(root, "lib/apk/db/installed", made.apk_installed(names)),
    }
    rows: list[dict[str, t.Any]] = []
    for form, make in makers.items():
        with tempfile.TemporaryDirectory(prefix="inventory-bench-") as folder:
            make(pathlib.Path(folder))
            seconds, megabytes = min(_inventory(folder) for _unused in range(3))
        rows.append({"name": f"inventory of {COUNT}, {form}", "value": seconds, "goal": 0.3, "unit": "s"})
        rows.append({"name": f"inventory of {COUNT}, {form}, memory", "value": megabytes, "goal": 60, "unit": "MB"})
    if os.geteuid() == 0:
        for form in ("ndb", "dpkg"):
            seconds = min(_proof(makers[form]) for _unused in range(3))
            rows.append({"name": f"inventory, rebuild and probes, {form}", "value": seconds, "goal": 0.6, "unit": "s"})
    return rows


def _put(root: pathlib.Path, path: str, data: bytes) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def _inventory(root: str) -> tuple[float, float]:
    """(seconds, peak MB) in a process of its own."""
    argv = [sys.executable, "-c", _CHILD, str(conftest.BUILD / "dev"), root]
    words = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    assert int(words[0]) == COUNT
    return float(words[1]), float(words[2])


def _proof(make: Callable[[pathlib.Path], object]) -> float:
    from tests.integration.inventory.lab import Lab

    with tempfile.TemporaryDirectory(prefix="inventory-bench-") as folder:
        work = pathlib.Path(folder)
        (work / "root/etc").mkdir(parents=True)
        (work / "root/etc/passwd").write_bytes(b"root:x:0:0:root:/root:/bin/bash\n")
        make(work / "root")
        families = ("file", "textfilecontent54", "environmentvariable58", "symlink", "password", "rpminfo", "dpkginfo")
        lab = Lab("1.3.7", work / "root", work)
        started = time.perf_counter()
        checks = lab.prove(*families)
        seconds = time.perf_counter() - started
        assert all(check.passed for check in checks.values()), checks
        return seconds
