# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of rule results and definitions, case by case: never a milder answer."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import Results, RuleResult, ScapError, Vulnerability
from ansible_collections.scap.images.plugins.module_utils.results import ParsedResults, clean, merge, parse_file

from .documents import answer, arf, defined, evaluated, oval, reported


def parse(tmp_path: pathlib.Path, text: str) -> ParsedResults:
    path = tmp_path / "result.xml"
    path.write_text(text, encoding="utf-8")
    return parse_file(str(path))


def test_texts_of_a_rule(tmp_path: pathlib.Path) -> None:
    parsed = parse(tmp_path, arf(reported(answer("r1", "fail") + answer("r2", "notselected"))))
    assert parsed.results.rules == [
        RuleResult(
            id="r1",
            result="fail",
            severity="high",
            title="Title of one",
            description="Set seven in:\n\n- first\n- second\nThen\nrun\na  b\nc",
            rationale="Because <b> of it.",
            fix='v="seven"\nset  it',
            idents=["CCE-1-1"],
        )
    ]
    assert parsed.rule_results == [("r1", "fail"), ("r2", "notselected")]
    assert (parsed.profile, parsed.benchmark_href, parsed.target, parsed.platforms) == (
        "p",
        "b.xml",
        "host",
        ["cpe:/o:x:y:1"],
    )
    assert (parsed.started_at, parsed.ended_at) == ("2026-01-02T05:04:00", "2026-01-02T03:04:05Z")
    assert parsed.tool_version == "4.2"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize(
    ("given", "severity"),
    [("low", "low"), ("info", "low"), ("unknown", "unknown"), ("", "unknown"), ("high", "high"), ("weird", "unknown")],
)
def test_severity(tmp_path: pathlib.Path, version: str, given: str, severity: str) -> None:
    more = f' severity="{given}"' if given else ""
    parsed = parse(tmp_path, reported(answer("r9", "fail", more), version))
    assert parsed.results.rules[0].severity == severity


def test_an_unknown_severity_falls_back_to_the_rule(tmp_path: pathlib.Path) -> None:
    assert (
        parse(tmp_path, arf(reported(answer("r1", "pass", ' severity="unknown"')))).results.rules[0].severity == "high"
    )


def test_a_rule_answered_twice_stands_there_twice(tmp_path: pathlib.Path) -> None:
    parsed = parse(tmp_path, reported(answer("r1", "fail") + answer("r1", "pass")))
    assert [rule.result for rule in parsed.results.rules] == ["fail", "pass"]
    assert parsed.results.rule_counts["fail"] == 1


@pytest.mark.parametrize(
    ("result", "override", "answered"),
    [("pass", "pass", "pass"), ("fail", "pass", "fail"), ("pass", "fail", "fail"), ("pass", "error", "error")],
)
def test_an_override_that_contradicts_never_makes_it_milder(
    tmp_path: pathlib.Path, result: str, override: str, answered: str
) -> None:
    body = (
        f'<rule-result idref="r1"><override authority="me"><old-result>fail</old-result>'
        f"<new-result>{override}</new-result></override><result>{result}</result></rule-result>"
    )
    assert parse(tmp_path, reported(body)).results.rules[0].result == answered


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (reported(""), "answers no rule"),
        (reported('<rule-result idref="r1"/>'), "no result"),
        (reported("<rule-result><result>pass</result></rule-result>"), "names no rule"),
        (reported(answer("r1", "passed")), "'passed' is no result"),
        (reported('<rule-result idref="r"><result>pass</result><result>fail</result></rule-result>'), "two results"),
        (arf(reported(answer("a", "fail")) + reported(answer("a", "pass"))), "second TestResult"),
        (arf(""), "no XCCDF TestResult"),
        (f"<Benchmark xmlns='http://checklists.nist.gov/xccdf/1.2'><x>{reported('')}</x></Benchmark>", "no XCCDF"),
        (reported(answer("r1", "pass"), version="1.3"), "root element is 'TestResult'"),
        ("<TestResult/>", "root element"),
        (oval(""), "no result of any definition"),
        (oval(evaluated("d1", "maybe")), "'maybe' is no result"),
        (oval(evaluated("d1", "true")), "class is nowhere"),
        (oval(evaluated("d1", "true"), defined("d1") + defined("d1")), "defined twice"),
        (oval(evaluated("", "true")), "names no definition"),
        (oval(evaluated("d1", "true", evaluated("d2", "false")), defined("d1")), "inside of another"),
    ],
)
def test_what_answers_nothing_is_an_error(tmp_path: pathlib.Path, document: str, message: str) -> None:
    with pytest.raises(ScapError, match=message) as raised:
        parse(tmp_path, document)
    assert raised.value.code == "results_malformed"
    assert "result.xml" in raised.value.message


