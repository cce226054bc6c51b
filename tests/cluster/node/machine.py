# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's own parts: bridge, pod network, containerd, kubelet; what this machine is allowed decides the settings."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import typing as t

from .control_plane import Programs, flags
from .place import Place

_ALSO = ("docker.io", "image-registry.openshift-image-registry.svc:5000")
"""Names that mean the cluster's own registry on the node: what pods call by a short name, or by an image stream."""

_RESOURCE = 24
"""CAP_SYS_RESOURCE (capabilities(7))."""


def unified_cgroups() -> bool:
    """Whether the machine has cgroup v2 alone."""
    return pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()


def systemd() -> bool:
    return pathlib.Path("/run/systemd/system").is_dir()


def may_raise_limits() -> bool:
    """Whether this process has CAP_SYS_RESOURCE."""
    status = pathlib.Path("/proc/self/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(mask, 16) >> _RESOURCE & 1)


def apparmor() -> bool:
    """Whether containerd can load profiles: the kernel has it on and the parser is installed."""
    enabled = pathlib.Path("/sys/module/apparmor/parameters/enabled")
    with contextlib.suppress(OSError):
        return enabled.read_text().strip() == "Y" and pathlib.Path("/sbin/apparmor_parser").exists()
    return False


def make_bridge(place: Place) -> None:
    """The bridge that pods and the API server meet on."""
    if not pathlib.Path("/sys/class/net", place.name).exists():
        _ip("link", "add", place.name, "type", "bridge")
        _ip("addr", "add", f"{place.address}/24", "dev", place.name)
    _ip("link", "set", place.name, "up")
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def containerd(place: Place, programs: Programs) -> list[str]:
    """Write containerd's files; its command line."""
    cni, registries = place.data / "cni", place.data / "registries"
    cni.mkdir(parents=True, exist_ok=True)
    (cni / "10-pods.conflist").write_text(json.dumps(_network(place)))
    for name in (place.registry, place.pod_registry, *_ALSO):
        address = place.registry if name in _ALSO else name
        (registries / name).mkdir(parents=True, exist_ok=True)
        (registries / name / "hosts.toml").write_text(f'server = "http://{address}"\n')
    config = place.data / "containerd.toml"
    config.write_text(_toml(_containerd_settings(place, programs)))
    return [str(programs["containerd"]), "--config", str(config), "--log-level", "warn"]


def _network(place: Place) -> dict[str, t.Any]:
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": place.subnet, "gateway": place.address}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(place.data / "addresses"),
    }
    bridge = {"type": "bridge", "bridge": place.name, "isGateway": False, "ipMasq": False, "ipam": ipam}
    return {"cniVersion": "1.0.0", "name": place.name, "plugins": [bridge]}


def _containerd_settings(place: Place, programs: Programs) -> dict[str, t.Any]:
    restricted = not may_raise_limits()
    options = {"BinaryName": str(programs["runc"]), "SystemdCgroup": unified_cgroups() and systemd()}
    return {
        "version": 3,
        "root": str(place.data / "containerd"),
        "state": str(place.run / "containerd"),
        "disabled_plugins": ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"],
        "grpc": {"address": str(place.containerd)},
        "ttrpc": {"address": f"{place.containerd}.ttrpc"},
        "plugins": {
            "io.containerd.cri.v1.images": {
                "snapshotter": "overlayfs",
                "pinned_images": {"sandbox": f"{place.registry}/pause:1"},
                "registry": {"config_path": str(place.data / "registries")},
            },
            "io.containerd.cri.v1.runtime": {
                "restrict_oom_score_adj": restricted,
                "disable_apparmor": not apparmor(),
                "tolerate_missing_hugetlb_controller": True,
                "netns_mounts_under_state_dir": True,
                "cni": {
                    "bin_dirs": ["/usr/lib/cni", "/opt/cni/bin"],
                    "conf_dir": str(place.data / "cni"),
                    "use_internal_loopback": True,
                },
                "containerd": {
                    "default_runtime_name": "runc",
                    "runtimes": {"runc": {"runtime_type": "io.containerd.runc.v2", "options": options}},
                },
            },
            "io.containerd.internal.v1.opt": {"path": str(place.data / "opt")},
        },
    }


def _toml(value: dict[str, t.Any], above: tuple[str, ...] = ()) -> str:
    """TOML of strings, numbers, truth values, lists of strings and tables."""
    plain = {key: entry for key, entry in value.items() if not isinstance(entry, dict)}
    lines = [f"[{'.'.join(json.dumps(key) for key in above)}]"] if above else []
    lines += [f"{key} = {json.dumps(entry)}" for key, entry in plain.items()]
    parts = ["\n".join(lines) + "\n"]
    parts += [_toml(entry, (*above, key)) for key, entry in value.items() if isinstance(entry, dict)]
    return "\n".join(parts)


def kubelet(place: Place, programs: Programs) -> list[str]:
    """Write the kubelet's configuration; its command line."""
    config = place.data / "kubelet.json"
    config.write_text(json.dumps(_kubelet_settings(place)))
    options = {
        "config": config,
        "kubeconfig": place.pki / "kubelet.kubeconfig",
        "root-dir": place.data / "kubelet",
        "hostname-override": "node1",
        "node-ip": place.address,
    }
    return [str(programs["kubelet"]), *flags(options)]


def _kubelet_settings(place: Place) -> dict[str, t.Any]:
    settings: dict[str, t.Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(place.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "systemd" if unified_cgroups() and systemd() else "cgroupfs",
        "containerRuntimeEndpoint": f"unix://{place.containerd}",
        "failSwapOn": False,
        "healthzPort": 0,
        "makeIPTablesUtilChains": False,
        "maxPods": 110,
        "podLogsDir": str(place.data / "pod-logs"),
        "port": place.ports["kubelet"],
        "registerNode": True,
        "resolvConf": "",
        "serializeImagePulls": False,
        "tlsCertFile": str(place.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(place.pki / "kubelet.key"),
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "2%", "imagefs.available": "2%"},
        "volumeStatsAggPeriod": "2s",
        "imageGCHighThresholdPercent": 100,
    }
    if not unified_cgroups():
        settings["failCgroupV1"] = False
    if not unified_cgroups() or not systemd():
        settings |= {"cgroupsPerQOS": False, "enforceNodeAllocatable": []}
    if not may_raise_limits():
        settings["featureGates"] = {"KubeletInUserNamespace": True}
    return settings
