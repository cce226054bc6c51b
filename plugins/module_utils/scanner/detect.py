# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which operating system a root holds, and which SCAP content fits it."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..model import Check, OperatingSystem, Package, ScapError
from .rootpath import read_in_root

OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
_OS_RELEASE_LIMIT = 64 * 1024
_ASSIGNMENT = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")


@dataclasses.dataclass(frozen=True)
class Family:
    """What is known of the releases of one distribution."""

    datastream: str
    """Name of the SSG product; {major} and {version} (without its dot) are filled in."""
    cpe: str
    """The CPE 2.2 name that content for it names as its platform."""
    release_packages: tuple[str, ...]
    """Packages of which one stands for the release; its version starts with the release's."""
    oval_platform: str
    """The words of the OVAL <platform> of its feeds, lower case."""


FAMILIES: t.Mapping[str, Family] = {
    "debian": Family(
        "debian{major}", "cpe:/o:debian:debian_linux:{major}", ("base-files",), "debian gnu/linux {major}"
    ),
    "ubuntu": Family("ubuntu{version}", "cpe:/o:canonical:ubuntu_linux:{dotted}", (), "ubuntu {dotted}"),
    "rhel": Family(
        "rhel{major}",
        "cpe:/o:redhat:enterprise_linux:{major}",
        ("redhat-release", "redhat-release-server", "redhat-release-eula"),
        "red hat enterprise linux {major}",
    ),
    "centos": Family(
        "cs{major}",
        "cpe:/o:centos:centos:{major}",
        ("centos-stream-release", "centos-linux-release", "centos-release"),
        "centos linux {major}",
    ),
    "fedora": Family("fedora", "cpe:/o:fedoraproject:fedora:{major}", ("fedora-release-common",), "fedora {major}"),
    "ol": Family("ol{major}", "cpe:/o:oracle:linux:{major}", ("oraclelinux-release",), "oracle linux {major}"),
    "almalinux": Family(
        "almalinux{major}", "cpe:/o:almalinux:almalinux:{major}", ("almalinux-release",), "almalinux {major}"
    ),
    "amzn": Family("al{major}", "cpe:/o:amazon:amazon_linux:{major}", ("system-release",), "amazon linux {major}"),
    "sles": Family(
        "sle{major}",
        "cpe:/o:suse:linux_enterprise_server:{major}",
        ("sles-release", "sle-bci-release"),
        "suse linux enterprise server {major}",
    ),
    "sl-micro": Family(
        "slmicro{major}", "cpe:/o:suse:sle-micro:{major}", ("SL-Micro-release",), "suse linux micro {major}"
    ),
    "opensuse-leap": Family(
        "opensuse", "cpe:/o:opensuse:leap:{dotted}", ("openSUSE-release",), "opensuse leap {dotted}"
    ),
    # What the canary images of each run say that they are.
    "scap-images-canary": Family(
        "canary{major}", "cpe:/o:scap-images:canary:{major}", (), "scap.images canary {major}"
    ),
}


def read_os(root: str) -> OperatingSystem:
    """What os-release(5) of the root says: etc/os-release, else usr/lib/os-release; empty where there is none."""
    for path in OS_RELEASE:
        data = read_in_root(root, path, _OS_RELEASE_LIMIT)
        if data is not None:
            return parse_os_release(data, path)
    return OperatingSystem()


def parse_os_release(data: bytes, path: str) -> OperatingSystem:
    """Parse os-release(5); ScapError where it is not text."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScapError("os_release_malformed", f"{path} is not UTF-8 text: {error}") from error
    values: dict[str, str] = {}
    for line in text.splitlines():
        match = _ASSIGNMENT.match(line.strip())
        if match is not None:
            values[match[1]] = _unquote(match[2])
    return OperatingSystem(
        id=values.get("ID", ""),
        version=values.get("VERSION_ID", ""),
        name=values.get("PRETTY_NAME", ""),
        cpe=values.get("CPE_NAME", ""),
        id_like=values.get("ID_LIKE", "").split(),
    )


def _unquote(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return re.sub(r"\\([\\\"'$`])", r"\1", value)


def _fill(pattern: str, os_: OperatingSystem) -> str:
    return pattern.format(major=os_.version.split(".")[0], version=os_.version.replace(".", ""), dotted=os_.version)


def datastream_names(os_: OperatingSystem) -> list[str]:
    """File names of the SSG data streams for this OS, best first; empty where none is known."""
    family = FAMILIES.get(os_.id)
    if family is None or (not os_.version and "{" in family.datastream):
        return []
    names = [f"ssg-{_fill(family.datastream, os_)}-ds.xml"]
    if os_.id == "centos" and os_.version.split(".")[0] in ("7", "8"):
        names = [f"ssg-centos{os_.version.split('.')[0]}-ds.xml"]
    return names


def cpe_matches(os_: OperatingSystem, platforms: t.Iterable[str]) -> bool:
    """Whether one of the content's CPE 2.2 platform names stands for this OS (or a release of its major version)."""
    family = FAMILIES.get(os_.id)
    wanted = [_fill(family.cpe, os_)] if family is not None and os_.version else []
    if os_.cpe.startswith("cpe:/"):
        wanted.append(":".join(os_.cpe.split(":")[:5]))
    elif os_.cpe.startswith("cpe:2.3:"):
        part, vendor, product, version = os_.cpe.split(":")[2:6]
        wanted.append(f"cpe:/{part}:{vendor}:{product}:{version}")
    for platform in platforms:
        for name in wanted:
            if platform == name or platform.startswith((name + ":", name + ".")):
                return True
    return False


def oval_platform_matches(os_: OperatingSystem, platforms: t.Iterable[str]) -> bool:
    """Whether one of a feed's <platform> names is this OS in its major version."""
    family = FAMILIES.get(os_.id)
    if family is None or not os_.version:
        return False
    wanted = re.compile(re.escape(_fill(family.oval_platform, os_)) + r"(?![0-9])")
    return any(wanted.search(platform.lower()) is not None for platform in platforms)


def confirm_os(os_: OperatingSystem, packages: t.Sequence[Package]) -> Check:
    """Whether the installed packages bear out what os-release says."""
    family = FAMILIES.get(os_.id)
    if not os_.id:
        return Check("os", False, "the image has no os-release: it cannot be told which content fits it")
    if family is None or not family.release_packages:
        return Check("os", True, f"os-release says {os_.label}; no package is known that confirms it")
    major = os_.version.split(".")[0]
    found = [package for package in packages if package.name in family.release_packages]
    for package in found:
        if package.version.split(".")[0] == major:
            return Check("os", True, f"os-release says {os_.label}, confirmed by {package.name} {package.evr}")
    if found:
        return Check(
            "os",
            False,
            f"os-release says {os_.label}, but {found[0].name} is of version {found[0].evr}: one of them lies",
        )
    if packages:
        others = sorted(
            package.name
            for other in FAMILIES.values()
            for package in packages
            if package.name in other.release_packages
        )
        if others:
            return Check("os", False, f"os-release says {os_.label}, but the release package is {', '.join(others)}")
    return Check("os", True, f"os-release says {os_.label}; the package that would confirm it is not installed")