def test_a_test_result_inside_the_content_is_not_the_report(tmp_path: pathlib.Path) -> None:
    planted = reported(answer("r1", "pass"))
    parsed = parse(tmp_path, arf(reported(answer("r1", "fail")), rules=planted))
    assert [rule.result for rule in parsed.results.rules] == ["fail"]


def test_packages_of_a_true_definition(tmp_path: pathlib.Path) -> None:
    metadata = (
        "<d:title>USN-1 (x)</d:title><d:reference source='CVE' ref_id='CVE-2026-0001'/>"
        "<d:advisory><d:severity>{}</d:severity><d:cve impact='low'>CVE-2026-0002</d:cve></d:advisory>"
    )
    rest = (
        "<d:tests><l:rpminfo_test id='t1'><l:object object_ref='o1'/><l:state state_ref='s1'/></l:rpminfo_test>"
        "<l:rpminfo_test id='t2'><l:object object_ref='o2'/><l:state state_ref='s1'/></l:rpminfo_test>"
        "<l:rpminfo_test id='t3'><l:object object_ref='o3'/></l:rpminfo_test></d:tests>"
        "<d:objects><l:rpminfo_object id='o1'><l:name>bash</l:name></l:rpminfo_object>"
        "<l:rpminfo_object id='o2'><l:name>zsh</l:name></l:rpminfo_object>"
        "<l:rpminfo_object id='o3'><l:name>dash</l:name></l:rpminfo_object></d:objects>"
        "<d:states><l:rpminfo_state id='s1'><l:evr operation='less than'>0:5-1</l:evr></l:rpminfo_state></d:states>"
    )
    one = "<criterion test_ref='{}' result='{}'/>"
    criteria = (
        "<criteria result='true'>"
        + one.format("t1", "true")
        + one.format("t2", "false")
        + one.format("t3", "true")
        + "<criteria result='false'>"
        + one.format("t2", "true")
        + "</criteria>"
        + "<criterion test_ref='t2' negate='true' result='true'/></criteria>"
    )
    parsed = parse(
        tmp_path,
        oval(
            evaluated("d1", "true", criteria)
            + evaluated("d2", "true", f"<criteria result='true'>{one.format('t3', 'true')}</criteria>")
            + evaluated("d3", "true")
            + evaluated("d4", "unknown")
            + evaluated("d5", "error")
            + evaluated("d6", "not evaluated")
            + evaluated("d7", "not applicable"),
            defined("d1", "patch", metadata.format("Important"))
            + defined("d2", "vulnerability", metadata.format("Untriaged"))
            + defined("d3", "inventory"),
            rest,
        ),
    )
    first, second = parsed.results.vulnerabilities
    assert first == Vulnerability(
        "d1", "high", "USN-1 (x)", ["CVE-2026-0001", "CVE-2026-0002"], ["bash"], ["0:5-1"], ""
    )
    assert (second.severity, second.packages, second.fixed_in) == ("low", ["dash"], [""])
    assert parsed.results.undecided == ["d4", "d5"]
    assert parsed.results.definition_counts == {
        "true": 3, "false": 0, "error": 1, "unknown": 1, "not evaluated": 1, "not applicable": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("Critical", "critical"),
        ("IMPORTANT", "high"),
        ("Moderate", "medium"),
        ("negligible", "low"),
        ("odd", "unknown"),
    ],
)
def test_vendors_severities(tmp_path: pathlib.Path, word: str, severity: str) -> None:
    metadata = f"<d:advisory><d:severity> {word}\n</d:severity></d:advisory>"
    parsed = parse(tmp_path, oval(evaluated("d1", "true"), defined("d1", "patch", metadata)))
    assert [entry.severity for entry in parsed.results.vulnerabilities] == [severity]


def test_merge() -> None:
    found = Vulnerability("d1", "high", "one")
    other = Vulnerability("d1", "low", "two")
    rule = RuleResult("r1", "fail", "high")
    merged = merge(
        [
            Results([rule], {"fail": 1}, [], {}, [], "p", "b", "2026-01-02T00:00:00Z"),
            Results([], {}, [found], {"true": 1}, ["d2"], generated_at="2026-01-01T00:00:00Z"),
            Results([], {}, [found, other], {"true": 2}, ["d2", "d3"]),
        ]
    )
    assert merged == Results(
        [rule], {"fail": 1}, [found, other], {"true": 3}, ["d2", "d3"], "p", "b", "2026-01-01T00:00:00Z"
    )
    assert merge([]) == Results()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("a\x1b[31mred\x1b]0;title\x07", "a[31mred]0;title"),
        ("c1\x9b31m", "c131m"),
        ("user\u202etxt.exe\u2066", "usertxt.exe"),
        ("zero\u200bwidth\ufeff \udc80", "zerowidth"),
        ("two\r\nlines\u2028three\tx", "two\nlines\nthree\tx"),
        ("123456789012345678901", "1234567890123456789…"),
        ("naïve 漢字 🙂", "naïve 漢字 🙂"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text, 20) == cleaned
