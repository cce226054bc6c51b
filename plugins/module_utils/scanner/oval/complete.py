# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OVAL results of a compiled document become those of the whole feed: every definition answered.

What oscap wrote stays as it is (tests, items, the roll call); the definitions' results are put in the place of those
of the representatives, with the criteria of true ones, and the embedded document holds what the true ones need.
"""

from __future__ import annotations

import functools
import itertools
import mmap
import typing as t

from ...files import whole
from ...model import ScapError
from ..markup import quoted
from .answers import Said
from .document import PARTS, Slices, Source, closing, reach
from .logic import TRUE, UNDECIDABLE, Tree, combine, negated
from .residual import Feed, Part, Remainder

_DECIDED = ("false", "true")
_NOT_ASKED = "not evaluated"
"""Of a criterion in a branch that is false without it."""


class Answerer:
    """The answers of all definitions of a feed for one image."""

    def __init__(self, feed: Feed, groups: t.Sequence[Remainder], tests: t.Collection[int], said: Said) -> None:
        """`tests`: numbers of those that the groups come down to."""
        self._feed = feed
        self._said = said
        self._tests: dict[int, str] = {}
        self._prefixed = (
            "" if said.system.startswith(b"<definitions") else said.system[1:].split(b":")[0].decode() + ":"
        )
        self.answers: dict[int, str] = {}
        """Number of a definition to its result."""
        self.ids = feed.index.ids
        self._load_tests(tests)
        for group in groups:
            self._answer(group)
        if len(self.answers) != len(self.ids):
            raise _differs(f"{len(self.answers)} of {len(self.ids)} definitions have an answer")

    def _load_tests(self, numbers: t.Collection[int]) -> None:
        tests = self._feed.index.tests(numbers)
        for number in numbers:
            known = tests[number].id
            if known not in self._said.tests:
                raise _differs(f"oscap gave no result of the test {known}")
            self._tests[number] = self._said.tests[known]

    def _answer(self, group: Remainder) -> None:
        if group.node <= TRUE:
            answer = _DECIDED[group.node]
        else:
            known = self.ids[group.members[0]][0]
            answer = self._said.definitions.get(known, "")
            if not answer or answer != self._value(group.node):
                raise _differs(f"oscap says {answer or 'nothing'!r} of {known}, its tests {self._value(group.node)!r}")
        for number in group.members:
            self.answers[number] = answer

    def _value(self, node: int) -> str:
        """What the results of the tests make of a node."""
        if node <= TRUE:
            return _DECIDED[node]
        kind, members = self._feed.residuals.nodes[node]
        if kind == "test":
            return self._tests[members[0]]
        if kind == "definition":
            known = self.ids.get(members[0], ("",))[0]
            return self._said.definitions.get(known, "not evaluated")
        if kind == "NOT":
            return negated(self._value(members[0]))
        return combine(kind, [self._value(member) for member in members])

    def write(self, source: Source, path: str, target: str) -> None:
        """Write the completed results of the file `path` to `target`."""
        true = [number for number, answer in self.answers.items() if answer == "true"]
        with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            (first, last), (start, stop) = self._said.content, self._said.answers
            if not last <= start:
                raise _differs("the sections of the results stand in another order")
            with whole(target, durable=False) as out:
                out.write(data[:first])
                out.write(self._content(source, true))
                out.write(data[last:start])
                out.write(self._said.system.replace(b"/>", b">") + b"\n")
                for number, (known, version) in self.ids.items():
                    out.write(self._result(number, known, version))
                out.write(closing(self._said.system))
                out.write(data[stop:])

    def _content(self, source: Source, true: t.Sequence[int]) -> bytes:
        """The document of the true definitions, in the feed's own words."""
        tests: set[int] = set()
        slices = Slices()
        query = "SELECT number, start, stop FROM definition WHERE number"
        for number, start, stop in self._feed.index.select(query, true):
            slices.add("definitions", start, stop)
            tests.update(_tests(self._feed.tree(number)))
        slices.places.update(reach(self._feed.index, tests).places)
        parts = [source.root, source.generator, source.container("definitions", slices)]
        parts += [source.container(kind, slices) for kind in PARTS]
        return b"\n".join([*parts, source.closing_root()])

    def _result(self, number: int, known: str, version: str) -> bytes:
        answer = self.answers[number]
        tree = self._feed.tree(number) if answer == "true" else None
        if tree is None:
            return _plain_result(self._prefixed, known, version, answer)
        value, text = self._criteria(tree, self._feed.index.tests(set(_tests(tree))))
        if value != answer:
            raise _differs(f"the criteria of {known} come to {value}, its remainder to {answer}")
        head = _head(self._prefixed, known, version, answer)
        return f"{head}>{text}</{self._prefixed}definition>\n".encode()

    def _criteria(self, tree: Tree, tests: t.Mapping[int, Part]) -> tuple[str, str]:
        """(result, XML) of a criteria tree."""
        prefix = self._prefixed
        if isinstance(tree, list):
            operator, negate, children = tree
            inner = [self._criteria(child, tests) for child in children]
            value = combine(operator, [entry[0] for entry in inner])
            value = negated(value) if negate else value
            flag = ' negate="true"' if negate else ""
            text = "".join(entry[1] for entry in inner)
            head = f'<{prefix}criteria operator="{operator}"{flag} result="{value}">'
            return value, f"{head}{text}</{prefix}criteria>"
        if tree < 0:
            number, negate = -tree - 1 >> 1, -tree - 1 & 1
            value, what = self.answers.get(number, _NOT_ASKED), "extend_definition"
            name = f"definition_ref={quoted(self.ids.get(number, ('',))[0])}"
        else:
            number, negate, what = tree >> 3, tree >> 2 & 1, "criterion"
            if tree & 3 != UNDECIDABLE and number not in self._feed.live:
                value = _DECIDED[tree & 1]
            else:
                value = self._tests.get(number, _NOT_ASKED)
            name = f"test_ref={quoted(tests[number].id)}"
        value = negated(value) if negate else value
        flag = ' negate="true"' if negate else ""
        return value, f'<{prefix}{what} {name}{flag} version="1" result="{value}"/>'


