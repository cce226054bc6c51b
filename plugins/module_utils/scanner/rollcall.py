# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roll call: oscap names every package that it sees, and our own reader's list is laid beside it.

rpm: rpminfo objects whose patterns share all possible names out among them, since oscap's time grows with the square
of the packages of one object. dpkg: one dpkginfo object a package name, since oscap 1.3 knows no patterns there.
"""

from __future__ import annotations

import collections
import string
import typing as t

from ..model import Check, Package
from .markup import escaped
from .packages import Inventory
from .questions import LINUX, Answers, Question

PROBES = {"rpm": "rpminfo", "dpkg": "dpkginfo"}
"""Package manager to the probe family that reads its database."""
PACKAGE_FAMILIES = frozenset(("rpminfo", "dpkginfo", "rpmverify", "rpmverifyfile", "rpmverifypackage"))
"""Families whose answers depend on the package database."""
_SHOWN = 10
SHARE = 50
"""Packages that one rpminfo object is to find: 200 in one object take 0.18 s, in five 0.10 s, in twelve 0.11 s."""

_PLAIN = frozenset(string.ascii_letters + string.digits + "+._-")
"""What stands for itself between brackets."""
_PREFIX = 64
"""Characters after which names are no longer told apart: hostile ones may all be alike."""

Identity = t.Tuple[str, str]


def questions(inventory: Inventory) -> list[Question]:
    """What is asked; nothing where oscap has no probe for the package manager."""
    if inventory.manager == "rpm":
        contents = [
            f'<name operation="pattern match">{escaped(pattern)}</name>'
            for pattern in _patterns([package.name for package in inventory.packages])
        ]
        return [Question("roll call", "rpminfo", LINUX, content, "any_exist") for content in contents]
    if inventory.manager == "dpkg":
        names = sorted({package.name for package in inventory.packages})
        contents = [f"<name>{escaped(name)}</name>" for name in names]
        return [Question("roll call", "dpkginfo", LINUX, content, "any_exist") for content in contents]
    return []


def _patterns(names: t.Sequence[str]) -> t.Iterator[str]:
    """Regular expressions (POSIX extended, as librpm takes them) of which each possible name matches exactly one.

    Only the sizes of the shares follow `names`.
    """
    joined: list[str] = []
    total = 0
    for pattern, count in _pieces(names, ""):
        if joined and total + count > SHARE:
            yield "|".join(joined)
            joined, total = [], 0
        joined.append(pattern)
        total += count
    yield "|".join(joined)


def _pieces(names: t.Sequence[str], prefix: str) -> t.Iterator[tuple[str, int]]:
    """(pattern, how many of `names` match it); a name that begins with `prefix`, as all `names` do, matches one."""
    start = "^" + "".join(f"[{character}]" for character in prefix)
    count = len(names)
    told = ""
    if count > SHARE and len(prefix) < _PREFIX:
        nexts = collections.defaultdict(list)
        for name in names:
            nexts[name[len(prefix) : len(prefix) + 1]].append(name)
        # "-" comes last, where it has no meaning between brackets.
        told = "".join(sorted(_PLAIN.intersection(nexts), key="-".__eq__))
        for character in told:
            yield from _pieces(nexts[character], prefix + character)
            count -= len(nexts[character])
    yield (f"{start}([^{told}]|$)" if told else start), count


def check(inventory: Inventory, answers: Answers, families: t.Collection[str]) -> Check:
    """The check `packages`; `families` are those that the content uses.

    Without a package of a manager that oscap can read, it passes only where the content asks for no package: each
    `package X is not installed` would hold without a look.
    """
    probe = PROBES.get(inventory.manager)
    if probe is None or not inventory.packages:
        asked = sorted(PACKAGE_FAMILIES.intersection(families))
        what = (
            f"{len(inventory.packages)} packages of {inventory.manager}" if inventory.manager else "no package database"
        )
        if not asked:
            return Check("packages", True, f"{what}; the content asks for no package")
        return Check("packages", False, f"{what}: the content's {', '.join(asked)} tests prove nothing")
    wanted = collections.Counter(_identity(package) for package in inventory.packages)
    seen = collections.Counter(_seen(family, item) for family, item in answers.items if family == probe)
    if inventory.manager == "dpkg":
        # The probe gives one item a name, whatever the number of architectures.
        wanted, seen = collections.Counter(set(wanted)), collections.Counter(set(seen))
    missing, strange = wanted - seen, seen - wanted
    if not missing and not strange:
        return Check("packages", True, f"oscap and our own reader see the same {len(inventory.packages)} packages")
    parts = [f"oscap sees {sum((wanted & seen).values())} of {sum(wanted.values())} packages"]
    for what, names in (("it does not see", missing), ("it sees beside them", strange)):
        shown = [f"{name} {version}" for name, version in sorted(names)]
        if shown:
            more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
            parts.append(f"{what} {', '.join(shown[:_SHOWN])}{more}")
    parts += [f"({problem})" for problem in inventory.problems[:_SHOWN]]
    return Check("packages", False, "; ".join(parts))


def _identity(package: Package) -> Identity:
    if package.manager == "rpm":
        return package.name, f"{package.epoch}:{package.version}-{package.release}"
    return package.name, package.version


def _seen(family: str, item: t.Mapping[str, str]) -> Identity:
    epoch, version, release = item.get("epoch", ""), item.get("version", ""), item.get("release", "")
    if family == "rpminfo":
        return item.get("name", ""), f"{'0' if epoch in ('', '(none)') else epoch}:{version}-{release}"
    text = f"{epoch}:{version}" if epoch not in ("", "0", "(none)") else version
    return item.get("name", ""), f"{text}-{release}" if release else text
