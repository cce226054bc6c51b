# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OVAL definitions that oscap is given for one image: a representative of each remainder, and what it reaches.

Tests, objects, states and variables are the feed's own bytes. Definitions are written anew from the remainders, with
two constants of our own in the place of what is decided, and the roll call of packages.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import mmap
import typing as t

from ...model import ScapError
from ..markup import quoted
from ..questions import INDEPENDENT, Question, sections
from .logic import TRUE
from .reader import DEFINITIONS, OURS
from .residual import Feed, Index, Part, Remainder

CONSTANTS = (
    Question("false", "family", INDEPENDENT, "", "none_exist"),
    Question("true", "family", INDEPENDENT, "", "at_least_one_exists"),
)
"""The first two questions of a compiled document, so that nodes 0 and 1 are tests 1 and 2 of ours."""
MAX_ELEMENTS = 1_000_000
PARTS = ("tests", "objects", "states", "variables")


@functools.lru_cache(maxsize=1 << 16)
def _quote(text: str) -> str:
    return quoted(text)


@dataclasses.dataclass
class Slices:
    """Parts of a feed that a document needs: container to (start, stop)."""

    places: dict[str, set[tuple[int, int]]] = dataclasses.field(default_factory=dict)
    needs: set[str] = dataclasses.field(default_factory=set)
    """What their objects read, as needs.need_of says."""

    def add(self, kind: str, start: int, stop: int) -> None:
        if start >= 0:
            self.places.setdefault(kind, set()).add((start, stop))


def reach(index: Index, tests: t.Iterable[int]) -> Slices:
    """The tests and everything that they lead to."""
    slices = Slices()
    wanted: dict[str, set[str]] = {"objects": set(), "states": set(), "variables": set()}

    def follow(kind: str, part: Part) -> None:
        slices.add(kind, part.start, part.stop)
        for other, found in part.refs.items():
            wanted[other].update(found)

    numbers = set(tests)
    known = index.tests(numbers)
    for number in numbers:
        follow("tests", known[number])
    done: dict[str, set[str]] = {kind: set() for kind in wanted}
    while any(wanted[kind] - done[kind] for kind in wanted):
        for kind, names in wanted.items():
            fresh = names - done[kind]
            done[kind] |= fresh
            for part in index.parts(kind, fresh):
                slices.needs.add(part.need)
                follow(kind, part)
    return slices


class Source:
    """The feed's bytes, as UTF-8."""

    def __init__(self, index: Index, data: mmap.mmap) -> None:
        self._meta = index.meta
        self._data = data
        self._encoding = str(index.meta["encoding"])
        self.tags: dict[str, str] = json.loads(index.meta["tags"])

    def text(self, start: int, stop: int) -> bytes:
        return self._plain(self._data[start:stop])

    def _plain(self, data: bytes) -> bytes:
        return data if self._encoding in ("utf-8", "us-ascii") else data.decode(self._encoding).encode()

    @property
    def root(self) -> bytes:
        """The root's start tag."""
        return self._plain(str(self._meta["root"]).encode("latin-1"))

    @property
    def generator(self) -> bytes:
        return self.text(*json.loads(self._meta["generator"]))

    def container(self, kind: str, slices: Slices, more: bytes = b"") -> bytes:
        """A container with slices in the order of the feed; nothing where it would be empty."""
        places = sorted(slices.places.get(kind, ()))
        if not places and not more:
            return b""
        tag = (
            self._plain(self.tags[kind].encode("latin-1"))
            if kind in self.tags
            else f'<{kind} xmlns="{DEFINITIONS}">'.encode()
        )
        if tag.endswith(b"/>"):
            tag = tag[:-2] + b">"
        return b"\n".join([tag, *(self.text(*place) for place in places), more, closing(tag)])

    def closing_root(self) -> bytes:
        return closing(self.root)


def closing(tag: bytes) -> bytes:
    """The end tag of a start tag."""
    return b"</" + tag[1:].rstrip(b">").split(None, 1)[0] + b">"


