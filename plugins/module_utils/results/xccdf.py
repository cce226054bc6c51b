# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""XCCDF 1.1 and 1.2 results: a TestResult (XCCDF 1.2, NISTIR 7275r4, section 6.6), alone, in a Benchmark or in an ARF.

Only `fail`, `error` and `unknown` ask a person to act: these rules get their texts, from the Benchmark in the file.
A file with more than one TestResult is refused: which of them speaks for the image is not for us to guess.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..model import RULE_RESULTS, Results, RuleResult
from .interface import ParsedResults
from .ruletext import RuleText, given_rule, read_rule
from .severity import severity, worst
from .stream import Attributes, Place, Stream
from .text import clean, line
from .times import utc

NAMESPACES = ("http://checklists.nist.gov/xccdf/1.2", "http://checklists.nist.gov/xccdf/1.1")
ARF = "http://scap.nist.gov/schema/asset-reporting-format/1.1"
ACTED_ON = ("fail", "error", "unknown")
_ID = 512
_ORDER = (*ACTED_ON, "notchecked", "informational", "notapplicable", "fixed", "pass", "notselected")
"""Results, worst first: what stands where an override contradicts its own rule-result."""


@dataclasses.dataclass
class _Answer:
    rule: str
    severity: str
    result: str = ""
    override: str = ""
    messages: list[str] = dataclasses.field(default_factory=list)
    idents: list[str] = dataclasses.field(default_factory=list)


class _Rule(t.NamedTuple):
    benchmark: str
    severity: str
    place: Place | None


