# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian 11 of a few kilobytes: enough for a real scan, and non_compliant, because it has a telnet server."""

from __future__ import annotations

import io
import pathlib
import tarfile

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
_FILES = {
    "etc/debian_version": "11.11\n",
    "etc/group": "root:x:0:\n",
    "etc/gshadow": "root:*::\n",
    "etc/os-release": 'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\n",
    "var/lib/dpkg/status": "".join(_STATUS.format(name=name, version=_PACKAGES[name]) for name in _PACKAGES),
}
_FOLDERS = ("dev", "etc", "proc", "run", "sys", "tmp", "var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/info")


def layout(folder: pathlib.Path) -> str:
    """The reference of the image, whose layout is written to `folder`."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name in _FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, text in _FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o640 if "shadow" in name else 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    layer.seek(0)
    made = Layout(folder)
    made.add_image("tiny", [made.add_layer(layer)], "amd64")
    return f"oci:{folder}:tiny"
