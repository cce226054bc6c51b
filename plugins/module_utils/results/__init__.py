# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw results of any scanner to the compact record, streaming: ARF 1.1, XCCDF 1.1 and 1.2, OVAL 5 results."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ..model import RULE_RESULTS, Results, ScapError
from .oval import OvalHandler
from .source import MAX_DEPTH, Attributes, UnsafeError, feed, new_parser
from .xccdf import NAMESPACES, XccdfHandler

_ARF = "http://scap.nist.gov/schema/asset-reporting-format/1.1"
_OVAL_RESULTS = "http://oval.mitre.org/XMLSchema/oval-results-5"


@dataclasses.dataclass(frozen=True)
class ParsedResults:
    """What one raw file holds."""

    kind: str
    """`arf`, `xccdf` or `oval`."""
    results: Results


def parse_file(path: str) -> ParsedResults:
    """The compact record of one ARF, XCCDF or OVAL result, plain or compressed by gzip, bzip2 or xz.

    Raises ScapError results_unreadable, results_malformed, results_unsafe, results_too_large or results_unsupported.
    OVAL results inside an ARF belong to its rules and are no findings of their own.
    """
    dispatcher = _Dispatcher(path)
    feed(path, dispatcher.parser)
    return dispatcher.parsed()


def merge(parts: t.Sequence[Results]) -> Results:
    """One record of several, of which at most one holds rules; a finding that two feeds share is kept once."""
    rules = [part for part in parts if part.rules or part.benchmark]
    if len(rules) > 1:
        raise ScapError("results_malformed", "there are rules of two evaluations; they cannot be told apart")
    first = rules[0] if rules else Results(rule_counts=dict.fromkeys(RULE_RESULTS, 0))
    counts: collections.Counter[str] = collections.Counter()
    for part in parts:
        counts.update(part.definition_counts)
    return dataclasses.replace(
        first,
        vulnerabilities=list({entry.id: entry for part in parts for entry in part.vulnerabilities}.values()),
        definition_counts=dict(counts),
        undecided=sorted({entry for part in parts for entry in part.undecided}),
    )


class _Dispatcher:
    """Hands the elements of a file to the handler of its kind, and leaves out what no record needs."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._kind = ""
        self._depth = 0
        self._xccdf = XccdfHandler()
        self._oval = OvalHandler()
        self._skipping = 0
        self.parser = new_parser()
        self.parser.StartElementHandler = self._root

    def _root(self, name: str, attributes: Attributes) -> None:
        space, _unused, local = name.rpartition(" ")
        if space == _ARF and local == "asset-report-collection":
            self._kind = "arf"
        elif space in NAMESPACES and local in ("Benchmark", "TestResult"):
            self._kind = "xccdf"
        elif space == _OVAL_RESULTS and local == "oval_results":
            self._kind = "oval"
        else:
            raise ScapError(
                "results_unsupported",
                f"{self._path}: its root element is <{local[:100]}>; what can be read is an ARF, an XCCDF result or OVAL results",
            )
        if self._kind == "oval":
            self.parser.StartElementHandler, self.parser.EndElementHandler = self._start_oval, self._end_oval
            self.parser.CharacterDataHandler = self._oval.data
            self._start_oval(name, attributes)
        else:
            self.parser.StartElementHandler, self.parser.EndElementHandler = self._start_xccdf, self._end_xccdf
            self.parser.CharacterDataHandler = self._xccdf.data
            self._start_xccdf(name, attributes)

    def _start_oval(self, name: str, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnsafeError(f"elements are nested more than {MAX_DEPTH} deep; it was not read")
        self._oval.start(name.rpartition(" ")[2], attributes)

    def _end_oval(self, name: str) -> None:
        self._depth -= 1
        self._oval.end(name.rpartition(" ")[2])

    def _start_xccdf(self, name: str, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnsafeError(f"elements are nested more than {MAX_DEPTH} deep; it was not read")
        space, _unused, local = name.rpartition(" ")
        if space in NAMESPACES or local in ("br", "p", "li", "pre", "code", "b", "i"):
            self._xccdf.start(local, attributes)
        else:
            self._xccdf.start("", attributes)

    def _end_xccdf(self, name: str) -> None:
        self._depth -= 1
        self._xccdf.end(name.rpartition(" ")[2])

    def parsed(self) -> ParsedResults:
        if self._kind == "oval":
            if not self._oval.answers:
                raise ScapError("results_empty", f"{self._path}: no definition was answered in it")
            return ParsedResults("oval", self._oval.results())
        if not self._xccdf.found:
            raise ScapError("results_empty", f"{self._path}: it holds no XCCDF TestResult")
        return ParsedResults(self._kind, self._xccdf.results())
