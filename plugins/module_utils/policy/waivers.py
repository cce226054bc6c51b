# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers: findings that do not count for a time, for some images, and who answers for that."""

from __future__ import annotations

import dataclasses
import datetime
import os
import typing as t

from ..model import Image, J, ScapError
from .document import Document, check, parse_document, read_document
from .match import any_glob, short_rule
from .schema import WAIVERS
from .vex import read_vex

CODE = "waivers_invalid"
KINDS = ("rule", "cve", "package", "definition")
WARN_DAYS = 14
"""A waiver that ends within these days is said to."""


@dataclasses.dataclass(frozen=True)
class Waiver:
    """One finding waived. Without any scope it holds for every image."""

    kind: str
    """One of KINDS."""
    name: str
    owner: str
    reason: str
    expires: str
    """YYYY-MM-DD, the last day on which it holds (UTC)."""
    ticket: str = ""
    images: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """With a CVE: only where all packages of the finding are these (VEX products)."""

    @property
    def subject(self) -> tuple[t.Any, ...]:
        """What is waived, and for which images: two waivers of one subject contradict each other."""
        return (self.kind, self.name, self.images, self.namespaces, self.digests, self.packages)

    def holds_on(self, day: datetime.date) -> bool:
        return day <= datetime.date.fromisoformat(self.expires)

    def ends_soon(self, day: datetime.date) -> bool:
        return self.holds_on(day) and not self.holds_on(day + datetime.timedelta(days=WARN_DAYS))

    def covers(self, image: Image) -> bool:
        """Whether the image is in scope: each key that is given matches; all of its namespaces, and at least one."""
        return (
            (not self.digests or image.digest in self.digests)
            and (not self.images or any_glob(self.images, image.reference))
            and (
                not self.namespaces
                or (bool(image.namespaces) and all(any_glob(self.namespaces, name) for name in image.namespaces))
            )
        )


class Waivers:
    """Waivers found by what they waive; made once for many images."""

    def __init__(self, waivers: t.Iterable[Waiver]) -> None:
        self._found: dict[tuple[str, str], list[Waiver]] = {}
        for waiver in waivers:
            self._found.setdefault((waiver.kind, waiver.name), []).append(waiver)

    def __bool__(self) -> bool:
        return bool(self._found)

    def of(self, kind: str, name: str, image: Image) -> list[Waiver]:
        """Those for one rule, CVE, package or definition that cover the image, the longest first; expired ones too."""
        found = self._found.get((kind, name), [])
        if kind == "rule" and short_rule(name) != name:
            found = [*found, *self._found.get((kind, short_rule(name)), [])]
        return sorted((entry for entry in found if entry.covers(image)), key=lambda entry: entry.expires, reverse=True)


def load_waivers(path: str) -> list[Waiver]:
    """The waivers of a YAML file and of the VEX documents that it names; ScapError with file, line and cure."""
    return waivers_of(read_document(path, CODE), os.path.dirname(os.path.abspath(path)))


def parse_waivers(text: str, source: str = "waivers", folder: str = ".") -> list[Waiver]:
    """The same from a text; VEX documents are looked for in `folder`."""
    return waivers_of(parse_document(text.encode(), source, CODE), folder)


def waivers_of(document: Document, folder: str) -> list[Waiver]:
    if document.value is None:
        return []
    check(document, WAIVERS, CODE)
    found: list[Waiver] = []
    seen: dict[tuple[t.Any, ...], int] = {}
    for place, entry in enumerate(document.value.get("waivers", [])):
        path: tuple[t.Any, ...] = ("waivers", place)
        waiver = _waiver(document, path, entry)
        if waiver.subject in seen:
            line = seen[waiver.subject]
            problem = f"contradicts line {line}, which waives {waiver.name} for the same images; keep one of them"
            raise ScapError(CODE, document.problem(path, problem))
        seen[waiver.subject] = document.line(*path)
        found.append(waiver)
    for place, entry in enumerate(document.value.get("vex", [])):
        found += _of_vex(document, ("vex", place), entry, folder)
    return found


def _waiver(document: Document, path: tuple[t.Any, ...], entry: J) -> Waiver:
    kind = next(kind for kind in KINDS if kind in entry)
    return Waiver(kind=kind, name=entry[kind], reason=entry["reason"], **_common(document, path, entry))


def _common(document: Document, path: tuple[t.Any, ...], entry: J) -> J:
    try:
        datetime.date.fromisoformat(entry["expires"])
    except ValueError as error:
        raise ScapError(CODE, document.problem((*path, "expires"), f"{entry['expires']} is no day; {error}")) from error
    scope = {} if entry["scope"] == "all" else entry["scope"]
    if entry["scope"] != "all" and not any(scope.values()):
        raise ScapError(CODE, document.problem((*path, "scope"), "is empty; write `all` where every image is meant"))
    return {
        "owner": entry["owner"],
        "expires": entry["expires"],
        "ticket": entry.get("ticket", ""),
        **{key: tuple(value) for key, value in scope.items()},
    }


def _of_vex(document: Document, path: tuple[t.Any, ...], entry: J, folder: str) -> list[Waiver]:
    common = _common(document, path, entry)
    try:
        statements = read_vex(os.path.join(folder, entry["path"]))
    except ScapError as error:
        raise ScapError(CODE, document.problem((*path, "path"), error.message)) from error
    found = []
    for statement in statements:
        limits = dict(common)
        if statement.digests:
            digests = common.get("digests") or statement.digests
            limits["digests"] = tuple(digest for digest in digests if digest in statement.digests)
            if not limits["digests"]:
                continue
        found.append(
            Waiver("cve", statement.cve, reason=statement.reason, packages=tuple(statement.packages), **limits)
        )
    return found
