# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops everything, and removes what it has left on the machine: mounts, links, namespaces, control groups, folders."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import typing as t

from .place import Place, load
from .processes import Ledger, descendants, end, with_argument

_LOG_LINKS = pathlib.Path("/var/log/containers")
_NETWORK_RESULTS = (pathlib.Path("/var/lib/cni/results"), pathlib.Path("/var/lib/cni/cache/results"))


def stop(folder: pathlib.Path) -> None:
    """End the cluster in `folder`, also one that was only half started; nothing happens where there is none."""
    place = load(folder)
    if place is None:
        return
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place.kubeconfig.unlink(missing_ok=True)
        (place.folder / "registry").unlink(missing_ok=True)
        _end_processes(place)
        _unmount(place)
        _remove_links(place)
        _remove_traces(place)
        if place.forwarding == "0" and not _other_bridges():
            pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        for path in (place.run, place.data, place.logs, place.pki):
            shutil.rmtree(path, ignore_errors=True)
        for name in ("processes.json", "place.json"):
            (place.folder / name).unlink(missing_ok=True)
    (folder / "lock").unlink(missing_ok=True)


def _end_processes(place: Place) -> None:
    """The kubelet first, so that nothing is started again; then the pods, whose shims name this cluster's socket."""
    running = {process.name: process for process in Ledger(place.folder / "processes.json").read() if process.alive()}
    for name in ("kubelet", "scheduler", "controller-manager"):
        if name in running:
            end([running.pop(name)], signal.SIGKILL if name != "kubelet" else signal.SIGTERM)
    if "containerd" in running:
        end([running.pop("containerd")])
    shims = with_argument(str(place.containerd))
    end([*descendants(shims), *shims], signal.SIGKILL)
    end(list(running.values()))


def _unmount(place: Place) -> None:
    """Every mount below the cluster's folders, the deepest first."""
    below = (f"{place.data}/", f"{place.run}/")
    for _round in range(3):
        lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
        points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
        mine = [point for point in points if point.startswith(below)]
        if not mine:
            return
        for point in reversed(mine):
            subprocess.run(["umount", "-l", point], check=False, capture_output=True)
    raise RuntimeError(f"these stay mounted: {mine}")


def _remove_links(place: Place) -> None:
    """The bridge and the pods' ends on it."""
    if not pathlib.Path("/sys/class/net", place.name).exists():
        return
    argv = ["ip", "-json", "link", "show", "master", place.name]
    ports = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout or "[]")
    for name in [*(port["ifname"] for port in ports), place.name]:
        subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)


def _other_bridges() -> bool:
    return any(entry.startswith("scap") for entry in os.listdir("/sys/class/net"))


def _remove_traces(place: Place) -> None:
    """What the parts write to fixed places: links to logs, results of the network plug-ins, control groups."""
    for link in _entries(_LOG_LINKS):
        if link.is_symlink() and str(link.readlink()).startswith(f"{place.data}/"):
            link.unlink()
    for folder in _NETWORK_RESULTS:
        for result in _entries(folder):
            if result.name.startswith(f"{place.name}-"):
                result.unlink()
    for folder in (_LOG_LINKS, *_NETWORK_RESULTS):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _entries(folder: pathlib.Path) -> t.Iterator[pathlib.Path]:
    if folder.is_dir():
        yield from list(folder.iterdir())
