# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OVAL results (OVAL 5.11 results schema): every definition counted; the true patch and vulnerability ones as findings.

The pass keeps each definition's result, the tests of the true ones, and places. Afterwards only the true definitions'
metadata, and the states, objects and items that their true tests speak of, are read.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..model import FINDING_CLASSES, Results, Vulnerability
from .finding import Advisory, fixed_version, item_package, object_package, read_advisory
from .interface import ParsedResults
from .stream import Attributes, Place, Stream
from .text import line
from .times import utc

OVAL = "http://oval.mitre.org/XMLSchema/oval-results-5"
_DEFINITIONS = "http://oval.mitre.org/XMLSchema/oval-definitions-5"
_SYSTEM = "http://oval.mitre.org/XMLSchema/oval-system-characteristics-5"
_COMMON = "http://oval.mitre.org/XMLSchema/oval-common-5"
OVAL_RESULTS = ("true", "false", "error", "unknown", "not evaluated", "not applicable")
_PROBES = (("linux", "rpminfo"), ("linux", "dpkginfo"), ("independent", "textfilecontent54"))
"""The tests by which vendors' feeds ask for packages (Ubuntu's feed for container images reads a manifest file)."""
_PACKAGES = 500


@dataclasses.dataclass
class _Test:
    object: str = ""
    states: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class _Definition:
    kind: str
    place: Place | None = None


