# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of a data stream whose checks refer to OVAL definitions that the stream does not hold.

oscap calls such a rule `notchecked`, as it does a rule that has no check by intent, and ends with its usual status.
"""

from __future__ import annotations

import typing as t

_OVAL = "http://oval.mitre.org/XMLSchema/oval-definitions-5"


class CheckRefs:
    """Collects, while a data stream is read, the definitions that there are and those that rules refer to."""

    def __init__(self) -> None:
        self._definitions: set[str] = set()
        self._references: list[tuple[str, list[str]]] = []
        self._rule = ""
        self._names: list[str] | None = None

    def start(self, local: str, attributes: t.Mapping[str, str]) -> None:
        if local == "definition":
            self._definitions.add(attributes.get("id", ""))
        elif local == "Rule":
            self._rule = attributes.get("id", "")
        elif local == "check" and self._rule:
            self._names = [] if attributes.get("system") == _OVAL else None
        elif local == "check-content-ref" and self._names is not None and attributes.get("name"):
            self._names.append(attributes["name"])

    def end(self, local: str) -> None:
        if local == "check" and self._names:
            self._references.append((self._rule, self._names))
            self._names = None
        elif local == "Rule":
            self._rule = ""

    @property
    def broken(self) -> list[str]:
        """Ids of the rules of which a check names definitions, all of them missing (XCCDF 1.2, 6.4.4.4)."""
        return sorted({rule for rule, names in self._references if self._definitions.isdisjoint(names)})
