# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where native code reads an image's bytes: bubblewrap with nothing but what it needs.

Own pid, network, ipc and uts namespaces; a read-only /usr; an empty environment; the capabilities SYS_CHROOT and
DAC_OVERRIDE alone; the image's root as the only writable folder beside the output, on a mount that refuses to
execute or map as code anything of it. In a pod, where bubblewrap cannot be used, the pod itself is the confinement and
`Sandbox.bare` runs the program with the same clean environment.
"""

from __future__ import annotations

import dataclasses
import os
import resource
import typing as t

from ..files import write_whole
from ..model import ScapError
from ..process import Completed, run

ROOT = "/scap/root"
OUT = "/scap/out"
HOME = "/scap/home"

MIN_MEMORY = 2 * 1024 * 1024 * 1024
"""Below about 1 GiB of address space oscap ends with a segmentation fault on a large OVAL file."""
MEMORY = 6 * 1024 * 1024 * 1024
MAX_OUTPUT = 2 * 1024 * 1024 * 1024
"""Bytes of one file that a confined program may write."""

# libapt inside oscap 1.3: not the scanner host's own configuration, and no foreign architectures, for which it would
# execute the image's dpkg.
_APT_CONF = b"""Dir::Etc::Parts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
APT::Architecture "%s";
APT::Architectures { "%s"; };
"""
_RPMMACROS = b"%_dbpath /var/lib/rpm\n"


@dataclasses.dataclass(frozen=True)
class Sandbox:
    """One image's confinement."""

    root: str
    """The root as `mounts.without_execution` shows it."""
    out: str
    """Folder that the confined program may write to."""
    home: str
    """Folder with the configuration of librpm and libapt, made by `prepare_home`."""
    tools: str = "/"
    """The root whose /usr holds oscap and its libraries."""
    memory: int = MEMORY
    """Address space of one program, bytes."""
    variables: t.Sequence[str] = ()
    """The image's own environment, NAME=VALUE, for the environmentvariable58 probe (as oscap-podman does)."""
    bare: bool = False
    """Whether the process is confined already (a pod), so that bubblewrap is left out."""

    def path(self, place: str) -> str:
        """Where a confined program finds ROOT, OUT or HOME (or something below)."""
        if not self.bare:
            return place
        for prefix, real in ((ROOT, self.root), (OUT, self.out), (HOME, self.home)):
            if place == prefix or place.startswith(prefix + "/"):
                return real + place[len(prefix) :]
        return place

    def run(
        self,
        argv: t.Sequence[str],
        *,
        timeout: float,
        stdin: bytes = b"",
        readable: t.Sequence[str] = (),
        probe: bool = True,
    ) -> Completed:
        """Run a program of the tools; `readable` are files outside that it may read under their own names.

        `probe` False leaves OSCAP_PROBE_ROOT out, for programs that look at no image.
        """
        environment = {
            "HOME": self.path(HOME),
            "PATH": "/usr/bin:/usr/sbin:/bin:/sbin",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "TMPDIR": "/tmp" if not self.bare else self.out,  # noqa: S108
            "APT_CONFIG": self.path(f"{HOME}/apt.conf"),
        }
        if probe:
            environment["OSCAP_PROBE_ROOT"] = self.path(ROOT)
            environment["OSCAP_CONTAINER_VARS"] = "\n".join(self.variables)
        if self.bare:
            return run(argv, timeout=timeout, stdin=stdin, env=environment, cwd=self.out, limits=limits(self.memory))
        return run(
            [*self._bwrap(environment, readable), *argv],
            timeout=timeout,
            stdin=stdin,
            env={"PATH": "/usr/bin:/bin"},
            limits=limits(self.memory),
        )

    def _bwrap(self, environment: t.Mapping[str, str], readable: t.Sequence[str]) -> list[str]:
        argv = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        argv += ["--die-with-parent", "--new-session", "--clearenv", "--hostname", "scanner"]
        argv += ["--cap-drop", "ALL", "--cap-add", "CAP_SYS_CHROOT", "--cap-add", "CAP_DAC_OVERRIDE"]
        argv += ["--ro-bind", os.path.join(self.tools, "usr"), "/usr"]
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if os.path.islink(os.path.join(self.tools, name)):
                argv += ["--symlink", f"usr/{name}", f"/{name}"]
            elif os.path.isdir(os.path.join(self.tools, name)):
                argv += ["--ro-bind", os.path.join(self.tools, name), f"/{name}"]
        argv += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/etc"]  # noqa: S108
        argv += ["--symlink", "/proc/self/mounts", "/etc/mtab"]
        for folder in ("/var/lib/apt/lists/partial", "/var/cache/apt/archives/partial", "/var/lib/dpkg"):
            argv += ["--dir", folder]
        argv += ["--ro-bind", self.home, HOME, "--bind", self.out, OUT, "--bind", self.root, ROOT, "--chdir", OUT]
        for path in readable:
            if not path.startswith("/usr/") or self.tools != "/":
                argv += ["--ro-bind", path, path]
        for name, value in environment.items():
            argv += ["--setenv", name, value]
        return argv


def limits(memory: int = MEMORY) -> dict[int, int]:
    """What a confined program may use, as process.run takes it."""
    return {
        resource.RLIMIT_AS: max(memory, MIN_MEMORY),
        resource.RLIMIT_FSIZE: MAX_OUTPUT,
        resource.RLIMIT_CORE: 0,
    }


def prepare_home(folder: str, architecture: str) -> None:
    """Write the configuration of librpm and libapt; `architecture`: dpkg's name of the image's (amd64 ...)."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    name = architecture.encode("ascii", "ignore")
    write_whole(os.path.join(folder, "apt.conf"), _APT_CONF % (name, name), 0o644, durable=False)
    write_whole(os.path.join(folder, ".rpmmacros"), _RPMMACROS, 0o644, durable=False)


def oscap_version(sandbox: Sandbox) -> str:
    """Version of the tools' oscap; ScapError oscap_missing where it cannot be run."""
    try:
        done = sandbox.run(["oscap", "--version"], timeout=60, probe=False)
    except ScapError as error:
        raise ScapError(error.code, f"{error.message} (Debian: bubblewrap; it confines the scanner)") from error
    first = done.stdout.decode("utf-8", "replace").splitlines()[:1]
    words = first[0].split() if first else []
    if done.returncode != 0 or not words:
        raise ScapError(
            "oscap_missing",
            f"oscap cannot be run: exit status {done.returncode}: {done.error or 'no output'}; "
            "install openscap-scanner (Debian, Fedora, RHEL)",
        )
    return words[-1]
