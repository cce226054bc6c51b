# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One result file of any kind becomes records."""

from __future__ import annotations

import typing as t

from ..model import ScapError
from .interface import Limits, ParsedResults
from .oval import OVAL, OvalReader
from .source import Source
from .stream import Attributes, Stream
from .text import line
from .xccdf import ARF, NAMESPACES, XccdfReader

_LIMITS = Limits()


class _Reader(t.Protocol):
    def parsed(self) -> ParsedResults: ...


def parse_file(path: str, *, limits: Limits = _LIMITS, texts: t.Mapping[str, str] | None = None) -> ParsedResults:
    """The results in `path`: ARF 1.1, XCCDF 1.1 or 1.2, OVAL 5; plain, gzip, bzip2 or xz, told by its content.

    `texts`: what the file does not say of its rules, rule id to an XML document whose root holds the XCCDF Rule.
    Raises ScapError, never anything else and never fewer findings than the file has: `file_unreadable`,
    `results_damaged` (compression), `results_malformed` (not XML, cut short, no result, a word that no specification
    knows), `results_forbidden` (DTD, entities), `results_too_large`, `results_too_slow`.
    """
    readers: list[_Reader] = []

    def root(stream: Stream, name: str, _attributes: Attributes) -> None:
        namespace, _space, element = name.rpartition(" ")
        if namespace == ARF and element == "asset-report-collection":
            readers.append(XccdfReader(stream, NAMESPACES, "arf", 5, texts))
        elif namespace in NAMESPACES and element in ("TestResult", "Benchmark"):
            readers.append(XccdfReader(stream, (namespace,), "xccdf", 1 if element == "TestResult" else 2))
        elif namespace == OVAL and element == "oval_results":
            readers.append(OvalReader(stream))
        else:
            raise stream.malformed(
                f"the root element is {line(element, 100)!r} in the name space {line(namespace, 200)!r}, "
                "no ARF 1.1, XCCDF 1.1 or 1.2, or OVAL 5 result"
            )

    with Source(path, limits) as source:
        stream = Stream(source, limits, root)
        try:
            stream.run()
            return readers[0].parsed()
        except RecursionError as error:
            raise ScapError("results_malformed", f"{path}: nested too deep; repeat the scan") from error
