# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OVAL questions of our own to oscap's probes: their document, and the answers out of its results (OVAL 5.11)."""

from __future__ import annotations

import dataclasses
import typing as t
import xml.parsers.expat

from ..model import ScapError
from .markup import escaped

DEFINITIONS = "http://oval.mitre.org/XMLSchema/oval-definitions-5"
INDEPENDENT, UNIX, LINUX = f"{DEFINITIONS}#independent", f"{DEFINITIONS}#unix", f"{DEFINITIONS}#linux"

_HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<oval_definitions xmlns="{DEFINITIONS}" xmlns:oval="http://oval.mitre.org/XMLSchema/oval-common-5">
<generator><oval:schema_version>5.11.1</oval:schema_version><oval:timestamp>2026-01-01T00:00:00</oval:timestamp></generator>
"""
_DOCTYPE = "the results have a document type declaration"


@dataclasses.dataclass(frozen=True)
class Question:
    """One OVAL definition with one test of one object."""

    title: str
    """What the answer is found by; several questions may share a title whose answer nobody reads."""
    family: str
    """The probe: `file`, `rpminfo` ..."""
    namespace: str
    """Of the family's schema."""
    content: str
    """The XML inside the object."""
    existence: str = "at_least_one_exists"


@dataclasses.dataclass
class Answers:
    """What oscap said."""

    results: dict[str, str] = dataclasses.field(default_factory=dict)
    """Title of a question to `true`, `false`, `error` ..."""
    items: list[tuple[str, dict[str, str]]] = dataclasses.field(default_factory=list)
    """(family, entity to value) of each collected item of the wanted families that exists."""


def sections(questions: t.Sequence[Question]) -> dict[str, str]:
    """`definitions`, `tests` and `objects` that ask these questions in their order, without their containers."""
    definitions: list[str] = []
    tests: list[str] = []
    objects: list[str] = []
    for number, question in enumerate(questions, 1):
        title, family, space = escaped(question.title), question.family, question.namespace
        definitions.append(
            f'<definition xmlns="{DEFINITIONS}" class="inventory" id="oval:scap-images:def:{number}" version="1">'
            f"<metadata><title>{title}</title><description>probe</description></metadata>"
            f'<criteria><criterion test_ref="oval:scap-images:tst:{number}"/></criteria></definition>'
        )
        tests.append(
            f'<{family}_test xmlns="{space}" id="oval:scap-images:tst:{number}" version="1" check="all" '
            f'check_existence="{question.existence}" comment="probe">'
            f'<object object_ref="oval:scap-images:obj:{number}"/></{family}_test>'
        )
        objects.append(
            f'<{family}_object xmlns="{space}" id="oval:scap-images:obj:{number}" version="1">{question.content}'
            f"</{family}_object>"
        )
    parts = ("definitions", definitions), ("tests", tests), ("objects", objects)
    return {name: "\n".join(lines) for name, lines in parts}


def document(questions: t.Sequence[Question]) -> str:
    """OVAL definitions that ask these questions in their order."""
    parts = "\n".join(f"<{name}>{text}</{name}>" for name, text in sections(questions).items())
    return f"{_HEAD}{parts}\n</oval_definitions>\n"


def read_answers(path: str, families: t.Collection[str]) -> Answers:
    """The answers in a results file, in one pass; ScapError results_malformed."""
    reader = _Reader(families)
    try:
        with open(path, "rb") as stream:
            reader.parser.ParseFile(stream)
    except (OSError, xml.parsers.expat.ExpatError) as error:
        raise ScapError("results_malformed", f"oscap's answers to our own questions cannot be read: {error}") from error
    return reader.answers


class _Reader:
    """The expat pass."""

    def __init__(self, families: t.Collection[str]) -> None:
        self.answers = Answers()
        self._families = families
        self._titles: dict[str, str] = {}
        self._family = ""
        self._item: dict[str, str] = {}
        self._definition = ""
        self._text: list[str] = []
        self.parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.SetParamEntityParsing(xml.parsers.expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append

    def _doctype(self, *_unused: t.Any) -> None:
        raise ScapError("results_malformed", _DOCTYPE)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._text.clear()
        local = name.rpartition(" ")[2]
        if local.endswith("_item") and local[:-5] in self._families:
            self._family = local[:-5] if attributes.get("status", "exists") == "exists" else ""
            self._item = {}
        elif local == "definition":
            if "result" in attributes:
                title = self._titles.get(attributes.get("definition_id", ""), "")
                self.answers.results[title] = attributes["result"]
            else:
                self._definition = attributes.get("id", "")

    def _end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        text = "".join(self._text)
        self._text.clear()
        if local == "title":
            self._titles[self._definition] = text
        elif self._family and local == f"{self._family}_item":
            self.answers.items.append((self._family, self._item))
            self._family = ""
        elif self._family:
            self._item[local] = text
