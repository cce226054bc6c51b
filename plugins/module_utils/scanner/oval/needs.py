# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an image an OVAL object reads: its package database, one file, or something that cannot be told."""

from __future__ import annotations

from .reader import LITERALS, Part

PACKAGES, UNKNOWN = "", "?"
_PACKAGE_OBJECTS = frozenset(("rpminfo_object", "dpkginfo_object"))
_NOTHING = frozenset(("family_object", "uname_object", "unknown_object"))
"""They look at the machine that scans, not at the image."""
_FILE_OBJECTS = frozenset(("textfilecontent54_object", "rpmverifyfile_object"))
_UNVERIFIED = frozenset(("nomd5", "nosize", "nolinkto", "nouser", "nogroup", "nomtime", "nomode", "nordev"))
"""Behaviours without which rpm compares more of a file than that it is there."""


def _behaviours(part: Part) -> set[str]:
    return {
        key
        for name, attributes in part.children
        if name.endswith(" behaviors")
        for key, value in attributes.items()
        if value in ("true", "1")
    }


def _recurses(part: Part) -> bool:
    return any(
        attributes.get("recurse_direction", "none") != "none"
        for name, attributes in part.children
        if name.endswith(" behaviors")
    )


def need_of(part: Part) -> str:
    """PACKAGES, the absolute path of the one file, or UNKNOWN. What a set refers to has its own need."""
    local = part.name.rpartition(" ")[2]
    children = [name.rpartition(" ")[2] for name, _attributes in part.children]
    if local in _PACKAGE_OBJECTS or local in _NOTHING or children == ["set"]:
        return PACKAGES
    if local not in _FILE_OBJECTS:
        return UNKNOWN
    if local == "rpmverifyfile_object" and not _behaviours(part) >= _UNVERIFIED:
        return UNKNOWN
    if _recurses(part):
        return UNKNOWN
    literals = [(name, attributes) for name, (_n, attributes) in zip(children, part.children) if name in LITERALS]
    texts = {name: text for (name, _attributes), text in zip(literals, part.texts)}
    plain = {name for name, attributes in literals if not set(attributes) - {"datatype"}}
    if "filepath" in plain:
        path = texts["filepath"]
    elif {"path", "filename"} <= plain:
        path = f"{texts['path'].rstrip('/')}/{texts['filename']}"
    else:
        return UNKNOWN
    usual = path.startswith("/") and not path.endswith("/") and path == path.strip()
    return path if usual and not {"", ".", ".."} & set(path.split("/")[1:]) else UNKNOWN
