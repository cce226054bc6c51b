# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OVAL's logic of six values (OVAL 5.11, OperatorEnumeration) and criteria of which a part is known.

A criteria tree is plain JSON: `[operator, negate, children]`; a child is a tree or a number. A number n >= 0 is a
criterion: `n >> 3` the test's number, `n >> 2 & 1` negate, `n & 3` what the test is where none of its packages is
installed (FALSE, TRUE or UNDECIDABLE). A number n < 0 is an extend_definition: `-n - 1 >> 1` the definition's
number, `-n - 1 & 1` negate.
"""

from __future__ import annotations

import typing as t

FALSE, TRUE, UNDECIDABLE = 0, 1, 2
OPERATORS = ("AND", "OR", "ONE", "XOR")

Tree = t.Any
Node = t.Tuple[str, t.Tuple[t.Any, ...]]
"""(kind, members): AND, OR, ONE, XOR and NOT with numbers of nodes; `test` and `definition` with their number."""

_OPPOSITE = {"true": "false", "false": "true"}
_FEW = 100
"""Leaves of a node that are worth to be remembered."""
_WORST = ("error", "unknown", "not evaluated")


def criterion(test: int, negate: bool, absent: int) -> int:
    return test << 3 | negate << 2 | absent


def extension(definition: int, negate: bool) -> int:
    return -(definition << 1 | negate) - 1


def negated(value: str) -> str:
    return _OPPOSITE.get(value, value)


def combine(operator: str, values: t.Sequence[str]) -> str:
    """What oscap makes of the results of a criteria's children."""
    trues = values.count("true")
    if operator == "AND" and "false" in values:
        return "false"
    if operator == "OR" and trues:
        return "true"
    if operator == "ONE" and trues > 1:
        return "false"
    for value in _WORST:
        if value in values:
            return value
    if not trues and "false" not in values:
        return "not applicable" if "not applicable" in values else "not evaluated"
    if operator == "AND":
        return "true" if trues else "not applicable"
    if operator == "OR":
        return "false"
    if operator == "ONE":
        return "true" if trues == 1 else "false"
    return "true" if trues % 2 else "false"


class Residuals:
    """What is left of criteria once the tests of absent packages are known; equal remainders are one node.

    Nodes 0 and 1 are false and true. A simplification is made only where it holds for all six values; an OR that is
    true keeps what is undecided in it, since a finding names the packages of every true test.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = [("false", ()), ("true", ())]
        self._numbers: dict[Node, int] = {}
        self._orders: list[t.Any] = list(self.nodes)
        """What each node is sorted by: the same whatever was interned before."""
        self._leaves: dict[int, t.Collection[tuple[str, int]]] = {}

    def intern(self, node: Node) -> int:
        number = self._numbers.get(node)
        if number is None:
            number = self._numbers[node] = len(self.nodes)
            self.nodes.append(node)
            kind, members = node
            leaf = kind in ("test", "definition")
            self._orders.append(node if leaf else (kind, tuple(self._orders[member] for member in members)))
        return number

    def _sorted(self, members: t.Iterable[int]) -> tuple[int, ...]:
        return tuple(sorted(members, key=self._orders.__getitem__))

    def negate(self, number: int) -> int:
        if number <= 1:
            return 1 - number
        kind, members = self.nodes[number]
        return int(members[0]) if kind == "NOT" else self.intern(("NOT", (number,)))

    def leaves(self, number: int) -> t.Collection[tuple[str, int]]:
        """(`test` or `definition`, number) that a node reaches."""
        known = self._leaves.get(number)
        if known is not None:
            return known
        waiting, seen, found = [number], {number}, []
        while waiting:
            kind, members = self.nodes[waiting.pop()]
            if kind in ("test", "definition"):
                found.append((kind, members[0]))
            else:
                fresh = [member for member in members if member > TRUE and member not in seen]
                seen.update(fresh)
                waiting += fresh
        if len(found) <= _FEW:
            self._leaves[number] = found
        return found

    def of_tree(self, tree: Tree, live: t.Collection[int], definitions: t.Callable[[int], int]) -> int:
        """The node of a criteria tree; `live`: tests one of whose packages is installed, `definitions`: the node of
        an extended definition."""
        operator, negate, children = tree if isinstance(tree, list) else ("AND", False, [tree])
        nodes: list[int] = []
        for child in children:
            if isinstance(child, list):
                nodes.append(self.of_tree(child, live, definitions))
            elif child < 0:
                node = definitions(-child - 1 >> 1)
                nodes.append(self.negate(node) if -child - 1 & 1 else node)
            elif child & 3 != UNDECIDABLE and child >> 3 not in live:
                nodes.append((child ^ child >> 2) & 1)
            else:
                node = self.intern(("test", (child >> 3,)))
                nodes.append(self.negate(node) if child & 4 else node)
            if operator == "AND" and nodes[-1] == FALSE:
                break
        number = self.join(operator, nodes)
        return self.negate(number) if negate else number

    def join(self, operator: str, children: t.Sequence[int]) -> int:
        """The node of an operator over nodes."""
        if operator == "AND" and FALSE in children:
            return FALSE
        if operator in ("AND", "OR"):
            return self._extreme(operator, children)
        trues = sum(child == TRUE for child in children)
        if operator == "ONE" and trues > 1:
            return FALSE
        members = [child for child in children if child > TRUE]
        if not members:
            return trues & 1
        if trues & 1:
            members.append(TRUE)
        elif len(members) < len(children):
            members.append(FALSE)
        return members[0] if len(members) == 1 else self.intern((operator, self._sorted(members)))

    def _extreme(self, operator: str, children: t.Sequence[int]) -> int:
        """AND and OR take the extreme of a total order of the six values, so they may be flattened and sorted."""
        members = set(children)
        for child in children:
            kind, inner = self.nodes[child]
            if kind == operator:
                members.discard(child)
                members.update(inner)
        if operator == "OR" and TRUE in members:
            members.discard(FALSE)
        return members.pop() if len(members) == 1 else self.intern((operator, self._sorted(members)))
