# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of an OVAL definition say: advisory, the version that fixes it, the package that a test is about."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET

from .severity import severity, worst
from .stream import local
from .text import clean, line

_CVE = re.compile(r"\bCVE-[0-9]{4}-[0-9]{4,10}\b")
_GRADE = re.compile(r"\((Critical|Important|Moderate|Low)\)\s*\Z", re.IGNORECASE)
_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(?![0-9])")
_OLDER = ("less than", "less than or equal")


@dataclasses.dataclass(frozen=True)
class Advisory:
    """The metadata of a definition (OVAL 5.11, MetadataType, and the vendors' advisory elements)."""

    severity: str = "unknown"
    title: str = ""
    cves: list[str] = dataclasses.field(default_factory=list)
    description: str = ""
    issued: str = ""
    """YYYY-MM-DD."""


def read_advisory(definition: ET.Element) -> Advisory:
    """The metadata of a definition in the shapes of Red Hat, SUSE, Ubuntu, Debian, Oracle and AlmaLinux."""
    texts = {"title": "", "description": ""}
    grades: list[str] = []
    graded_cves: list[str] = []
    cves: dict[str, None] = {}
    issued = ""
    metadata = next((child for child in definition if local(child.tag) == "metadata"), None)
    for element in () if metadata is None else metadata.iter():
        name = local(element.tag)
        text = element.text or ""
        if name in texts and not texts[name]:
            texts[name] = text
        elif name == "issued" and not issued:
            issued = _date(element.get("date") or text)
        elif name == "severity":
            grades.append(severity(text))
        elif name == "reference":
            cves.update(dict.fromkeys(_CVE.findall(element.get("ref_id", "")[:200])))
        elif name == "cve":
            cves.update(dict.fromkeys(_CVE.findall(text[:200])))
            words = [element.get(key) for key in ("impact", "priority", "cvss_severity")]
            graded_cves.append(next((grade for word in words if (grade := severity(word)) != "unknown"), "unknown"))
    title = line(texts["title"], 300)
    suffix = _GRADE.search(title)
    grade = worst(grades)
    if grade == "unknown":
        grade = worst(graded_cves)
    if grade == "unknown" and suffix:
        grade = severity(suffix.group(1))
    return Advisory(
        severity=grade,
        title=title,
        cves=(list(cves) or list(dict.fromkeys(_CVE.findall(title))))[:1000],
        description=clean(texts["description"], 2000),
        issued=issued,
    )


def _date(text: str) -> str:
    found = _DATE.match(text.strip()[:40])
    return found.group() if found else ""


def fixed_version(state: ET.Element) -> str | None:
    """The version below which a package state is vulnerable; None where the state compares no versions, empty where
    the last vulnerable version is named instead of the first fixed one."""
    for child in state:
        if local(child.tag) in ("evr", "version", "subexpression") and child.get("operation") in _OLDER:
            return line(child.text or "", 200) if child.get("operation") == "less than" else ""
    return None


def object_package(element: ET.Element) -> str:
    """The package that an rpminfo or dpkginfo object names; empty where it does so by a variable or a pattern."""
    for child in element:
        if local(child.tag) == "name" and child.get("operation", "equals") == "equals":
            return line(child.text or "", 200)
    return ""


def item_package(item: ET.Element) -> str:
    """The package of an rpminfo or dpkginfo item, or of a line `name[:arch] version` of a manifest file."""
    for child in item:
        name = local(child.tag)
        words = (child.text or "").split(None, 1)
        if words and name == "name":
            return line(words[0], 200)
        if words and name == "text":
            return line(words[0].partition(":")[0], 200)
    return ""
