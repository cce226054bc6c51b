# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts everything, in the order in which one part needs another."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import typing as t

from tests.support.apiserver import age

from . import api, certificates, control_plane, machine, openshift, registry
from .place import Place, choose, load
from .processes import Ledger, tail
from .programs import build

_AUDIT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}


def start(folder: pathlib.Path) -> Place:
    """The cluster in `folder`, running and ready; what runs already is left as it is."""
    if os.geteuid() != 0:
        raise RuntimeError("the cluster has network bridges and mounts: start it as root")
    programs = build()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = load(folder) or choose(folder)
        place.save()
        for path in (place.data, place.run, place.logs):
            path.mkdir(parents=True, exist_ok=True)
        (place.data / "audit.json").write_text(json.dumps(_AUDIT))
        _Start(place, programs).run()
        return place


class _Start:
    def __init__(self, place: Place, programs: control_plane.Programs) -> None:
        self._place = place
        self._programs = programs
        self._ledger = Ledger(place.folder / "processes.json")
        self._environment = {
            "PATH": f"{programs['containerd'].parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "TMPDIR": str(place.data),
        }

    def run(self) -> None:
        place, programs = self._place, self._programs
        self._start("etcd", control_plane.etcd(place))
        age(f"http://127.0.0.1:{place.ports['etcd']}")
        certificates.make(place)
        machine.make_bridge(place)
        self._start("apiserver", control_plane.apiserver(place, programs))
        self._start("registry", registry.command(place, place.registry))
        self._start("pod-registry", registry.command(place, place.pod_registry))
        self._start("containerd", machine.containerd(place, programs))
        admin = api.Admin(place)
        registry.wait(place)
        registry.push_pause(place, programs["pause"])
        self._until(admin, api.ready, "apiserver")
        self._start("openshift", openshift.command(place, programs))
        self._start("kubelet", machine.kubelet(place, programs))
        self._start("controller-manager", control_plane.controller_manager(place, programs))
        self._start("scheduler", control_plane.scheduler(place, programs))
        openshift.register(place, admin)
        self._until(admin, api.node_ready, "kubelet")
        self._until(admin, api.node_answers, "kubelet")
        self._until(admin, openshift.available, "openshift")
        (place.folder / "registry").write_text(f"{place.registry}\n")
        certificates.write_admin(place)

    def _log(self, name: str) -> pathlib.Path:
        return self._place.logs / f"{name}.log"

    def _start(self, name: str, argv: t.Sequence[str]) -> None:
        self._ledger.start(name, argv, self._log(name), self._environment)

    def _until(self, admin: api.Admin, true: t.Callable[[api.Admin], bool], name: str) -> None:
        def watched(asked: api.Admin) -> bool:
            if self._ledger.get(name) is None:
                raise RuntimeError(f"{name} has ended:\n{tail(self._log(name))}")
            return true(asked)

        admin.until(watched, f"{name} is not ready; its log is {self._log(name)}")
