# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything stands in a source data stream: one expat pass that keeps byte ranges, ids and what names what.

SCAP 1.2 and 1.3 source data streams (NIST SP 800-126) with XCCDF 1.2. What is not understood is refused, never guessed:
`RefusedError` names the file and what is in it; the original can then be evaluated as it stands.
"""

from __future__ import annotations

import re
import typing as t
import xml.parsers.expat

from ...model import J

STREAM = "http://scap.nist.gov/schema/scap/source/1.2"
XCCDF = "http://checklists.nist.gov/xccdf/1.2"
OVAL = "http://oval.mitre.org/XMLSchema/oval-definitions-5"
OCIL = "http://scap.nist.gov/schema/ocil/2.0"
CPE = "http://cpe.mitre.org/dictionary/2.0"
OVAL_CHECK = OVAL
OCIL_CHECK = "http://scap.nist.gov/schema/ocil/2"
SCRIPT_CHECK = "http://open-scap.org/page/SCE"

_HREF = "http://www.w3.org/1999/xlink href"
_DEPTH = 200
_ITEMS = ("Group", "Rule", "Value")
_REFINEMENTS = ("select", "set-value", "set-complex-value", "refine-value", "refine-rule")
_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")

Scope = t.Tuple[t.Tuple[str, str], ...]


class RefusedError(Exception):
    """This content is not compiled; the sentence says why."""


class Part(t.NamedTuple):
    """A child of an item that can be cut."""

    name: str
    key: str
    """`system` of a fix or check, `idref` of a refinement."""
    start: int
    end: int


class Check(t.NamedTuple):
    """What a rule's check-content-ref names."""

    system: str
    href: str
    name: str
    """Empty: everything in the file."""


class Item:
    """A Profile, Group, Rule or Value of a benchmark, or one id of another component."""

    def __init__(self, kind: str, name: str, start: int, depth: int, parent: Item | None = None) -> None:
        self.kind = kind
        self.id = name
        self.start = start
        self.end = 0
        self.depth = depth
        self.parent = parent
        self.extends = ""
        self.related: set[str] = set()
        """Ids of `requires` and `conflicts`."""
        self.values: set[str] = set()
        """Ids of check-export and sub."""
        self.exports: set[str] = set()
        """Variables that check-export fills."""
        self.checks: list[Check] = []
        self.parts: list[Part] = []
        self.scope: Scope = ()


class Section:
    """`definitions`, `tests` ...: a child of an OVAL or OCIL document with the items in it."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = 0
        self.items: list[Item] = []


class Component:
    """One component of the collection."""

    def __init__(self, name: str, start: int) -> None:
        self.id = name
        self.start = start
        self.end = 0
        self.kind = ""
        """Namespace of its document."""
        self.sections: list[Section] = []
        self.items: dict[str, Item] = {}
        self.texts: list[Part] = []
        """Children of a benchmark that only people read."""


class Reference(t.NamedTuple):
    """One component-ref of the data stream."""

    id: str
    section: str
    target: str
    """Id of a component, or the address of something elsewhere."""
    local: bool
    start: int
    end: int
    uris: list[Part]
    """Its catalog: name, and the component-ref's id as key."""


