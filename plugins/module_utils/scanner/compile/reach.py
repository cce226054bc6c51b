# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a profile reaches in an indexed data stream, and the byte ranges of all the rest.

A range is cut only where the processing that NISTIR 7275 (XCCDF 1.2, section 7) and OVAL 5 describe can never look at
it for these rules. Rules with `requires` or `conflicts`, and those that
they name, stay, as they may decide about others.
"""

from __future__ import annotations

import re
import typing as t

from .index import CPE, OCIL, OCIL_CHECK, OVAL, OVAL_CHECK, SCRIPT_CHECK, XCCDF, Component, Index, Item, Part

_NAMED = re.compile(rb"\b(?:oval|ocil):[A-Za-z0-9_.-]+:[a-z]+:[1-9][0-9]*")
_UNREAD = frozenset(
    (
        "description",
        "warning",
        "question",
        "reference",
        "metadata",
        "rationale",
        "profile-note",
        "fixtext",
        "fix",
    )
)
_SPACE = b" \t\r\n"
_CHECKS = ("check", "complex-check")

Range = t.Tuple[int, int]


class Kept:
    """The parts of a data stream that its profile's evaluation can look at."""

    def __init__(self, index: Index, data: t.Any, profile: str, selected: t.Iterable[str]) -> None:
        self._index = index
        self._data = data
        self._reference, self._benchmark = index.checklist
        self._items = self._benchmark.items
        self.selected = set(selected)
        self._profiles = self._extended(profile)
        self._kept = self._kept_items()
        self._whole: set[str] = set()
        """Ids of components that are kept as they are."""
        self._reached: dict[str, set[str]] = {}
        """Ids of items, by component."""
        self._remote: set[str] = set()
        """Ids of component-refs to something elsewhere that a rule names."""
        self._reach_checks()
        self._reach_dictionaries()

    def _item(self, name: str, kinds: t.Sequence[str], what: str) -> Item:
        item = self._items.get(name)
        if item is None or item.kind not in kinds:
            raise self._index.refuse(f"{what} names {name!r}, which is not in it")
        return item

    def _extended(self, profile: str) -> set[str]:
        """The profile and those that it extends."""
        found: set[str] = set()
        while profile:
            if profile in found:
                raise self._index.refuse(f"the profile {profile} extends itself")
            found.add(profile)
            profile = self._item(profile, ("Profile",), "a profile").extends
        return found

    def _kept_items(self) -> set[str]:
        """Ids of the rules, groups and values of the benchmark that stay."""
        rules: set[str] = set(self.selected)
        for item in self._items.values():
            if item.related:
                rules.update((item.id, *(name for name in item.related if name in self._items)))
        kept: set[str] = set()
        for name in rules:
            item = self._item(name, ("Rule", "Group"), "the profile")
            for value in item.values if name in self.selected else ():
                if value in self._items:
                    kept.add(value)
            kept.add(name)
        for name in list(kept):
            parent = self._items[name].parent
            while parent is not None:
                kept.add(parent.id)
                parent = parent.parent
        return kept

    # Checks

    def _reach_checks(self) -> None:
        for name in self.selected:
            rule = self._items[name]
            useless = self._is_answered(rule)
            for check in rule.checks:
                if check.system == SCRIPT_CHECK:
                    raise self._index.refuse(f"the rule {name} is checked by a script (SCE)")
                if check.system == OCIL_CHECK and useless:
                    continue
                self._reach(check.href, check.name, name)
        for name in self.selected:
            for variable in self._items[name].exports:
                for component in map(self._index.components.__getitem__, list(self._reached)):
                    if variable in component.items:
                        self._follow(component, variable, f"the rule {name}")

    @staticmethod
    def _is_answered(rule: Item) -> bool:
        """Whether OVAL checks the rule, so that its questions for people are never asked."""
        return any(part.name == "check" and part.key == OVAL_CHECK for part in rule.parts)

    def _reach(self, href: str, name: str, rule: str) -> None:
        uris = [uri for uri in self._reference.uris if uri.name == href]
        target = next((ref for ref in self._index.references if uris and ref.id == uris[0].key), None)
        if target is None:
            raise self._index.refuse(f"the rule {rule} names the file {href!r}, which its catalog does not know")
        if not target.local:
            self._remote.add(target.id)
            return
        component = self._index.components.get(target.target)
        if component is None:
            raise self._index.refuse(f"{target.id} names the component {target.target!r}, which is not in it")
        if not name or component.kind not in (OVAL, OCIL):
            self._whole.add(component.id)
        else:
            self._follow(component, name, f"the rule {rule}")

    def _follow(self, component: Component, name: str, what: str) -> None:
        """Everything that an item names, and that names in turn; RefusedError for a circle and for what is missing."""
        reached = self._reached.setdefault(component.id, set())
        path: list[tuple[str, t.Iterator[str]]] = []
        step: str | None = name
        on_path: set[str] = set()
        while step is not None or path:
            if step is not None:
                if step in on_path:
                    raise self._index.refuse(f"{step} ({component.id}) is made of itself")
                if step not in component.items:
                    raise self._index.refuse(f"{what} names {step!r}, which is not in {component.id}")
                if step not in reached:
                    reached.add(step)
                    on_path.add(step)
                    path.append((step, iter(self._named(component.items[step]))))
                what = step
            step = next(path[-1][1], None) if path else None
            if step is None and path:
                on_path.discard(path.pop()[0])
                what = path[-1][0] if path else what

    def _named(self, item: Item) -> list[str]:
        """Ids that an item of an OVAL or OCIL document names, its own left out."""
        names = [match.decode("ascii") for match in _NAMED.findall(self._data[item.start : item.end])]
        return sorted(set(names[1:]))

    def _reach_dictionaries(self) -> None:
        """CPE dictionaries stay whole, and with them what their items name (which OVAL answers each name)."""
        for reference in self._index.references:
            if reference.section != "dictionaries":
                continue
            component = self._index.components.get(reference.target)
            if component is None or component.kind != CPE:
                raise self._index.refuse(f"the dictionary {reference.id} is no CPE 2 dictionary in this file")
            self._whole.add(component.id)
            for uri in reference.uris:
                self._keep_whole(uri.key)
        for uri in self._platform_files():
            self._keep_whole(uri.key)

    def _platform_files(self) -> list[Part]:
        """Files of the benchmark's catalog that its platform-specification may name, by check-fact-ref."""
        first = min(item.start for item in self._items.values())
        head = self._data[self._benchmark.start : first]
        hrefs = {href.decode("utf-8") for href in re.findall(rb"""check-fact-ref[^>]*\bhref=["']([^"']*)""", head)}
        return [uri for uri in self._reference.uris if uri.name in hrefs]

    def _keep_whole(self, reference: str) -> None:
        for entry in self._index.references:
            if entry.id == reference and entry.local:
                self._whole.add(entry.target)

    # Ranges

    def cuts(self) -> t.Iterator[Range]:
        """Ranges that go, in no order; some lie inside others."""
        kept_references = set()
        for reference in self._index.references:
            kept = reference.id in self._remote if not reference.local else self._stays(reference.target)
            if kept:
                kept_references.add(reference.id)
            else:
                yield reference.start, reference.end
        for reference in self._index.references:
            for uri in reference.uris:
                if uri.key not in kept_references:
                    yield uri.start, uri.end
        for component in self._index.components.values():
            if not self._stays(component.id):
                yield component.start, component.end
            elif component.kind == XCCDF:
                yield from self._cuts_of_benchmark()
            elif component.id not in self._whole:
                yield from self._cuts_of_items(component)

    def _stays(self, component: str) -> bool:
        return component in self._whole or component in self._reached or component == self._benchmark.id

    def _cuts_of_items(self, component: Component) -> t.Iterator[Range]:
        reached = self._reached[component.id]
        for section in component.sections:
            if section.items and not any(item.id in reached for item in section.items):
                yield section.start, section.end
                continue
            for item in section.items:
                if item.id not in reached:
                    yield item.start, item.end

    def _cuts_of_benchmark(self) -> t.Iterator[Range]:
        for part in self._benchmark.texts:
            yield part.start, part.end
        for item in self._items.values():
            if item.id not in (self._profiles if item.kind == "Profile" else self._kept):
                yield item.start, item.end
                continue
            useless = item.kind == "Rule" and self._is_answered(item)
            for part in item.parts:
                if self._goes(item, part, useless):
                    yield part.start, part.end

    def _goes(self, item: Item, part: Part, useless: bool) -> bool:
        if item.kind == "Profile" and part.key:
            return part.key in self._items and part.key not in self._kept
        if part.name in _CHECKS:
            return item.id not in self.selected or (useless and part.key == OCIL_CHECK)
        return part.name in _UNREAD


def set_apart(index: Index, cuts: t.Sequence[Range], data: t.Any) -> t.Sequence[Range]:
    """The ranges, if each stands behind white space: oscap 1.3 can miss an element that follows another at once."""
    for start, _end in cuts:
        if data[start - 1] not in _SPACE:
            raise index.refuse(f"no white space stands before the element at byte {start}")
    return cuts


def complement(cuts: t.Iterable[Range], data: t.Any) -> t.Iterator[Range]:
    """What stays of `data` without the ranges and the white space before each."""
    at = 0
    for start, end in sorted(cuts):
        if end <= at:
            continue
        before = start
        while before > at and data[before - 1] in _SPACE:
            before -= 1
        if before > at:
            yield at, before
        at = max(at, end)
    yield at, len(data)