class OvalReader:
    """Collects one OVAL results file while a Stream runs."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._start = 0
        self._definition: tuple[str, int] | None = None
        self._answering = False
        self._name = ""
        self._definitions: dict[str, _Definition] = {}
        self._tests: dict[str, _Test] = {}
        self._test: _Test | None = None
        self._places: dict[str, Place] = {}
        """`state ID`, `object ID` and `item ID`."""
        self._answers: list[tuple[str, str]] = []
        self._classes: dict[str, str] = {}
        self._true_tests: dict[str, list[str]] = {}
        self._live: list[bool] = []
        self._current: list[str] | None = None
        self._criteria = 0
        self._items: dict[str, list[str]] = {}
        self._tested: list[str] | None = None
        self._tested_count = 0
        self._systems = 0
        self._facts: dict[str, str] = {}
        self._install()

    def _install(self) -> None:
        starts, ends = self._stream.starts, self._stream.ends
        starts[f"{_DEFINITIONS} definition"] = self._definition_start
        ends[f"{_DEFINITIONS} definition"] = self._definition_end
        for family, probe in _PROBES:
            space = f"{_DEFINITIONS}#{family}"
            starts[f"{space} {probe}_test"] = self._test_start
            ends[f"{space} {probe}_test"] = self._test_end
            starts[f"{space} object"] = self._test_object
            starts[f"{space} state"] = self._test_state
            item = "textfilecontent" if probe == "textfilecontent54" else probe
            for name, kind in (
                (f"{space} {probe}_state", "state"),
                (f"{space} {probe}_object", "object"),
                (f"{_SYSTEM}#{family} {item}_item", "item"),
            ):
                starts[name] = self._place_start
                ends[name] = lambda kind=kind: self._place_end(kind)  # type: ignore[misc]
        starts[f"{OVAL} system"] = self._system
        starts[f"{OVAL} definition"] = self._answer_start
        ends[f"{OVAL} definition"] = self._answer_end
        starts[f"{OVAL} criteria"] = self._criteria_start
        ends[f"{OVAL} criteria"] = self._criteria_end
        starts[f"{OVAL} criterion"] = self._criterion
        starts[f"{OVAL} test"] = self._tested_start
        ends[f"{OVAL} test"] = self._tested_end
        starts[f"{OVAL} tested_item"] = self._tested_item
        for space, names in (
            (_COMMON, ("product_name", "product_version", "timestamp")),
            (_SYSTEM, ("os_name", "os_version", "primary_host_name")),
        ):
            for name in names:
                starts[f"{space} {name}"] = lambda _attributes: self._stream.capture()
                ends[f"{space} {name}"] = lambda name=name: self._fact_end(name)  # type: ignore[misc]

    def _fact_end(self, name: str) -> None:
        text = self._stream.captured()
        if self._stream.depth == 3 or name in ("os_name", "os_version", "primary_host_name"):
            self._facts.setdefault(name, text)

    # oval_definitions

    def _definition_start(self, attributes: Attributes) -> None:
        name = attributes.get("id", "")
        if name in self._definitions or self._definition is not None:
            raise self._stream.malformed(f"the definition {line(name, 200)} is defined twice or inside of another")
        self._definition = (name, self._stream.offset())
        self._definitions[name] = _Definition(attributes.get("class", ""))

    def _definition_end(self) -> None:
        if self._definition is not None:
            name, start = self._definition
            self._definitions[name].place = self._stream.place(start)
            self._definition = None
        self._stream.bounded(len(self._definitions), "definitions")

    def _test_start(self, attributes: Attributes) -> None:
        self._test = self._tests.setdefault(attributes.get("id", ""), _Test())
        self._stream.bounded(len(self._tests), "tests")

    def _test_end(self) -> None:
        self._test = None

    def _test_object(self, attributes: Attributes) -> None:
        if self._test is not None:
            self._test.object = attributes.get("object_ref", "")

    def _test_state(self, attributes: Attributes) -> None:
        if self._test is not None and len(self._test.states) < 20:
            self._test.states.append(attributes.get("state_ref", ""))

    def _place_start(self, attributes: Attributes) -> None:
        self._start = self._stream.offset()
        self._name = attributes.get("id", "")

    def _place_end(self, kind: str) -> None:
        self._places.setdefault(f"{kind} {self._name}", self._stream.place(self._start))
        self._stream.bounded(len(self._places), "objects, states and items")

    # results

    def _system(self, _attributes: Attributes) -> None:
        self._systems += 1
        if self._systems > 1:
            raise self._stream.malformed("the results of a second system; give each scan a file of its own")

    def _answer_start(self, attributes: Attributes) -> None:
        name, result = attributes.get("definition_id", "").strip(), attributes.get("result", "")
        if not name or self._answering:
            raise self._stream.malformed("a definition's result that names no definition or stands inside of another")
        self._answering = True
        if result not in OVAL_RESULTS:
            raise self._stream.malformed(f"{line(result, 40)!r} is no result of a definition ({line(name, 200)})")
        self._answers.append((name, result))
        self._stream.bounded(len(self._answers), "definition results")
        if attributes.get("class"):
            self._classes[name] = attributes["class"]
        if result == "true":
            self._current = self._true_tests.setdefault(name, [])
            self._live = [True]

    def _answer_end(self) -> None:
        self._current = None
        self._answering = False

    def _criteria_start(self, attributes: Attributes) -> None:
        if self._current is not None:
            holds = attributes.get("result") == "true" and attributes.get("negate") not in ("true", "1")
            self._live.append(self._live[-1] and holds)

    def _criteria_end(self) -> None:
        if self._current is not None:
            self._live.pop()

    def _criterion(self, attributes: Attributes) -> None:
        if (
            self._current is not None
            and self._live[-1]
            and attributes.get("result") == "true"
            and attributes.get("negate") not in ("true", "1")
        ):
            self._current.append(attributes.get("test_ref", ""))
            self._criteria += 1
            self._stream.bounded(self._criteria, "true tests")

    def _tested_start(self, attributes: Attributes) -> None:
        if attributes.get("result") == "true":
            self._tested = self._items.setdefault(attributes.get("test_id", ""), [])

    def _tested_end(self) -> None:
        self._tested = None

    def _tested_item(self, attributes: Attributes) -> None:
        if self._tested is not None and attributes.get("result") != "false" and len(self._tested) < _PACKAGES:
            self._tested.append(attributes.get("item_id", ""))
            self._tested_count += 1
            self._stream.bounded(self._tested_count, "tested items")

    # after the pass

    def parsed(self) -> ParsedResults:
        """The records; ScapError where no definition was answered, or a true one is not in the document."""
        if not self._answers:
            raise self._stream.malformed("no result of any definition; this is no result of an evaluation")
        counts = dict.fromkeys(OVAL_RESULTS, 0)
        undecided: dict[str, None] = {}
        for name, result in self._answers:
            counts[result] += 1
            if result in ("error", "unknown"):
                undecided[line(name, 512)] = None
        facts = {name: line(text, 512) for name, text in self._facts.items()}
        results = Results(
            vulnerabilities=self._vulnerabilities(),
            definition_counts=counts,
            undecided=list(undecided),
            generated_at=utc(facts.get("timestamp", "")),
        )
        system = f"{facts.get('os_name', '')} {facts.get('os_version', '')}".strip()
        return ParsedResults(
            results=results,
            kind="oval",
            definitions=[(line(name, 512), result) for name, result in self._answers],
            ended_at=results.generated_at,
            target=facts.get("primary_host_name", ""),
            tool=facts.get("product_name", ""),
            tool_version=facts.get("product_version", ""),
            platforms=[system] if system else [],
        )

    def _kind(self, name: str) -> str:
        known = self._definitions.get(name)
        kind = known.kind if known else self._classes.get(name, "")
        if not kind:
            raise self._stream.malformed(
                f"the definition {line(name, 200)} is true but its class is nowhere in the file; "
                "ask the tool for full results"
            )
        return kind

    def _vulnerabilities(self) -> list[Vulnerability]:
        found = [name for name in self._true_tests if self._kind(name) in FINDING_CLASSES]
        advisories: dict[str, Advisory] = {}
        fixed: dict[str, str | None] = {}
        objects: dict[str, str] = {}
        items: dict[str, str] = {}
        for key, element in self._stream.slices(self._wanted(found)):
            kind, _space, name = key.partition(" ")
            if kind == "definition":
                advisories[name] = read_advisory(element)
            elif kind == "state":
                fixed[name] = fixed_version(element)
            elif kind == "object":
                objects[name] = object_package(element)
            else:
                items[name] = item_package(element)
        answer = []
        for name in found:
            advisory = advisories.get(name, Advisory())
            packages = self._packages(name, fixed, objects, items)
            answer.append(
                Vulnerability(
                    id=line(name, 512),
                    severity=advisory.severity,
                    title=advisory.title or line(name, 512),
                    cves=advisory.cves,
                    packages=[package for package, _version in packages],
                    fixed_in=[version for _package, version in packages],
                    description=advisory.description,
                    issued=advisory.issued,
                )
            )
        return answer

    def _wanted(self, found: t.Iterable[str]) -> dict[str, Place]:
        places: dict[str, Place] = {}
        for name in found:
            place = self._definitions[name].place if name in self._definitions else None
            if place is not None:
                places[f"definition {name}"] = place
            for reference in self._true_tests[name]:
                test = self._tests.get(reference)
                if test is None:
                    continue
                keys = [f"state {state}" for state in test.states]
                keys += [f"object {test.object}"]
                keys += [f"item {item}" for item in self._items.get(reference, [])]
                places.update({key: self._places[key] for key in keys if key in self._places})
        return places

    def _packages(
        self,
        name: str,
        fixed: t.Mapping[str, str | None],
        objects: t.Mapping[str, str],
        items: t.Mapping[str, str],
    ) -> list[tuple[str, str]]:
        """(package, fixed version) of the true tests; where none compares versions, of those that ask for presence."""
        older: dict[tuple[str, str], None] = {}
        present: dict[tuple[str, str], None] = {}
        for reference in self._true_tests[name]:
            test = self._tests.get(reference)
            if test is None:
                continue
            versions = [version for state in test.states if (version := fixed.get(state)) is not None]
            names = [items[item] for item in self._items.get(reference, []) if items.get(item)]
            for package in names or filter(None, [objects.get(test.object, "")]):
                if versions:
                    older[package, versions[0]] = None
                elif not test.states:
                    present[package, ""] = None
        return list(older or present)[:_PACKAGES]
