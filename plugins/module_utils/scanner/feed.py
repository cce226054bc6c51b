# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the definitions of an OVAL feed can be true of the installed packages at all.

Feeds test the key that a package is signed with, and the names of packages. Of a root whose packages carry none of the
keys, or have none of the names, every definition is false, whatever is installed: that proves nothing.
"""

from __future__ import annotations

import collections
import re
import typing as t

from ..model import Check, Content, Package

ANY = "*"
"""Stands in a list of names for a test that could concern any package."""
_PACKAGE_OBJECTS = ("rpminfo_object", "dpkginfo_object")
_KEY_ID = re.compile(r"[0-9a-f]{8,16}")
_SHOWN = 5


class FeedTests:
    """Collects, while an OVAL file is read, what its tests ask of packages."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.keys: set[str] = set()
        """Key ids, 8 to 16 hexadecimal digits; ANY where a state asks for no key that is written out."""
        self._object = False
        self._text: list[str] | None = None
        self._literal = False

    def start(self, local: str, attributes: t.Mapping[str, str]) -> None:
        if local in _PACKAGE_OBJECTS:
            self._object = True
        elif local == "signature_keyid" or (self._object and local == "name"):
            self._literal = "var_ref" not in attributes
            if local == "name" and attributes.get("operation", "equals") != "equals":
                self._literal = False
            self._text = []

    def characters(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def end(self, local: str) -> None:
        if local in _PACKAGE_OBJECTS:
            self._object = False
        elif self._text is not None and local in ("name", "signature_keyid"):
            text, self._text = "".join(self._text).strip(), None
            if local == "name":
                self.names.add(text if self._literal else ANY)
            else:
                self.keys.update(_KEY_ID.findall(text.lower()) if self._literal else [ANY])


def check_feed(content: Content, names: t.Collection[str], keys: t.Collection[str], packages: list[Package]) -> Check:
    """The check `feed` of one OVAL file. Passes where one package could be concerned, and says how many."""
    parts, passed = [], True
    if names and ANY not in names:
        wanted = frozenset(names)
        named = sum(package.name in wanted for package in packages)
        passed = named > 0
        parts.append(f"names {named} of the {len(packages)} installed packages")
    carried = collections.Counter(package.key_id for package in packages)
    if keys and ANY not in keys and any(package.manager == "rpm" for package in packages):
        endings = tuple(keys)
        trusted = sum(number for key, number in carried.items() if key and key.endswith(endings))
        passed = passed and trusted > 0
        parts.append(f"asks for packages signed with {_list(sorted(keys))}: {trusted} of {len(packages)}")
    if any(carried) or keys:
        counts = [f"{key or 'none'} {number}" for key, number in carried.most_common()]
        parts.append(f"packages by key: {_list(counts)}")
    detail = f"{content.id} {'; '.join(parts) or 'names no package by its name'}"
    if not passed:
        detail += (
            "; none of its definitions can be true of this image, which proves nothing: take the vendor's own feed"
        )
    return Check("feed", passed, detail)


def _list(texts: t.Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more
