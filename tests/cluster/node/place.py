# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where one cluster's things lie: its folder, its ports, its network, and what it has started; kept in a file."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import json
import os
import pathlib
import socket
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
_PORTS = ("etcd", "etcd_peer", "apiserver", "kubelet", "registry", "openshift")
FIXED = ("/var/log/containers", "/var/lib/cni", "/var/lib/kubelet")
"""Folders that kubelet and network plug-ins make wherever their own folders are."""
_FIRST_NET, _LAST_NET = 201, 250


@dataclasses.dataclass
class Place:
    """The folders, ports and addresses of one cluster.

    `folder` is build/cluster of a checkout or another one that a test gives; sockets lie below /run, because their
    paths are bounded (unix(7): 108 bytes).
    """

    folder: pathlib.Path
    ports: dict[str, int]
    subnet: str
    """The pods' network, a /24 of 10.0.0.0/8; its first address is the bridge's."""
    forwarding: str
    """What net.ipv4.ip_forward was before."""
    absent: list[str]
    """Those of FIXED that were not there before."""

    @property
    def name(self) -> str:
        return "scap" + hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]

    @property
    def data(self) -> pathlib.Path:
        return self.folder / "data"

    @property
    def run(self) -> pathlib.Path:
        return pathlib.Path("/run") / self.name

    @property
    def logs(self) -> pathlib.Path:
        return self.folder / "logs"

    @property
    def pki(self) -> pathlib.Path:
        return self.folder / "pki"

    @property
    def kubeconfig(self) -> pathlib.Path:
        return self.folder / "kubeconfig"

    @property
    def address(self) -> str:
        return str(ipaddress.ip_network(self.subnet)[1])

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports['apiserver']}"

    @property
    def registry(self) -> str:
        return f"127.0.0.1:{self.ports['registry']}"

    @property
    def pod_registry(self) -> str:
        """The same registry, as pods reach it."""
        return f"{self.address}:{self.ports['registry']}"

    @property
    def containerd(self) -> pathlib.Path:
        return self.run / "containerd.sock"

    def save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        values = {"ports": self.ports, "subnet": self.subnet, "forwarding": self.forwarding, "absent": self.absent}
        part = self.folder / "place.json.part"
        part.write_text(json.dumps(values))
        part.rename(self.folder / "place.json")


def load(folder: pathlib.Path) -> Place | None:
    """The cluster that was made in this folder, None where there is none."""
    try:
        values = json.loads((folder / "place.json").read_text())
    except FileNotFoundError:
        return None
    return Place(folder.resolve(), **values)


def choose(folder: pathlib.Path) -> Place:
    """Free ports and a free network for a new cluster."""
    sockets = [socket.socket() for _name in _PORTS]
    try:
        for one in sockets:
            one.bind(("0.0.0.0", 0))
        ports = {name: int(one.getsockname()[1]) for name, one in zip(_PORTS, sockets)}
    finally:
        for one in sockets:
            one.close()
    forwarding = pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    absent = [path for path in FIXED if not pathlib.Path(path).exists()]
    return Place(folder.resolve(), ports, _free_subnet(), forwarding, absent)


def _free_subnet() -> str:
    argv = ["ip", "-json", "route", "show", "table", "all"]
    routes = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    used = []
    for route in routes:
        destination = str(route.get("dst", ""))
        if "." in destination:
            used.append(ipaddress.ip_network(destination, strict=False))
    start = os.getpid()
    for step in range(_LAST_NET - _FIRST_NET):
        third = (start + step) % 256
        subnet = ipaddress.ip_network(f"10.{_FIRST_NET + (start + step) % (_LAST_NET - _FIRST_NET)}.{third}.0/24")
        if not any(subnet.overlaps(other) for other in used):
            return str(subnet)
    raise RuntimeError(f"no free network among 10.{_FIRST_NET}.0.0 to 10.{_LAST_NET}.0.0")