def open_source(index: Index, path: str) -> Source:
    """The feed at `path`, mapped; the same bytes that were indexed."""
    with open(path, "rb") as stream:
        return Source(index, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


@dataclasses.dataclass(frozen=True)
class Document:
    """What oscap is given."""

    data: bytes
    needs: t.Collection[str]
    """What its tests read of the image, as needs.need_of says."""
    tests: t.Collection[int]
    """Numbers of the feed's tests in it."""


def write_document(feed: Feed, source: Source, groups: t.Sequence[Remainder], roll: t.Sequence[Question]) -> Document:
    """The document for these groups, whose answers are not decided."""
    tests: set[int] = set()
    opaque: set[int] = set()
    for group in groups:
        for kind, number in feed.residuals.leaves(group.node):
            (tests if kind == "test" else opaque).add(number)
    slices = reach(feed.index, tests)
    ours = sections([*CONSTANTS, *roll])
    definitions = _Definitions(feed, groups, opaque, tests).text()
    data = b"\n".join(
        [
            b'<?xml version="1.0" encoding="UTF-8"?>',
            source.root,
            source.generator,
            source.container("definitions", Slices(), (ours["definitions"] + definitions).encode()),
            source.container("tests", slices, ours["tests"].encode()),
            source.container("objects", slices, ours["objects"].encode()),
            source.container("states", slices),
            source.container("variables", slices),
            source.closing_root(),
            b"",
        ]
    )
    return Document(data, slices.needs, tests)


class _Definitions:
    """Representatives as XML."""

    def __init__(self, feed: Feed, groups: t.Sequence[Remainder], opaque: set[int], tests: set[int]) -> None:
        self._feed = feed
        self._groups = groups
        self._opaque = opaque
        self._elements = 0
        self._ids = feed.index.ids
        self._tests = feed.index.tests(tests)

    def text(self) -> str:
        parts = []
        written = set()
        for group in self._groups:
            number = group.members[0]
            written.add(number)
            parts.append(self._remainder(number, group.node))
        parts += [self._definition(number, "") for number in sorted(self._opaque - written) if number in self._ids]
        return "".join(parts)

    def _remainder(self, number: int, node: int) -> str:
        """The definition that stands for a group."""
        index = self._feed.index
        known = index.texts.get((number, node))
        if known is None:
            before = self._elements
            opaque = self._feed.residuals.nodes[node] == ("definition", (number,))
            text = self._definition(number, "" if opaque else self._criteria(node))
            index.texts[number, node] = text, self._elements - before
            index.criteria += self._elements - before
        else:
            text, elements = known
            self._count(elements)
        return text

    def _count(self, elements: int) -> None:
        self._elements += elements
        if self._elements > MAX_ELEMENTS:
            path = self._feed.index.path
            raise ScapError("content_uncompiled", f"{path}: more than {MAX_ELEMENTS} criteria are left")

    def _definition(self, number: int, criteria: str) -> str:
        known, version = self._ids[number]
        return (
            f'<definition xmlns="{DEFINITIONS}" class="miscellaneous" id={_quote(known)} version={_quote(version)}>'
            f"<metadata><title>remainder</title><description>remainder</description></metadata>{criteria}</definition>\n"
        )

    def _criteria(self, node: int) -> str:
        inner = self._element(node, "")
        return inner if inner.startswith("<criteria ") else f'<criteria operator="AND">{inner}</criteria>'

    def _element(self, node: int, negate: str) -> str:
        self._count(1)
        if node <= TRUE:
            return f'<criterion test_ref="{OURS}tst:{node + 1}"{negate}/>'
        kind, members = self._feed.residuals.nodes[node]
        if kind == "test":
            return f"<criterion test_ref={_quote(self._tests[members[0]].id)}{negate}/>"
        if kind == "definition":
            return f"<extend_definition definition_ref={_quote(self._ids[members[0]][0])}{negate}/>"
        if kind == "NOT":
            return self._element(members[0], ' negate="true"')
        inner = "".join(self._element(member, "") for member in members)
        return f'<criteria operator="{kind}"{negate}>{inner}</criteria>'
