# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of the node, each built once from the Go modules beside this folder, which pin their versions.

They lie outside of the tree, in a folder named by what they are built from. Standard library only.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.cluster.node import golang

_KUBERNETES = "k8s.io/kubernetes/cmd"
_CONTAINERD = "github.com/containerd/containerd/v2"
_RUNC = "github.com/opencontainers/runc"


@dataclasses.dataclass(frozen=True)
class Module:
    """One go.mod and the main packages that are built from it."""

    folder: str
    packages: tuple[str, ...]
    tags: str = ""
    stamps: tuple[str, ...] = ()
    """Variables that hold the version of `versioned`: `path.variable`."""
    versioned: str = ""
    static: bool = False


MODULES = (
    Module(
        "tools",
        tuple(
            f"{_KUBERNETES}/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl")
        ),
        stamps=("k8s.io/component-base/version.gitVersion", "k8s.io/client-go/pkg/version.gitVersion"),
        versioned="k8s.io/kubernetes",
    ),
    Module(
        "runtime",
        (f"{_CONTAINERD}/cmd/containerd", f"{_CONTAINERD}/cmd/containerd-shim-runc-v2"),
        tags="no_btrfs no_devmapper no_zfs",
        stamps=(f"{_CONTAINERD}/version.Version",),
        versioned=_CONTAINERD,
    ),
    Module("runtime", (_RUNC,), tags="seccomp", stamps=("main.version",), versioned=_RUNC),
    Module("pause", (".",), static=True),
    Module("openshift", (".",)),
)


def build() -> dict[str, pathlib.Path]:
    """Path of every program by its name; builds what is missing (cold: several minutes)."""
    found: dict[str, pathlib.Path] = {}
    for module in MODULES:
        folder = _tools() / _key(module)
        folder.mkdir(parents=True, exist_ok=True)
        for package in module.packages:
            name = module.folder if package == "." else package.rsplit("/", 1)[1]
            program = folder / name
            if not program.exists():
                _compile(module, package, program)
            found[name] = program
    return found


def _tools() -> pathlib.Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(pathlib.Path.home() / ".cache")
    return pathlib.Path(cache) / "scap-images" / "tools"


def _go() -> str:
    return golang.program(_tools())


def _key(module: Module) -> str:
    """Twelve hexadecimal digits of all that a program of this module is made of."""
    digest = hashlib.sha256(f"{module.tags} {module.stamps}".encode())
    for path in sorted((HERE / module.folder).rglob("*")):
        if path.suffix in (".go", ".mod", ".sum"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _compile(module: Module, package: str, program: pathlib.Path) -> None:
    """Put the program there whole; of two that ask at once the second waits for the first."""
    with (program.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if program.exists():
            return
        print(f"building {program.name}", flush=True)
        with tempfile.TemporaryDirectory(dir=program.parent, prefix=".part-") as part:
            made = pathlib.Path(part) / program.name
            argv = [_go(), "build", "-trimpath", "-ldflags", _flags(module), "-o", str(made)]
            if module.tags:
                argv += ["-tags", module.tags]
            environment = {**os.environ, "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local"}
            if module.static:
                environment["CGO_ENABLED"] = "0"
            subprocess.run([*argv, package], cwd=HERE / module.folder, env=environment, check=True)
            made.rename(program)


def _flags(module: Module) -> str:
    flags = ["-s", "-w"]
    if module.versioned:
        argv = [_go(), "list", "-m", "-f", "{{.Version}}", module.versioned]
        done = subprocess.run(argv, cwd=HERE / module.folder, check=True, capture_output=True, text=True)
        version = done.stdout.strip()
        flags += [f"-X {variable}={version}" for variable in module.stamps]
        if module.versioned == "k8s.io/kubernetes":
            major, minor = version.lstrip("v").split(".")[:2]
            flags += [
                f"-X k8s.io/component-base/version.git{name}={value}"
                for name, value in (("Major", major), ("Minor", minor))
            ]
    return " ".join(flags)


if __name__ == "__main__":
    print(build()["kube-apiserver"].parent)
