# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one image's packages leave of a feed: definitions that are decided, and groups of equal remainders."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import typing as t

from ...model import ScapError
from .index import fold
from .logic import TRUE, Residuals, Tree

_MANY = 500
"""Values of one query."""
MAX_DEPTH = 100


@dataclasses.dataclass(frozen=True)
class Remainder:
    """One group of definitions with the same answer."""

    node: int
    members: list[int]
    """Numbers of the definitions; never empty."""


class Feed:
    """An index, opened for one image; `names` are those of the packages that are there in any state."""

    def __init__(self, path: str, names: t.Iterable[str]) -> None:
        self.path = path
        try:
            self._base = sqlite3.connect(f"file:{_quote(path)}?mode=ro&immutable=1", uri=True)
            self.meta: dict[str, t.Any] = dict(self._base.execute("SELECT key, value FROM meta"))
            self.manager = str(self.meta["manager"])
            self.installed = {fold(self.manager, name) for name in names}
            self.live: set[int] = set()
            """Tests that some installed package's name occurs in."""
            self.affected: set[int] = set()
            """Definitions with such a test."""
            for tests, definitions in self.select("SELECT tests, definitions FROM name WHERE name", self.installed):
                self.live.update(json.loads(tests))
                self.affected.update(json.loads(definitions))
        except (sqlite3.Error, KeyError) as error:
            raise ScapError("content_uncompiled", f"{path}: the index cannot be read: {error}") from error
        self.residuals = Residuals()
        self._trees: dict[int, Tree] = {}
        self._nodes: dict[int, int] = {}

    def close(self) -> None:
        self._base.close()

    def select(self, query: str, values: t.Iterable[t.Any]) -> t.Iterator[tuple[t.Any, ...]]:
        """The rows of `query IN (values)`."""
        every = sorted(values)
        for start in range(0, len(every), _MANY):
            part = every[start : start + _MANY]
            yield from self._base.execute(f"{query} IN ({','.join('?' * len(part))})", part)

    def rows(self, query: str) -> t.Iterator[tuple[t.Any, ...]]:
        return self._base.execute(query)

    def remainders(self) -> list[Remainder]:
        """Every definition of the feed, in one group each; the groups of false and true among them."""
        groups: dict[int, list[int]] = {}
        for number, tree in self.select("SELECT number, tree FROM definition WHERE number", self.affected):
            self._trees[number] = json.loads(tree)
        for residual, members in self._base.execute("SELECT residual, members FROM baseline"):
            untouched = [number for number in json.loads(members) if number not in self.affected]
            if untouched:
                groups.setdefault(self._node(json.loads(residual)), []).extend(untouched)
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
        node = self._nodes.get(number)
        if node is None:
            if depth > MAX_DEPTH:
                raise ScapError("content_uncompiled", f"{self.path}: definitions extend each other too often")
            tree = self.tree(number)
            if tree is None:
                node = self.residuals.intern(("definition", (number,)))
            else:
                node = self.residuals.of_tree(tree, self.live, lambda inner: self._of_definition(inner, depth + 1))
            self._nodes[number] = node
        return node

    def tree(self, number: int) -> Tree:
        """The criteria of a definition; None where it has none."""
        if number not in self._trees:
            (row,) = self._base.execute("SELECT tree FROM definition WHERE number = ?", (number,))
            self._trees[number] = json.loads(row[0]) if row[0] is not None else None
        return self._trees[number]

    def leaves(self, node: int) -> t.Iterator[tuple[str, int]]:
        """(`test` or `definition`, number) that a node reaches."""
        waiting, seen = [node], {node}
        while waiting:
            kind, members = self.residuals.nodes[waiting.pop()]
            if kind in ("test", "definition"):
                yield kind, members[0]
            else:
                fresh = [member for member in members if member > TRUE and member not in seen]
                seen.update(fresh)
                waiting += fresh


@contextlib.contextmanager
def open_feed(path: str, names: t.Iterable[str]) -> t.Iterator[Feed]:
    """A Feed that is closed in the end."""
    feed = Feed(path, names)
    try:
        yield feed
    finally:
        feed.close()


def _quote(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
