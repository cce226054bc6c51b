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
import subprocess
import typing as t

from .place import Place, load
from .processes import Ledger, descendants, end, with_argument

_LOG_LINKS = pathlib.Path("/var/log/containers")
_NETWORK_RESULTS = pathlib.Path("/var/lib/cni/results")


def stop(folder: pathlib.Path) -> None:
    """End the cluster in `folder`, also one that was only half started; nothing happens where there is none."""
    place = load(folder)
    if place is None:
        return
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place.kubeconfig.unlink(missing_ok=True)
        (place.folder / "registry").unlink(missing_ok=True)
        containers = _containers(place)
        _end_processes(place)
        _unmount(place)
        _remove_links(place)
        _remove_traces(place, containers)
        if place.forwarding == "0" and not _other_bridges():
            pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        for path in (place.run, place.data, place.logs, place.pki):
            shutil.rmtree(path, ignore_errors=True)
        for name in ("processes.json", "place.json"):
            (place.folder / name).unlink(missing_ok=True)
    (folder / "lock").unlink(missing_ok=True)


def _end_processes(place: Place) -> None:
    """The kubelet first, so that nothing is started again; then the pods, whose shims name this cluster's socket.

    Killed, all of them: what they would save is thrown away.
    """
    running = [process for process in Ledger(place.folder / "processes.json").read() if process.alive()]
    for name in ("kubelet", "containerd"):
        end([process for process in running if process.name == name])
    shims = with_argument(str(place.containerd))
    end([*descendants(shims), *shims, *running])


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


def _remove_traces(place: Place, containers: t.Sequence[str]) -> None:
    """What the parts write to fixed places: links to logs, results of the network plug-ins, control groups."""
    for link in _entries(_LOG_LINKS):
        if link.is_symlink() and str(link.readlink()).startswith(f"{place.data}/"):
            link.unlink()
    for result in _entries(_NETWORK_RESULTS):
        if result.name.startswith(f"{place.name}-"):
            result.unlink()
    if not _other_bridges():
        for absent in place.absent:
            shutil.rmtree(absent, ignore_errors=True)
    _remove_control_groups(containers)


def _containers(place: Place) -> list[str]:
    """The ids of all containers and sandboxes that containerd holds."""
    tasks = place.run / "containerd" / "io.containerd.runtime.v2.task" / "k8s.io"
    return [entry.name for entry in _entries(tasks)]


def _remove_control_groups(containers: t.Sequence[str]) -> None:
    ours = set(containers)
    for folder, _folders, _files in os.walk("/sys/fs/cgroup", topdown=False):
        group = pathlib.Path(folder)
        if any(part in ours for part in group.parts) or group.name == "k8s.io":
            with contextlib.suppress(OSError):
                group.rmdir()


def _entries(folder: pathlib.Path) -> list[pathlib.Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