class XccdfReader:
    """Collects one file's TestResult and the places of its rules while a Stream runs."""

    def __init__(
        self,
        stream: Stream,
        namespaces: t.Sequence[str],
        kind: str,
        test_result_depth: int,
        texts: t.Mapping[str, str] | None = None,
    ) -> None:
        self._stream = stream
        self._kind = kind
        self._given = texts
        self._wanted_depth = test_result_depth
        self._in_reports = kind != "arf"
        self._inside = 0
        """Depth of the TestResult that is being read, 0 outside of it."""
        self._seen = 0
        self._head: dict[str, str] = {}
        self._facts: dict[str, str] = {}
        self._fact = ""
        self._set: dict[str, str] = {}
        self._set_id = ""
        self._plain: dict[str, str] = {}
        self._platforms: list[str] = []
        self._answers: list[_Answer] = []
        self._answer: _Answer | None = None
        self._benchmark = ""
        self._rule: tuple[str, str, int] | None = None
        self._rules: dict[str, list[_Rule]] = {}
        for namespace in namespaces:
            self._install(namespace)

    def _install(self, namespace: str) -> None:
        """Put the handlers for one XCCDF version into the stream's tables."""
        starts: dict[str, t.Callable[[Attributes], None]] = {
            "Benchmark": self._benchmark_start,
            "Rule": self._rule_start,
            "plain-text": self._plain_start,
            "TestResult": self._test_result_start,
            "benchmark": self._benchmark_reference,
            "profile": self._profile,
            "platform": self._platform,
            "fact": self._fact_start,
            "set-value": self._set_start,
            "rule-result": self._answer_start,
        }
        ends: dict[str, t.Callable[[], None]] = {
            "Rule": self._rule_end,
            "plain-text": self._plain_end,
            "TestResult": self._test_result_end,
            "target": self._target_end,
            "fact": self._fact_end,
            "set-value": self._set_end,
            "rule-result": self._answer_end,
            "result": self._result_end,
            "new-result": self._override_end,
            "message": self._message_end,
            "ident": self._ident_end,
        }
        for name in ("target", "result", "new-result", "message", "ident"):
            starts[name] = self._capture
        for name, start in starts.items():
            self._stream.starts[f"{namespace} {name}"] = start
        for name, end in ends.items():
            self._stream.ends[f"{namespace} {name}"] = end
        self._stream.starts[f"{ARF} reports"] = self._reports_start
        self._stream.ends[f"{ARF} reports"] = self._reports_end

    def _reports_start(self, _attributes: Attributes) -> None:
        self._in_reports = self._in_reports or self._stream.depth == 2

    def _reports_end(self) -> None:
        self._in_reports = self._in_reports and self._stream.depth != 2

    # Benchmark

    def _benchmark_start(self, attributes: Attributes) -> None:
        self._benchmark = attributes.get("id", "")

    def _rule_start(self, attributes: Attributes) -> None:
        if not self._inside and self._rule is None:
            stream = self._stream
            self._rule = (attributes.get("id", ""), attributes.get("severity", ""), stream.offset())

    def _rule_end(self) -> None:
        if self._rule is not None:
            name, word, start = self._rule
            self._rule = None
            self._rules.setdefault(name, []).append(_Rule(self._benchmark, severity(word), self._stream.place(start)))
            self._stream.bounded(len(self._rules), "rules")

    def _plain_start(self, attributes: Attributes) -> None:
        if not self._inside and self._rule is None and len(self._plain) < 1000:
            self._set_id = attributes.get("id", "")
            self._stream.capture()

    def _plain_end(self) -> None:
        if self._set_id and not self._inside:
            self._plain[self._set_id] = self._stream.captured()
            self._set_id = ""

    # TestResult

    def _test_result_start(self, attributes: Attributes) -> None:
        stream = self._stream
        if stream.depth != self._wanted_depth or not self._in_reports:
            return
        self._seen += 1
        if self._seen > 1:
            raise stream.malformed("a second TestResult; give each scan a file of its own")
        self._inside = stream.depth
        self._head.update(attributes)

    def _test_result_end(self) -> None:
        if self._stream.depth == self._inside:
            self._inside = 0

    def _below(self, levels: int) -> bool:
        return bool(self._inside) and self._stream.depth == self._inside + levels

    def _benchmark_reference(self, attributes: Attributes) -> None:
        if self._below(1):
            self._head["benchmark id"] = attributes.get("id", "")
            self._head["benchmark href"] = attributes.get("href", "")

    def _profile(self, attributes: Attributes) -> None:
        if self._below(1):
            self._head["profile"] = attributes.get("idref", "")

    def _platform(self, attributes: Attributes) -> None:
        if self._below(1) and len(self._platforms) < 1000:
            self._platforms.append(line(attributes.get("idref", ""), _ID))

    def _capture(self, _attributes: Attributes) -> None:
        if self._inside:
            self._stream.capture()

    def _target_end(self) -> None:
        if self._below(1):
            self._head["target"] = self._stream.captured()

    def _fact_start(self, attributes: Attributes) -> None:
        if self._inside and len(self._facts) < 1000:
            self._fact = attributes.get("name", "")
            self._stream.capture()

    def _fact_end(self) -> None:
        if self._fact:
            self._facts[self._fact] = self._stream.captured()
            self._fact = ""

    def _set_start(self, attributes: Attributes) -> None:
        if self._below(1) and len(self._set) < 10_000:
            self._set_id = attributes.get("idref", "")
            self._stream.capture()

    def _set_end(self) -> None:
        if self._set_id and self._inside:
            self._set[self._set_id] = self._stream.captured()
            self._set_id = ""

    # rule-result

    def _answer_start(self, attributes: Attributes) -> None:
        if self._below(1):
            rule = attributes.get("idref", "").strip()
            if not rule:
                raise self._stream.malformed("a rule-result that names no rule (idref)")
            self._answer = _Answer(rule, severity(attributes.get("severity")))

    def _result_end(self) -> None:
        if self._answer is not None and self._below(2):
            word = self._stream.captured().strip()
            if self._answer.result:
                raise self._stream.malformed(f"the rule-result of {line(self._answer.rule, 200)} has two results")
            self._answer.result = self._known(word)

    def _override_end(self) -> None:
        if self._answer is not None and self._below(3):
            self._answer.override = self._known(self._stream.captured().strip())

    def _known(self, word: str) -> str:
        if word not in RULE_RESULTS:
            rule = line(self._answer.rule, 200) if self._answer else ""
            raise self._stream.malformed(f"{line(word, 40)!r} is no result of a rule ({rule})")
        return word

    def _message_end(self) -> None:
        if self._answer is not None and self._below(2) and len(self._answer.messages) < 10:
            self._answer.messages.append(self._stream.captured())

    def _ident_end(self) -> None:
        if self._answer is not None and self._below(2) and len(self._answer.idents) < 50:
            self._answer.idents.append(line(self._stream.captured(), 200))

    def _answer_end(self) -> None:
        answer = self._answer
        if answer is None or not self._below(1):
            return
        self._answer = None
        if not answer.result:
            raise self._stream.malformed(f"the rule-result of {line(answer.rule, 200)} has no result")
        if answer.override:
            answer.result = min(answer.result, answer.override, key=_ORDER.index)
        self._answers.append(answer)
        self._stream.bounded(len(self._answers), "rule results")

    # after the pass

    def parsed(self) -> ParsedResults:
        """The records; ScapError where the file held no TestResult, or one without any rule-result."""
        if not self._seen:
            raise self._stream.malformed("no XCCDF TestResult; this is no result of an evaluation")
        if not self._answers:
            raise self._stream.malformed("the TestResult answers no rule")
        head = self._head
        benchmark = head.get("benchmark id") or self._benchmark
        texts = self._texts(benchmark)
        empty = RuleText()
        rules = [
            self._record(answer, benchmark, texts.get(answer.rule, empty))
            for answer in self._answers
            if answer.result != "notselected"
        ]
        pairs = [(line(answer.rule, _ID), answer.result) for answer in self._answers]
        counts = dict.fromkeys(RULE_RESULTS, 0)
        for _rule, result in pairs:
            counts[result] += 1
        ended = utc(head.get("end-time", ""))
        results = Results(
            rules=rules,
            rule_counts=counts,
            profile=line(head.get("profile", ""), _ID),
            benchmark=line(benchmark, _ID),
            generated_at=ended,
        )
        return ParsedResults(
            results=results,
            kind=self._kind,
            rule_results=pairs,
            benchmark_id=results.benchmark,
            benchmark_href=line(head.get("benchmark href", ""), 2048),
            profile=results.profile,
            started_at=utc(head.get("start-time", "")),
            ended_at=ended,
            target=line(head.get("target", ""), _ID),
            tool=line(self._facts.get("urn:xccdf:fact:scanner:name", "") or head.get("test-system", ""), _ID),
            tool_version=line(
                self._facts.get("urn:xccdf:fact:scanner:version", "") or _version(head.get("test-system", "")), 100
            ),
            platforms=self._platforms,
        )

    def _candidates(self, rule: str, benchmark: str) -> list[_Rule]:
        every = self._rules.get(rule, [])
        return [entry for entry in every if entry.benchmark == benchmark] or every

    def _texts(self, benchmark: str) -> dict[str, RuleText]:
        """The texts of the rules that a person must act on, where the file holds the Benchmark."""
        values = {**self._plain, **self._set}
        if self._given is not None:
            wanted = [answer.rule for answer in self._answers if answer.result in ACTED_ON]
            return {name: read_rule(given_rule(self._stream.path, self._given, name), values) for name in wanted}
        places = {}
        for answer in self._answers:
            if answer.result in ACTED_ON:
                for entry in self._candidates(answer.rule, benchmark)[:1]:
                    if entry.place is not None:
                        places[answer.rule] = entry.place
        return {name: read_rule(element, values) for name, element in self._stream.slices(places)}

    def _record(self, answer: _Answer, benchmark: str, text: RuleText) -> RuleResult:
        grade = answer.severity
        if grade == "unknown":
            grade = worst([entry.severity for entry in self._candidates(answer.rule, benchmark)])
        acted_on = answer.result in ACTED_ON
        return RuleResult(
            id=line(answer.rule, _ID),
            result=answer.result,
            severity=grade,
            title=text.title,
            description=text.description,
            rationale=text.rationale,
            fix=text.fix,
            idents=list(dict.fromkeys(filter(None, [*answer.idents, *text.idents]))) if acted_on else [],
            message=clean("\n".join(answer.messages), 2000) if acted_on else "",
        )


def _version(cpe: str) -> str:
    """`1.3.7` of `cpe:/a:redhat:openscap:1.3.7`."""
    parts = cpe.split(":")
    return parts[4] if len(parts) > 4 and parts[0] == "cpe" else ""
