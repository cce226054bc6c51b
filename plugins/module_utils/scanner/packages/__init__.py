# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed in a root, read by ourselves: rpm in all its formats, dpkg, apk."""

from __future__ import annotations

import dataclasses

from ...model import Package, ScapError
from . import apk, deb822, rpm


@dataclasses.dataclass(frozen=True)
class Inventory:
    """The installed packages of one root."""

    manager: str
    """`rpm`, `dpkg`, `apk`; empty where there is no database."""
    format: str
    path: str
    """The database's place, relative to the root."""
    packages: list[Package]


def read_inventory(root: str) -> Inventory:
    """The inventory of a root; an empty one where it has no package database.

    Raises ScapError package_database_damaged where there is one that cannot be read whole, or more than one.
    """
    found: list[Inventory] = []
    database = rpm.find(root)
    if database is not None:
        found.append(Inventory("rpm", database[1], database[0], rpm.read(root, *database)))
    status = deb822.read_status(root)
    if status is not None:
        found.append(Inventory("dpkg", "status", deb822.STATUS, status))
    else:
        distroless = deb822.read_status_folder(root)
        if distroless is not None:
            found.append(Inventory("dpkg", "status.d", deb822.STATUS_FOLDER, distroless))
    installed = apk.read_installed(root)
    if installed is not None:
        found.append(Inventory("apk", "installed", installed[0], installed[1]))
    filled = [entry for entry in found if entry.packages]
    if len(filled) > 1:
        names = " and ".join(f"{entry.manager} (/{entry.path})" for entry in filled)
        raise ScapError("package_database_damaged", f"the image has packages of {names}: it cannot be told which count")
    if filled:
        return filled[0]
    return found[0] if found else Inventory("", "", "", [])
