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
_DOCUMENT = re.compile(rb"<((?:[\w.-]+:)?oval_definitions)(?:\s[^>]*)?>")
_ANSWERS = re.compile(rb"<((?:[\w.-]+:)?definitions)(?:\s[^>]*|/)?>")
_ANSWER = re.compile(rb"<(?:[\w.-]+:)?definition\s([^>]*)")
_ATTRIBUTE = re.compile(rb'(\w+)="([^"]*)"')


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
    """Read a results file; `roll_objects`: ids of the roll call's objects, `families`: of their items.

    Raises ScapError results_malformed.
    """
    reader = _Reader(set(roll_objects), families)
    try:
        with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return reader.read(stream, data)
    except (OSError, ValueError, xml.parsers.expat.ExpatError) as error:
        raise ScapError("results_malformed", f"oscap's answers to a compiled feed cannot be read: {error}") from error


def _section(data: mmap.mmap, tag: re.Pattern[bytes], after: int, what: str) -> tuple[int, int]:
    """The first element that begins with `tag`: in what oscap writes a `<` is never part of a text."""
    start = tag.search(data, after)
    if start is None:
        raise ScapError("results_malformed", f"oscap's answers to a compiled feed lack {what}")
    if data[start.end() - 2 : start.end()] == b"/>":
        return start.span()
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
        self._in_roll = False
        self._wanted: list[str] = []
        self._item: dict[str, str] | None = None
        self._items: dict[str, tuple[str, dict[str, str]]] = {}
        self._text: list[str] = []
        self._parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")

    def read(self, stream: t.BinaryIO, data: mmap.mmap) -> Said:
        parser = self._parser
        parser.buffer_text = True
        parser.SetParamEntityParsing(xml.parsers.expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        said = self._said
        content = said.content = _section(data, _DOCUMENT, 0, "the feed")
        answers = said.answers = _section(data, _ANSWERS, content[1], "the definitions")
        said.system = data[answers[0] : data.find(b">", answers[0]) + 1]
        for found in _ANSWER.finditer(data, *answers):
            of = dict(_ATTRIBUTE.findall(found[1]))
            said.definitions[of.get(b"definition_id", b"").decode()] = of.get(b"result", b"").decode()
        parser.Parse(data[: content[0]])
        parser.Parse(data[content[1] : answers[0]])
        stream.seek(answers[1])
        parser.ParseFile(stream)
        said.roll.items = [self._items[known] for known in self._wanted if known in self._items]
        return said

    def _doctype(self, *_unused: t.Any) -> None:
        raise ScapError("results_malformed", "the results have a document type declaration")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        space, _unused, local = name.rpartition(" ")
        if space == RESULTS:
            if local == "test":
                self._said.tests[attributes.get("test_id", "")] = attributes.get("result", "")
        elif local == "object" and space == SYSTEM:
            self._in_roll = attributes.get("id", "") in self._roll
        elif local == "reference" and self._in_roll:
            self._wanted.append(attributes.get("item_ref", ""))
        elif local.endswith("_item") and local[:-5] in self._families:
            if attributes.get("status", "exists") == "exists":
                self._item = {}
                self._items[attributes.get("id", "")] = local[:-5], self._item
                self._parser.EndElementHandler = self._end
        elif self._item is not None:
            self._text.clear()
            self._parser.CharacterDataHandler = self._text.append

    def _end(self, name: str) -> None:
        """Of an item or something in it."""
        local = name.rpartition(" ")[2]
        if local.endswith("_item") or self._item is None:
            self._item = None
            self._parser.EndElementHandler = None
        else:
            self._item[local] = "".join(self._text)
        self._parser.CharacterDataHandler = None
