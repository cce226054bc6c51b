# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian 11 of a few kilobytes: enough for a real scan, and non_compliant, because it has a telnet server."""

from __future__ import annotations

import io
import pathlib
import tarfile
import typing as t

from .oci_layout import Layout

_STATUS = """Package: {name}
Status: install ok installed
Priority: optional
Section: net
Maintainer: Nobody <nobody@example.com>
Architecture: amd64
Version: {version}
Description: a record alone, without files

"""
_PACKAGES = {"base-files": "11.1+deb11u11", "inetutils-telnetd": "2:2.0-1+deb11u2"}


def status(packages: t.Mapping[str, str]) -> str:
    """dpkg's status file for packages and their versions."""
    return "".join(_STATUS.format(name=name, version=version) for name, version in packages.items())


_FILES = {
    "etc/debian_version": "11.11\n",
    "etc/group": "root:x:0:\n",
    "etc/gshadow": "root:*::\n",
    "etc/os-release": 'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\n",
    "var/lib/dpkg/status": status(_PACKAGES),
}
_FOLDERS = ("dev", "etc", "proc", "run", "sys", "tmp", "var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/info")


def layout(
    folder: pathlib.Path,
    files: t.Mapping[str, bytes | str] | None = None,
    without: t.Collection[str] = (),
    architecture: str = "amd64",
    devices: t.Collection[str] = (),
) -> str:
    """The reference of the image, its layout written to `folder`.

    `files` are added, those of `without` left out; `devices` become character devices.
    """
    layer = io.BytesIO()
    wanted = {name: data for name, data in {**_FILES, **(files or {})}.items() if name not in without}
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name in _FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, text in wanted.items():
            data = text.encode() if isinstance(text, str) else text
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o640 if "shadow" in name else 0o755 if "bin/" in name else 0o644
            tar.addfile(entry, io.BytesIO(data))
        for name in devices:
            entry = tarfile.TarInfo(name)
            entry.type, entry.devmajor, entry.devminor = tarfile.CHRTYPE, 1, 5
            tar.addfile(entry)
    layer.seek(0)
    made = Layout(folder)
    made.add_image("tiny", [made.add_layer(layer)], architecture)
    return f"oci:{folder}:tiny"
