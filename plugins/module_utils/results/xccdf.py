# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""XCCDF 1.1 and 1.2 TestResults, alone or inside an ARF 1.1, with the texts of the benchmark that they belong to."""

from __future__ import annotations

import dataclasses
import typing as t

from ..model import RULE_RESULTS, Results, RuleResult
from .severity import severity
from .source import Attributes, UnsafeError
from .text import SHORT, clean, one_line

NAMESPACES = ("http://checklists.nist.gov/xccdf/1.2", "http://checklists.nist.gov/xccdf/1.1")
MAX_RULES = 50_000
MAX_TEXT = 64 * 1024
_TOLD = ("fail", "error", "unknown")
"""Results that a person must act on: their texts are kept."""
_TEXTS = ("title", "description", "rationale", "fix")


@dataclasses.dataclass
class _Rule:
    severity: str = "unknown"
    texts: dict[str, str] = dataclasses.field(default_factory=dict)
    idents: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class _Answer:
    rule: str
    severity: str
    result: str = ""
    message: str = ""
    idents: list[str] = dataclasses.field(default_factory=list)


class XccdfHandler:
    """Collects rules while the benchmark passes, answers while the TestResult does; the last TestResult counts."""

    def __init__(self) -> None:
        self.profile = ""
        self.benchmark = ""
        self.ended = ""
        self.found = False
        self._rules: dict[str, _Rule] = {}
        self._rule: _Rule | None = None
        self._answers: list[_Answer] = []
        self._answer: _Answer | None = None
        self._values_name = ""
        self._values: dict[str, str] = {}
        self._collect: str = ""
        self._depth = 0
        self._parts: list[str] = []
        self._size = 0
        self._path: list[str] = []

    def start(self, local: str, attributes: Attributes) -> None:
        self._path.append(local)
        if self._collect:
            self._depth += 1
            if local == "sub":
                self._parts.append(self._values.get(attributes.get("idref", ""), ""))
            return
        parent = self._path[-2] if len(self._path) > 1 else ""
        if local == "Rule":
            if len(self._rules) >= MAX_RULES:
                raise UnsafeError(f"it has more than {MAX_RULES} rules; it was not read")
            self._rule = _Rule(severity(attributes.get("severity", "unknown")))
            self._rules[attributes.get("id", "")] = self._rule
        elif local == "Benchmark":
            self.benchmark = self.benchmark or attributes.get("id", "")
        elif local == "TestResult":
            self.found, self._answers = True, []
            self.ended = attributes.get("end-time", "")
        elif local == "rule-result":
            self._answer = _Answer(attributes.get("idref", ""), attributes.get("severity", ""))
        elif self._rule is not None and parent == "Rule" and (local in _TEXTS or local == "ident"):
            self._begin(local)
        elif self._answer is not None and local in ("result", "message", "ident"):
            self._begin(local)
        elif parent == "TestResult" and local in ("profile", "benchmark"):
            if local == "profile":
                self.profile = attributes.get("idref", "")
            else:
                self.benchmark = attributes.get("id", "") or self.benchmark
        elif local == "set-value" and parent == "TestResult":
            self._values_name = attributes.get("idref", "")
            self._begin(local)

    def _begin(self, local: str) -> None:
        self._collect, self._depth, self._parts, self._size = local, 0, [], 0

    def data(self, text: str) -> None:
        if self._collect and self._size < MAX_TEXT:
            self._parts.append(text)
            self._size += len(text)

    def end(self, local: str) -> None:
        self._path.pop()
        if self._collect:
            if self._depth:
                self._depth -= 1
                if local in ("br", "p", "li", "pre"):
                    self._parts.append("\n")
                return
            self._finish(local, "".join(self._parts))
            self._collect = ""
        elif local == "Rule":
            self._rule = None
        elif local == "rule-result" and self._answer is not None:
            self._close(self._answer)
            self._answer = None

    def _finish(self, local: str, text: str) -> None:
        if self._answer is not None:
            if local == "result":
                self._answer.result = text.strip()
            elif local == "message":
                self._answer.message = one_line(f"{self._answer.message} {text}")
            elif local == "ident":
                self._answer.idents.append(one_line(text))
        elif self._rule is not None:
            if local == "ident":
                self._rule.idents.append(one_line(text))
            else:
                self._rule.texts.setdefault(local, text)
        elif local == "set-value":
            self._values[self._values_name] = text

    def _close(self, answer: _Answer) -> None:
        if answer.result not in RULE_RESULTS:
            raise UnsafeError(f"the rule {answer.rule!r} has the result {answer.result!r}, which XCCDF does not know")
        if len(self._answers) >= MAX_RULES:
            raise UnsafeError(f"it has more than {MAX_RULES} results; it was not read")
        self._answers.append(answer)

    def results(self) -> Results:
        """The compact record; a rule that was answered twice keeps the worse answer."""
        answers: dict[str, _Answer] = {}
        for answer in self._answers:
            before = answers.get(answer.rule)
            if before is None or _WORSE.index(answer.result) < _WORSE.index(before.result):
                answers[answer.rule] = answer
        counts = dict.fromkeys(RULE_RESULTS, 0)
        rules = []
        for answer in answers.values():
            counts[answer.result] += 1
            if answer.result != "notselected":
                rules.append(self._record(answer))
        return Results(
            rules=rules,
            rule_counts=counts,
            profile=one_line(self.profile),
            benchmark=one_line(self.benchmark),
            generated_at=one_line(self.ended),
        )

    def _record(self, answer: _Answer) -> RuleResult:
        rule = self._rules.get(answer.rule, _Rule())
        told = answer.result in _TOLD
        return RuleResult(
            id=one_line(answer.rule),
            result=answer.result,
            severity=severity(answer.severity) if answer.severity else rule.severity,
            title=one_line(rule.texts.get("title", ""), SHORT),
            description=clean(rule.texts.get("description", "")) if told else "",
            rationale=clean(rule.texts.get("rationale", "")) if told else "",
            fix=clean(rule.texts.get("fix", "")) if told else "",
            idents=sorted({*answer.idents, *rule.idents}) if told else [],
            message=answer.message if told else "",
        )


_WORSE: t.Sequence[str] = (
    "fail", "error", "unknown", "notchecked", "informational", "fixed", "pass", "notapplicable", "notselected"
)
