# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What oscap said to a compiled document: its answers, the roll call, and where in the results they stand."""

from __future__ import annotations

import dataclasses
import mmap
import re
import typing as t
import xml.parsers.expat

from ...model import ScapError
from ..questions import Answers

RESULTS = "http://oval.mitre.org/XMLSchema/oval-results-5"
SYSTEM = "http://oval.mitre.org/XMLSchema/oval-system-characteristics-5"
_DOCUMENT = re.compile(rb"<((?:[\w.-]+:)?oval_definitions)[\s>]")


@dataclasses.dataclass
class Said:
    """One results file."""

    definitions: dict[str, str] = dataclasses.field(default_factory=dict)
    tests: dict[str, str] = dataclasses.field(default_factory=dict)
    roll: Answers = dataclasses.field(default_factory=Answers)
    """The items that the roll call's own objects collected."""
    content: tuple[int, int] = (-1, -1)
    """Byte range of the embedded definitions' document."""
    answers: tuple[int, int] = (-1, -1)
    """Byte range of the definitions' results."""
    system: bytes = b""
    """Start tag of the definitions' results."""


def read_said(path: str, roll_objects: t.Collection[str], families: t.Collection[str]) -> Said:
    """Read a results file in one pass; `roll_objects`: ids of the roll call's objects, `families`: of their items.

    Raises ScapError results_malformed.
    """
    reader = _Reader(set(roll_objects), families)
    try:
        with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return reader.read(stream, data)
    except (OSError, ValueError, xml.parsers.expat.ExpatError) as error:
        raise ScapError("results_malformed", f"oscap's answers to a compiled feed cannot be read: {error}") from error


def _embedded(data: mmap.mmap) -> tuple[int, int]:
    """Where the document that oscap was given stands in its results, which nobody needs to read again. In what oscap
    writes a `<` is never part of a text."""
    start = _DOCUMENT.search(data)
    if start is None:
        raise ScapError("results_malformed", "oscap's answers to a compiled feed lack the feed")
    end = b"</" + start[1] + b">"
    place = data.find(end, start.end())
    if place < 0:
        raise ScapError("results_malformed", "oscap's answers to a compiled feed are not whole")
    return start.start(), place + len(end)


class _Reader:
    def __init__(self, roll_objects: set[str], families: t.Collection[str]) -> None:
        self._said = Said()
        self._roll = roll_objects
        self._families = families
        self._data: t.Any = b""
        self._depth = 0
        self._in_roll = False
        self._wanted: list[str] = []
        self._item: dict[str, str] | None = None
        self._items: dict[str, tuple[str, dict[str, str]]] = {}
        self._text: list[str] = []
        self._cut = 0
        """Bytes before the parser's place that it was not given."""
        self._parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")

    def read(self, stream: t.BinaryIO, data: mmap.mmap) -> Said:
        self._data = data
        parser = self._parser
        parser.buffer_text = True
        parser.SetParamEntityParsing(xml.parsers.expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        said = self._said
        first, last = said.content = _embedded(data)
        parser.Parse(data[:first])
        self._cut = last - first
        stream.seek(last)
        parser.ParseFile(stream)
        if min(*said.content, *said.answers) < 0:
            raise ScapError("results_malformed", "oscap's answers to a compiled feed lack a section")
        said.roll.items = [self._items[known] for known in self._wanted if known in self._items]
        return said

    def _doctype(self, *_unused: t.Any) -> None:
        raise ScapError("results_malformed", "the results have a document type declaration")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        space, _unused, local = name.rpartition(" ")
        if space == RESULTS:
            if local == "definition":
                self._said.definitions[attributes.get("definition_id", "")] = attributes.get("result", "")
            elif local == "test":
                self._said.tests[attributes.get("test_id", "")] = attributes.get("result", "")
            elif local == "definitions" and self._depth == 4:
                start = self._place()
                self._said.answers = (start, -1)
                self._said.system = self._data[start : self._data.find(b">", start) + 1]
        elif local == "object" and space == SYSTEM:
            self._in_roll = attributes.get("id", "") in self._roll
        elif local == "reference" and self._in_roll:
            self._wanted.append(attributes.get("item_ref", ""))
        elif local.endswith("_item") and local[:-5] in self._families:
            if attributes.get("status", "exists") == "exists":
                self._item = {}
                self._items[attributes.get("id", "")] = local[:-5], self._item
        elif self._item is not None:
            self._text.clear()
            self._parser.CharacterDataHandler = self._text.append

    def _end(self, name: str) -> None:
        self._depth -= 1
        local = name.rpartition(" ")[2]
        if local == "definitions" and self._depth == 3:
            self._said.answers = (self._said.answers[0], self._after())
        elif local == "object":
            self._in_roll = False
        elif self._item is not None:
            if local.endswith("_item"):
                self._item = None
            else:
                self._item[local] = "".join(self._text)
            self._parser.CharacterDataHandler = None

    def _place(self) -> int:
        return self._parser.CurrentByteIndex + self._cut

    def _after(self) -> int:
        """The offset behind the element that ends here (expat: an empty one has its end here)."""
        here = self._place()
        return int(self._data.find(b">", here)) + 1 if self._data[here : here + 2] == b"</" else here
