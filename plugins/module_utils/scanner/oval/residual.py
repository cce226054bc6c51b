# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one image's packages leave of a feed: definitions that are decided, and groups of equal remainders."""

from __future__ import annotations

import dataclasses
import functools
import json
import sqlite3
import typing as t

from ...model import ScapError
from .index import fold
from .logic import Residuals, Tree

_MANY = 500
"""Values of one query."""
MAX_REMEMBERED = 500_000
"""Nodes, and criteria of definitions, that are remembered of earlier images."""
MAX_DEPTH = 100


@dataclasses.dataclass(frozen=True)
class Remainder:
    """One group of definitions with the same answer."""

    node: int
    members: list[int]
    """Numbers of the definitions; never empty."""


class Part(t.NamedTuple):
    """A test, object, state or variable: where it stands in the feed, and what it leads to."""

    id: str
    start: int
    stop: int
    refs: dict[str, list[str]]
    need: str = ""
    """What an object reads, as needs.need_of says."""


class Index:
    """An index, opened: what of it is asked for image after image is read once."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._base = sqlite3.connect(f"file:{_quote(path)}?mode=ro&immutable=1", uri=True)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        self.meta: dict[str, t.Any] = dict(self.rows("SELECT key, value FROM meta"))
        if "manager" not in self.meta:
            raise self._unreadable("it does not say of what it is")
        self.manager = str(self.meta["manager"])
        self.residuals = Residuals()
        """The remainders of all images so far."""
        self.nodes: dict[tuple[int, tuple[str, ...]], int] = {}
        """A definition and those of its packages that are there, to what is left of it."""
        self.texts: dict[tuple[int, int], tuple[str, int]] = {}
        """A definition and its node to the definition as oscap is given it, and how many criteria it has."""
        self.criteria = 0
        """Those of `texts`."""
        self._trees: dict[int, Tree] = {}
        self._tests: dict[int, Part] = {}
        self._parts: dict[tuple[str, str], Part] = {}

    def close(self) -> None:
        self._base.close()

    def begin(self) -> None:
        """The next image: what earlier ones left is forgotten where it has become too much."""
        if len(self.residuals.nodes) + self.criteria > MAX_REMEMBERED:
            self.residuals = Residuals()
            self.nodes.clear()
            self.texts.clear()
            self.criteria = 0

    def select(self, query: str, values: t.Iterable[t.Any]) -> t.Iterator[tuple[t.Any, ...]]:
        """The rows of `query IN (values)`."""
        every = sorted(values)
        for start in range(0, len(every), _MANY):
            part = every[start : start + _MANY]
            yield from self.rows(f"{query} IN ({','.join('?' * len(part))})", part)

    def rows(self, query: str, values: t.Sequence[t.Any] = ()) -> t.Iterator[tuple[t.Any, ...]]:
        """Raises ScapError content_uncompiled where the index cannot be read."""
        try:
            yield from self._base.execute(query, values)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, why: object) -> ScapError:
        return ScapError("content_uncompiled", f"{self.path}: the index cannot be read: {why}")

    @functools.cached_property
    def ids(self) -> dict[int, tuple[str, str]]:
        """Number of a definition to (id, version), in the order of the feed."""
        query = "SELECT number, id, version FROM definition WHERE start >= 0 ORDER BY start"
        return {number: (known, version) for number, known, version in self.rows(query)}

    @functools.cached_property
    def names(self) -> dict[int, list[str]]:
        """Number of a definition to the names of packages that it depends on."""
        one: dict[str, str] = {}
        rows = self.rows("SELECT number, names FROM definition")
        return {number: [one.setdefault(name, name) for name in json.loads(names)] for number, names in rows}

    @functools.cached_property
    def baseline(self) -> list[tuple[t.Any, list[int]]]:
        """(remainder, definitions) where none of their packages is installed."""
        rows = self.rows("SELECT residual, members FROM baseline")
        return [(json.loads(residual), json.loads(members)) for residual, members in rows]

    def trees(self, numbers: t.Collection[int]) -> dict[int, Tree]:
        """The criteria of definitions; None where one has none."""
        known = self._trees
        query = "SELECT number, tree FROM definition WHERE number"
        for number, tree in self.select(query, (number for number in numbers if number not in known)):
            known[number] = json.loads(tree) if tree is not None else None
        return known

    def tests(self, numbers: t.Collection[int]) -> dict[int, Part]:
        """Tests by their numbers, these among them."""
        known = self._tests
        query = "SELECT number, id, start, stop, refs FROM test WHERE number"
        fresh = (number for number in numbers if number not in known)
        for number, name, start, stop, refs in self.select(query, fresh):
            known[number] = Part(name, start, stop, json.loads(refs))
        return known

    def parts(self, kind: str, ids: t.Collection[str]) -> t.Iterator[Part]:
        """Those objects, states or variables with these ids that there are."""
        known = self._parts
        query = f"SELECT id, start, stop, refs, need FROM part WHERE kind = '{kind}' AND id"  # noqa: S608
        for name, start, stop, refs, need in self.select(query, (name for name in ids if (kind, name) not in known)):
            known[kind, name] = Part(name, start, stop, json.loads(refs), need)
        return (known[kind, name] for name in ids if (kind, name) in known)


class Feed:
    """An index as one image has it; `names` are those of the packages that are there in any state."""

    def __init__(self, index: Index, names: t.Iterable[str]) -> None:
        index.begin()
        self.index = index
        self.residuals = index.residuals
        self.installed = {fold(index.manager, name) for name in names}
        self.live: set[int] = set()
        """Tests that some installed package's name occurs in."""
        self.affected: set[int] = set()
        """Definitions with such a test."""
        for tests, definitions in index.select("SELECT tests, definitions FROM name WHERE name", self.installed):
            self.live.update(json.loads(tests))
            self.affected.update(json.loads(definitions))

    def remainders(self) -> list[Remainder]:
        """Every definition of the feed, in one group each; the groups of false and true among them."""
        groups: dict[int, list[int]] = {}
        self.index.trees(self.affected)
        for residual, members in self.index.baseline:
            untouched = [number for number in members if number not in self.affected]
            if untouched:
                groups.setdefault(self._node(residual), []).extend(untouched)
        for number in sorted(self.affected):
            groups.setdefault(self._of_definition(number), []).append(number)
        return [Remainder(node, members) for node, members in groups.items()]

    def _node(self, plain: t.Any) -> int:
        kind, members = plain
        if kind in ("false", "true"):
            return int(kind == "true")
        if kind in ("test", "definition"):
            return self.residuals.intern((kind, tuple(members)))
        nodes = [self._node(member) for member in members]
        return self.residuals.negate(nodes[0]) if kind == "NOT" else self.residuals.join(kind, nodes)

    def _of_definition(self, number: int, depth: int = 0) -> int:
        key = number, tuple(name for name in self.index.names[number] if name in self.installed)
        node = self.index.nodes.get(key)
        if node is None:
            if depth > MAX_DEPTH:
                raise ScapError("content_uncompiled", f"{self.index.path}: definitions extend each other too often")
            tree = self.tree(number)
            if tree is None:
                node = self.residuals.intern(("definition", (number,)))
            else:
                node = self.residuals.of_tree(tree, self.live, lambda inner: self._of_definition(inner, depth + 1))
            self.index.nodes[key] = node
        return node

    def tree(self, number: int) -> Tree:
        """The criteria of a definition; None where it has none."""
        return self.index.trees((number,))[number]


def _quote(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