class Index:
    """What the pass found."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.streams = 0
        self.references: list[Reference] = []
        self.components: dict[str, Component] = {}

    def refuse(self, what: str) -> RefusedError:
        return RefusedError(f"{self.path}: {what}")

    @property
    def checklist(self) -> tuple[Reference, Component]:
        """The one benchmark; RefusedError where there are none or several."""
        found = [reference for reference in self.references if reference.section == "checklists"]
        if self.streams != 1 or len(found) != 1:
            raise self.refuse(f"{self.streams} data streams with {len(found)} checklists; one of each can be compiled")
        component = self.components.get(found[0].target)
        if component is None or component.kind != XCCDF:
            raise self.refuse(f"the checklist {found[0].id} is no XCCDF 1.2 benchmark in this file")
        return found[0], component


_TEXTS = {
    "Benchmark": {"description", "notice", "front-matter", "rear-matter", "reference", "metadata"},
    "Profile": {"description", "reference", "metadata"},
    "Group": {"description", "warning", "question", "reference", "metadata", "rationale"},
    "Rule": {
        "description",
        "warning",
        "question",
        "reference",
        "metadata",
        "rationale",
        "profile-note",
        "fixtext",
        "fix",
        "check",
        "complex-check",
    },
    "Value": {"description", "warning", "question", "reference", "metadata"},
}
"""Children that are noted as parts; which of them are cut is decided later."""


def read_index(path: str, data: t.Any) -> Index:
    """Index the bytes `data` (bytes or a map of the file `path`); RefusedError where they cannot be compiled."""
    return _Reader(path, data).read()


class _Reader:
    """The expat pass. Depth 2 is a child of the collection, 3 of a component or data-stream, 4 and 5 below that."""

    def __init__(self, path: str, data: t.Any) -> None:
        self._index = Index(path)
        self._data = data
        self._stack: list[str] = []
        self._component: Component | None = None
        self._section = ""
        self._reference: Reference | None = None
        self._items: list[Item] = []
        self._part = (0, "", "", 0)
        """Depth, name, key and start of the part that is open."""
        self._system = ""
        self._last = (0, 0)
        """Depth and start of the element that was opened last."""
        self._scope: Scope = ()
        self._scopes: list[Scope] = []
        self._parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")

    def read(self) -> Index:
        parser = self._parser
        parser.SetParamEntityParsing(xml.parsers.expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartNamespaceDeclHandler = self._open_scope
        parser.EndNamespaceDeclHandler = self._close_scope
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        try:
            for start in range(0, len(self._data), 1 << 20):
                parser.Parse(self._data[start : start + (1 << 20)], False)
            parser.Parse(b"", True)
        except xml.parsers.expat.ExpatError as error:
            raise self._index.refuse(f"not well-formed XML ({error})") from error
        return self._index

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if (encoding or "utf-8").lower() not in ("utf-8", "us-ascii"):
            raise self._index.refuse(f"written in {encoding}, not in UTF-8")

    def _doctype(self, *_declaration: object) -> None:
        raise self._index.refuse("has a document type declaration")

    def _open_scope(self, prefix: str | None, uri: str | None) -> None:
        self._scopes.append(self._scope)
        kept = tuple(pair for pair in self._scope if pair[0] != (prefix or ""))
        self._scope = (*kept, (prefix or "", uri or ""))

    def _close_scope(self, _prefix: str | None) -> None:
        self._scope = self._scopes.pop()

    def _ends(self) -> int:
        """Where the element ends whose end is being handled; expat stands behind an empty one already."""
        at = self._parser.CurrentByteIndex
        if self._last[0] == len(self._stack) + 1:
            match = _TAG.match(self._data, self._last[1])
            if match is not None and match.end() == at and self._data[at - 2 : at] == b"/>":
                return at
        match = _TAG.match(self._data, at)
        if match is None:
            raise self._index.refuse(f"a tag at byte {at} cannot be told apart")
        return match.end()

    def _start(self, name: str, attributes: J) -> None:
        space, _unused, local = name.rpartition(" ")
        stack = self._stack
        stack.append(local)
        depth = len(stack)
        if depth > _DEPTH:
            raise self._index.refuse(f"elements are nested more than {_DEPTH} deep")
        self._last = depth, self._parser.CurrentByteIndex
        component = self._component
        if component is None:
            self._start_outside(space, local, depth, attributes)
        elif depth == 3:
            component.kind = space
        elif component.kind == XCCDF:
            self._start_xccdf(component, space, local, attributes)
        elif component.kind in (OVAL, OCIL):
            self._start_items(component, depth, attributes)

    def _start_outside(self, space: str, local: str, depth: int, attributes: J) -> None:
        index, at = self._index, self._parser.CurrentByteIndex
        if depth == 1:
            if (space, local) != (STREAM, "data-stream-collection"):
                raise index.refuse(f"its root element is <{local}>, not a source data stream")
        elif depth == 2:
            if local == "data-stream":
                index.streams += 1
            elif local == "component":
                self._component = Component(attributes.get("id", ""), at)
                if self._component.id in index.components:
                    raise index.refuse(f"the component {self._component.id} is there twice")
            elif local == "extended-component":
                raise index.refuse(f"has an extended component ({attributes.get('id', '')}), a script for instance")
            else:
                raise index.refuse(f"has a <{local}>, which a part of it would not fit")
        elif depth == 3:
            self._section = local
        elif depth == 4 and local == "component-ref":
            href = attributes.get(_HREF, "")
            self._reference = Reference(
                attributes.get("id", ""), self._section, href.lstrip("#"), href.startswith("#"), at, 0, []
            )
        elif self._reference is not None and local == "uri":
            self._part = (depth, attributes.get("name", ""), attributes.get("uri", "").lstrip("#"), at)
        elif self._reference is not None and local != "catalog":
            raise index.refuse(f"the catalog of {self._reference.id} has a <{local}>")

    def _start_items(self, component: Component, depth: int, attributes: J) -> None:
        """OVAL and OCIL: a document of sections of items, each with an id."""
        at = self._parser.CurrentByteIndex
        if depth == 4:
            component.sections.append(Section(at))
        elif depth == 5 and "id" in attributes:
            item = Item(self._stack[3], attributes["id"], at, depth)
            self._add(component, item)
            component.sections[-1].items.append(item)

    def _add(self, component: Component, item: Item) -> None:
        if not item.id or item.id in component.items:
            raise self._index.refuse(f"the id {item.id!r} is there twice ({item.kind}, component {component.id})")
        component.items[item.id] = item
        self._items.append(item)

    def _start_xccdf(self, component: Component, space: str, local: str, attributes: J) -> None:
        stack, depth = self._stack, len(self._stack)
        if local == "sub" and self._items:
            self._items[-1].values.add(attributes.get("idref", ""))
        if space != XCCDF:
            return
        if attributes.get("role") == "unchecked" and local in ("Rule", "refine-rule"):
            raise self._index.refuse(f"a {local} has role='unchecked'")
        parent = stack[-2]
        at = self._parser.CurrentByteIndex
        if local in _ITEMS and parent in ("Benchmark", "Group"):
            for name in ("extends", "cluster-id"):
                if attributes.get(name):
                    raise self._index.refuse(f"{local} {attributes.get('id', '')} has {name}={attributes[name]!r}")
            item = Item(local, attributes.get("id", ""), at, depth, self._items[-1] if self._items else None)
            item.scope = self._scope
            self._add(component, item)
        elif local == "Profile" and depth == 4:
            item = Item(local, attributes.get("id", ""), at, depth)
            item.extends = attributes.get("extends", "")
            self._add(component, item)
        elif self._items and depth - 1 == self._items[-1].depth:
            self._start_child(local, attributes, at)
        elif depth == 4 and local in _TEXTS["Benchmark"]:
            self._part = (depth, local, "", at)
        elif self._items:
            self._start_check(self._items[-1], local, attributes)

    def _start_child(self, local: str, attributes: J, at: int) -> None:
        item = self._items[-1]
        if local in ("requires", "conflicts"):
            if item.kind == "Group":
                raise self._index.refuse(f"the group {item.id} has <{local}>")
            item.related.update(attributes.get("idref", "").split())
        if local in ("check", "fix", "complex-check"):
            key = attributes.get("system", "")
            self._system = key
            self._part = (len(self._stack), local, key, at)
        elif item.kind == "Profile" and local in _REFINEMENTS:
            self._part = (len(self._stack), local, attributes.get("idref", ""), at)
        elif local in _TEXTS[item.kind]:
            self._part = (len(self._stack), local, "", at)

    def _start_check(self, item: Item, local: str, attributes: J) -> None:
        if local == "check":
            self._system = attributes.get("system", "")
        elif local == "check-content-ref":
            item.checks.append(Check(self._system, attributes.get("href", ""), attributes.get("name", "")))
        elif local == "check-export":
            item.values.add(attributes.get("value-id", ""))
            item.exports.add(attributes.get("export-name", ""))

    def _end(self, _name: str) -> None:
        self._stack.pop()
        depth = len(self._stack) + 1
        if depth == self._part[0]:
            self._end_part()
            return
        component = self._component
        if component is None:
            if depth == 4 and self._reference is not None:
                self._index.references.append(self._reference._replace(end=self._ends()))
                self._reference = None
        elif depth == 2:
            component.end = self._ends()
            self._index.components[component.id] = component
            self._component = None
        elif component.kind == XCCDF:
            if self._items and depth == self._items[-1].depth:
                self._items.pop().end = self._ends()
        elif depth == 5 and self._items:
            self._items.pop().end = self._ends()
        elif depth == 4 and component.sections:
            component.sections[-1].end = self._ends()

    def _end_part(self) -> None:
        _depth, name, key, start = self._part
        self._part = (0, "", "", 0)
        part = Part(name, key, start, self._ends())
        if self._component is None:
            if self._reference is not None:
                self._reference.uris.append(part)
        elif self._items:
            self._items[-1].parts.append(part)
        else:
            self._component.texts.append(part)
