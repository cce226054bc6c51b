# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OVAL 5 results: every definition's answer; titles, CVEs, packages and fixed versions of those that are findings."""

from __future__ import annotations

import collections
import dataclasses
import re

from ..model import FINDING_CLASSES, Results, Vulnerability
from .severity import severity, worst
from .source import Attributes, UnsafeError
from .text import clean, one_line

MAX_DEFINITIONS = 500_000
MAX_TEXT = 16 * 1024
_ANSWERS = ("true", "false", "error", "unknown", "not evaluated", "not applicable")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}")
_MAX_LISTED = 200


@dataclasses.dataclass
class _Definition:
    kind: str
    title: str = ""
    description: str = ""
    severity: str = "unknown"
    cves: list[str] = dataclasses.field(default_factory=list)


class OvalHandler:
    """Collects what definitions say, then what their answers are; only findings keep more than a counter."""

    def __init__(self) -> None:
        self.found = False
        self.generated = ""
        self.answers: dict[str, str] = {}
        self._definitions: dict[str, _Definition] = {}
        self._definition: _Definition | None = None
        self._tests: dict[str, tuple[str, str]] = {}
        self._test = ""
        self._objects: dict[str, str] = {}
        self._states: dict[str, str] = {}
        self._owner = ""
        self._true_tests: dict[str, list[str]] = {}
        self._answering = ""
        self._in_results = False
        self._collect = ""
        self._parts: list[str] = []
        self._size = 0

    def start(self, local: str, attributes: Attributes) -> None:
        self._collect = ""
        if local == "oval_results":
            self.found = True
        elif local == "results":
            self._in_results = True
        elif self._in_results:
            self._start_result(local, attributes)
        elif local == "definition":
            self._start_definition(attributes)
        elif self._definition is not None:
            self._start_metadata(local, attributes)
        elif local.endswith("_test"):
            self._test = attributes.get("id", "")
        elif local == "object" and self._test:
            self._tests[self._test] = (attributes.get("object_ref", ""), self._tests.get(self._test, ("", ""))[1])
        elif local == "state" and self._test:
            self._tests[self._test] = (self._tests.get(self._test, ("", ""))[0], attributes.get("state_ref", ""))
        elif local.endswith(("_object", "_state")):
            self._owner = attributes.get("id", "")
        elif self._owner and local in ("name", "evr"):
            if local == "name" or attributes.get("operation") in ("less than", "less than or equal"):
                self._begin(local)
        elif local == "timestamp" and not self.generated:
            self._begin(local)

    def _start_definition(self, attributes: Attributes) -> None:
        if len(self._definitions) >= MAX_DEFINITIONS:
            raise UnsafeError(f"it has more than {MAX_DEFINITIONS} definitions; it was not read")
        self._definition = _Definition(attributes.get("class", ""))
        self._definitions[attributes.get("id", "")] = self._definition

    def _start_metadata(self, local: str, attributes: Attributes) -> None:
        assert self._definition is not None
        if local in ("title", "description", "severity", "cve"):
            self._begin(local)
        elif local == "reference":
            self._add_cves(attributes.get("ref_id", ""))

    def _start_result(self, local: str, attributes: Attributes) -> None:
        if local == "definition":
            name, answer = attributes.get("definition_id", ""), attributes.get("result", "")
            if answer not in _ANSWERS:
                raise UnsafeError(f"the definition {name!r} has the result {answer!r}, which OVAL does not know")
            self.answers[name] = _worse(self.answers.get(name), answer)
            if len(self.answers) > MAX_DEFINITIONS:
                raise UnsafeError(f"it has more than {MAX_DEFINITIONS} answers; it was not read")
            self._answering = name if answer == "true" else ""
        elif local == "criterion" and self._answering and attributes.get("result") == "true":
            tests = self._true_tests.setdefault(self._answering, [])
            if len(tests) < _MAX_LISTED:
                tests.append(attributes.get("test_ref", ""))

    def _begin(self, local: str) -> None:
        self._collect, self._parts, self._size = local, [], 0

    def data(self, text: str) -> None:
        if self._collect and self._size < MAX_TEXT:
            self._parts.append(text)
            self._size += len(text)

    def end(self, local: str) -> None:
        if self._collect:
            self._finish(self._collect, "".join(self._parts).strip())
            self._collect = ""
        elif local == "definition":
            self._definition, self._answering = None, ""
        elif local.endswith("_test"):
            self._test = ""
        elif local.endswith(("_object", "_state")):
            self._owner = ""

    def _finish(self, local: str, text: str) -> None:
        definition = self._definition
        if definition is not None:
            if local == "title":
                definition.title = text
            elif local == "description":
                definition.description = text
            elif local == "severity":
                definition.severity = worst(definition.severity, severity(text))
            else:
                self._add_cves(text)
        elif local == "name":
            self._objects[self._owner] = text
        elif local == "evr":
            self._states[self._owner] = text
        elif local == "timestamp":
            self.generated = text

    def _add_cves(self, text: str) -> None:
        assert self._definition is not None
        for cve in _CVE.findall(text):
            if cve not in self._definition.cves and len(self._definition.cves) < _MAX_LISTED:
                self._definition.cves.append(cve)

    def results(self) -> Results:
        """The compact record."""
        found, undecided = [], []
        for name, answer in self.answers.items():
            definition = self._definitions.get(name)
            if answer == "true" and definition is not None and definition.kind in FINDING_CLASSES:
                found.append(self._record(name, definition))
            elif answer in ("error", "unknown"):
                undecided.append(one_line(name))
        return Results(
            vulnerabilities=found,
            definition_counts=dict(collections.Counter(self.answers.values())),
            undecided=undecided,
            generated_at=one_line(self.generated),
        )

    def _record(self, name: str, definition: _Definition) -> Vulnerability:
        fixes: dict[str, str] = {}
        for test in self._true_tests.get(name, []):
            target, state = self._tests.get(test, ("", ""))
            package, fixed = self._objects.get(target, ""), self._states.get(state, "")
            if package and (fixed or package in fixes):
                fixes[package] = fixed or fixes[package]
        return Vulnerability(
            id=one_line(name),
            severity=definition.severity,
            title=one_line(definition.title),
            cves=definition.cves or sorted(set(_CVE.findall(definition.title))),
            packages=[one_line(package) for package in fixes],
            fixed_in=[one_line(fixed) for fixed in fixes.values()],
            description=clean(definition.description, 2000),
        )


def _worse(before: str | None, answer: str) -> str:
    """Of two answers for one definition the one that says less good."""
    return answer if before is None else min(before, answer, key=_BY_WEIGHT.index)


_BY_WEIGHT = ("true", "error", "unknown", "not evaluated", "not applicable", "false")