def _head(prefix: str, known: str, version: str, answer: str) -> str:
    return f'<{prefix}definition definition_id={quoted(known)} version={quoted(version)} result="{answer}"'


@functools.lru_cache(maxsize=1 << 16)
def _plain_result(prefix: str, known: str, version: str, answer: str) -> bytes:
    """The result of a definition without its criteria: the same for image after image."""
    return f"{_head(prefix, known, version, answer)}/>\n".encode()


def _tests(tree: Tree) -> t.Iterator[int]:
    if isinstance(tree, list):
        for child in tree[2]:
            yield from _tests(child)
    elif tree is not None and tree >= 0:
        yield tree >> 3


def _differs(why: str) -> ScapError:
    return ScapError("content_uncompiled", f"the compiled answers cannot be trusted: {why}")


def record(feed: Feed, groups: t.Sequence[Remainder], answerer: Answerer, sha256: str) -> t.Any:
    """What became of every definition, as JSON: the decided ones with the packages that are missing, the groups."""
    decided: list[t.Any] = []
    inherited: list[t.Any] = []
    for group in groups:
        if group.node > TRUE:
            inherited.append(
                [answerer.answers[group.members[0]], [answerer.ids[number][0] for number in group.members]]
            )
            continue
        for number in group.members:
            absent = (name for name in feed.index.names[number] if name not in feed.installed)
            decided.append([answerer.ids[number][0], _DECIDED[group.node], list(itertools.islice(absent, 10))])
    return {
        "sha256": feed.index.meta["sha256"],
        "compiled_sha256": sha256,
        "definitions": len(answerer.ids),
        "decided": decided,
        "inherited": inherited,
    }
