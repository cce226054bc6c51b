# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What libapt, inside oscap 1.3, needs of a dpkg root and must not find there."""

from __future__ import annotations

import os
import stat

from ..rootpath import remove_in_root, stat_in_root, write_in_root

_TABLES = "usr/share/dpkg"
_NEEDED = ("cputable", "tupletable")
_CACHES = ("var/cache/apt/pkgcache.bin", "var/cache/apt/srcpkgcache.bin")


def prepare(root: str, tools: str) -> None:
    """Make the throw-away root one that libapt reads: dpkg's tables (an image without dpkg has none, and libapt then
    sees no package), and no binary cache of the image's own, which it would believe.

    `tools`: the root that holds oscap. ScapError root_unwritable.
    """
    for path in _CACHES:
        remove_in_root(root, path)
    for name in _NEEDED:
        path = f"{_TABLES}/{name}"
        ours = os.path.join(tools, path)
        mode = stat_in_root(root, path)
        if (mode is None or not stat.S_ISREG(mode)) and os.path.isfile(ours):
            with open(ours, "rb") as stream:
                write_in_root(root, path, stream.read())
