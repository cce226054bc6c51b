# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass over OVAL 5 definitions: where each element lies, what it refers to, and the criteria as trees.

No entities, no document type. What this reader does not understand is ScapError content_uncompiled: the file is then
evaluated as it is.
"""

from __future__ import annotations

import dataclasses
import json
import mmap
import re
import typing as t
import xml.parsers.expat

from ...model import ScapError
from .logic import OPERATORS, UNDECIDABLE, criterion, extension

DEFINITIONS = "http://oval.mitre.org/XMLSchema/oval-definitions-5"
LINUX = f"{DEFINITIONS}#linux"
CONTAINERS = ("definitions", "tests", "objects", "states", "variables")
LITERALS = ("name", "path", "filename", "filepath")
"""Children of objects whose texts are read."""
OURS = "oval:scap-images:"
"""What ids of our own begin with."""
MAX_DEPTH = 200
MAX_PARTS = 5_000_000
_TAG = re.compile(rb"""<(?:[^>"']|"[^"]*"|'[^']*')*>""")
_ENCODING = re.compile(rb"""^(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ENCODINGS = ("utf-8", "us-ascii", "iso-8859-1")
_REFERENCES = {"object_ref": "objects", "state_ref": "states", "var_ref": "variables"}
_REFERRING = {"object_reference": "objects", "filter": "states"}


@dataclasses.dataclass
class Part:
    """A test, object, state or variable."""

    start: int = -1
    """Byte offset; negative: it is referred to and nowhere defined."""
    end: int = -1
    name: str = ""
    """Namespace and local name."""
    existence: str = ""
    refs: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    """Container to ids."""
    children: list[tuple[str, dict[str, str]]] = dataclasses.field(default_factory=list)
    """Children of an object: (namespace and local name, attributes)."""
    texts: list[str] = dataclasses.field(default_factory=list)
    """Of an object's LITERALS in their order, or a constant variable's values."""


@dataclasses.dataclass
class Definition:
    start: int = -1
    end: int = -1
    version: str = ""
    kind: str = ""
    """Its class."""
    tree: str | None = None
    """logic's tree as JSON; every criterion undecidable so far."""


class Reader:
    """What one file holds after `read`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.encoding = "utf-8"
        self.root = b""
        """The root's start tag."""
        self.generator = (0, 0)
        self.tags: dict[str, bytes] = {}
        """Start tags of the containers."""
        self.definitions: dict[str, Definition] = {}
        self.definition_numbers: dict[str, int] = {}
        self.test_numbers: dict[str, int] = {}
        self.parts: dict[str, dict[str, Part]] = {name: {} for name in CONTAINERS[1:]}
        self._data: t.Any = b""
        self._depth = 0
        self._container = ""
        self._definition: Definition | None = None
        self._part: Part | None = None
        self._criteria: list[list[t.Any]] = []
        self._referring = ""
        self._text: list[str] = []
        self._parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")

    def read(self) -> Reader:
        parser = self._parser
        parser.buffer_text = True
        parser.SetParamEntityParsing(xml.parsers.expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        with open(self.path, "rb") as stream:
            try:
                self._data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                raise ScapError("content_malformed", f"{self.path}: is empty") from error
            with self._data:
                found = _ENCODING.match(self._data[:200])
                if found:
                    self.encoding = found[1].decode().lower()
                if self.encoding not in _ENCODINGS or self._data[:4].find(b"\0") >= 0:
                    raise self._strange(f"its encoding is {self.encoding}")
                try:
                    parser.ParseFile(stream)
                except xml.parsers.expat.ExpatError as error:
                    raise ScapError(
                        "content_malformed", f"{self.path}: not well-formed XML ({error}); fetch the content again"
                    ) from error
        self._data = b""
        return self

    def _strange(self, what: str) -> ScapError:
        return ScapError("content_uncompiled", f"{self.path}: {what}")

    def _doctype(self, *_unused: t.Any) -> None:
        raise ScapError("content_malformed", f"{self.path}: has a document type declaration")

    def _tag(self, start: int) -> bytes:
        match = _TAG.match(self._data, start)
        if match is None:
            raise self._strange(f"the tag at byte {start} has no end")
        return match[0]

    def _after(self, start: int) -> int:
        """The offset behind the element that began at `start` and ends here (expat: an empty one has its end here)."""
        here = self._parser.CurrentByteIndex
        if self._data[here : here + 2] != b"</" or self._data[here - 2 : here] == b"/>" == self._tag(start)[-2:]:
            return here
        return int(self._data.find(b">", here)) + 1

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        depth = self._depth = self._depth + 1
        if self._part is not None:
            self._inside_part(depth, name, attributes)
        elif self._definition is not None:
            if self._criteria or depth == 4:
                self._inside_definition(name, attributes)
        elif depth == 3 and self._container == "definitions":
            self._start_definition(name, attributes)
        elif depth == 3 and self._container in self.parts:
            self._start_part(name, attributes)
        elif depth == 2:
            self._start_container(name)
        elif depth == 1:
            if name != f"{DEFINITIONS} oval_definitions":
                raise self._strange(f"its root element is {name!r}")
            self.root = self._tag(self._parser.CurrentByteIndex)
        if depth > MAX_DEPTH:
            raise self._strange(f"elements are nested more than {MAX_DEPTH} deep")

    def _start_container(self, name: str) -> None:
        space, _unused, local = name.rpartition(" ")
        self._container = local if space == DEFINITIONS else ""
        start = self._parser.CurrentByteIndex
        if self._container == "generator":
            self.generator = (start, 0)
        elif self._container in CONTAINERS:
            if self._container in self.tags:
                raise self._strange(f"it has <{local}> twice")
            self.tags[self._container] = self._tag(start)

    def _start_definition(self, name: str, attributes: dict[str, str]) -> None:
        known = attributes.get("id", "")
        if name != f"{DEFINITIONS} definition" or not known or known in self.definitions or known.startswith(OURS):
            raise self._strange(f"the definition {known!r} is no definition, or there twice")
        self._number(self.definition_numbers, known)
        self._definition = self.definitions[known] = Definition(
            start=self._parser.CurrentByteIndex,
            version=attributes.get("version", ""),
            kind=attributes.get("class", ""),
        )

    def _number(self, numbers: dict[str, int], known: str) -> int:
        number = numbers.setdefault(known, len(numbers))
        if number > MAX_PARTS:
            raise self._strange(f"it has more than {MAX_PARTS} definitions or tests")
        return number

    def _inside_definition(self, name: str, attributes: dict[str, str]) -> None:
        space, _unused, local = name.rpartition(" ")
        if not self._criteria:
            if local == "criteria" and space == DEFINITIONS:
                if self._definition is not None and self._definition.tree is not None:
                    raise self._strange("a definition has two criteria")
                self._criteria.append(self._group(attributes))
            return
        negate = self._flag(attributes)
        if space != DEFINITIONS:
            raise self._strange(f"a criteria holds {name!r}")
        if local == "criterion":
            number = self._number(self.test_numbers, attributes.get("test_ref", ""))
            self._criteria[-1][2].append(criterion(number, negate, UNDECIDABLE))
        elif local == "extend_definition":
            number = self._number(self.definition_numbers, attributes.get("definition_ref", ""))
            self._criteria[-1][2].append(extension(number, negate))
        elif local == "criteria":
            group = self._group(attributes)
            self._criteria[-1][2].append(group)
            self._criteria.append(group)
        else:
            raise self._strange(f"a criteria holds {name!r}")

    def _flag(self, attributes: dict[str, str]) -> bool:
        text = attributes.get("negate", "false")
        if text not in ("true", "false", "1", "0"):
            raise self._strange(f"negate is {text!r}")
        return text in ("true", "1")

    def _group(self, attributes: dict[str, str]) -> list[t.Any]:
        operator = attributes.get("operator", "AND")
        if operator not in OPERATORS:
            raise self._strange(f"the operator {operator!r} is unknown")
        return [operator, int(self._flag(attributes)), []]

    def _start_part(self, name: str, attributes: dict[str, str]) -> None:
        known, parts = attributes.get("id", ""), self.parts[self._container]
        if not known or known in parts or known.startswith(OURS):
            raise self._strange(f"{self._container} hold {known!r} twice, or an id of ours")
        if len(parts) > MAX_PARTS:
            raise self._strange(f"it has more than {MAX_PARTS} {self._container}")
        self._part = parts[known] = Part(
            start=self._parser.CurrentByteIndex,
            name=name,
            existence=attributes.get("check_existence", "at_least_one_exists"),
        )
        if self._container == "tests":
            self._number(self.test_numbers, known)

    def _inside_part(self, depth: int, name: str, attributes: dict[str, str]) -> None:
        part = self._part
        if part is None:
            return
        local = name.rpartition(" ")[2]
        for attribute, value in attributes.items():
            kind = _REFERENCES.get(attribute)
            if kind is not None:
                part.refs.setdefault(kind, []).append(value)
        if local in _REFERRING:
            self._listen(_REFERRING[local])
        elif depth == 4 and self._container == "objects":
            part.children.append((name, dict(attributes)))
            if local in LITERALS:
                self._listen("text")
        elif local == "value" and self._container == "variables":
            self._listen("text")
        elif self._referring:
            raise self._strange(f"{name!r} stands where a text is expected")

    def _listen(self, what: str) -> None:
        self._referring = what
        self._text.clear()
        self._parser.CharacterDataHandler = self._text.append

    def _end(self, _name: str) -> None:
        depth = self._depth
        self._depth = depth - 1
        if self._referring and self._part is not None:
            text = "".join(self._text)
            if self._referring == "text":
                self._part.texts.append(text)
            else:
                self._part.refs.setdefault(self._referring, []).append(text.strip())
            self._referring = ""
            self._parser.CharacterDataHandler = None
        if self._criteria:
            self._end_criteria(_name)
        elif depth == 3:
            if self._part is not None:
                self._part.end = self._after(self._part.start)
                self._part = None
            elif self._definition is not None:
                self._definition.end = self._after(self._definition.start)
                self._definition = None
        elif depth == 2:
            if self._container == "generator":
                self.generator = (self.generator[0], self._after(self.generator[0]))
            self._container = ""

    def _end_criteria(self, name: str) -> None:
        if not name.endswith(" criteria"):
            return
        tree = self._criteria.pop()
        if not tree[2]:
            raise self._strange("a criteria holds nothing")
        if not self._criteria and self._definition is not None:
            self._definition.tree = json.dumps(tree, separators=(",", ":"))
