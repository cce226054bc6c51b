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
    """rpm: `sqlite`, `bdb` or `ndb`; dpkg: `status` or `status.d`; apk: `installed`."""
    path: str
    """The database's place, relative to the root."""
    packages: list[Package]
    problems: list[str] = dataclasses.field(default_factory=list)
    """What a person should know and what damages nothing: half-configured packages, an empty second database, and,
    where there is none, where one was looked for."""


def read_inventory(root: str) -> Inventory:
    """The inventory of a root; an empty one where it has no package database.

    Raises ScapError package_database_damaged where there is one that cannot be read whole, and where more than one
    holds packages: it could not be told which of them count.
    """
    found = [Inventory("rpm", form, path, rpm.read(root, path, form)) for path, form in rpm.find(root)]
    status = deb822.read_status(root)
    if status is not None:
        found.append(Inventory("dpkg", "status", deb822.STATUS, *status))
    else:
        distroless = deb822.read_status_folder(root)
        if distroless is not None:
            found.append(Inventory("dpkg", "status.d", deb822.STATUS_FOLDER, distroless))
    installed = apk.read_installed(root)
    if installed is not None:
        found.append(Inventory("apk", "installed", *installed))
    if not found:
        places = [*rpm.FOLDERS, deb822.STATUS, deb822.STATUS_FOLDER, *apk.PATHS]
        return Inventory("", "", "", [], [f"no package database in /{', /'.join(places)}"])
    filled = [entry for entry in found if entry.packages]
    if len(filled) > 1:
        names = " and ".join(f"{len(entry.packages)} of {entry.manager} in /{entry.path}" for entry in filled)
        raise ScapError(
            "package_database_damaged",
            f"the image has several package databases, {names}: it cannot be told which count; remove the stale one",
        )
    chosen = (filled or found)[0]
    empty = [f"/{entry.path} is there too and names no package" for entry in found if entry is not chosen]
    return dataclasses.replace(chosen, problems=[*chosen.problems, *empty])
