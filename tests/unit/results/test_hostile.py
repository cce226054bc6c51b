# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile and damaged result files: refused with a ScapError that names the file, or read within bounds."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.results import Limits, parse_file
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .documents import answer, arf, defined, evaluated, oval, reported

GOOD = arf(reported(answer("r1", "fail") + answer("r2", "pass")))
OVAL = oval(evaluated("d1", "true", "<criteria result='true'/>"), defined("d1"))
PACKERS: list[t.Callable[[bytes], bytes]] = [gzip.compress, bz2.compress, lzma.compress]


def refused(tmp_path: pathlib.Path, data: bytes, limits: Limits | None = None) -> str:
    path = tmp_path / "hostile.xml"
    path.write_bytes(data)
    with pytest.raises(ScapError, match=r"hostile\.xml") as raised:
        parse_file(str(path), limits=limits or Limits())
    return raised.value.code


@pytest.mark.parametrize(
    "declaration",
    [
        "<!DOCTYPE a>",
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]>",
        "<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://127.0.0.1:9/'> %p;]>",
    ],
)
def test_document_types_and_entities(tmp_path: pathlib.Path, declaration: str) -> None:
    assert refused(tmp_path, (declaration + reported(answer("r1", "pass"))).encode()) == "results_forbidden"


@pytest.mark.parametrize(
    "document",
    [
        reported(answer("&x;", "pass")),
        reported("<a>" * 10_000 + "</a>" * 10_000 + answer("r1", "pass")),
        reported(answer("r" * 3_000_000, "pass")),
        reported("<!--" + "c" * 3_000_000 + "-->" + answer("r1", "pass")),
        reported("".join(f"<n{number}/>" for number in range(20_000)) + answer("r1", "pass")),
        "",
        "\x00\x00",
        "not XML",
        GOOD + GOOD,
    ],
    ids=["entity", "depth", "attribute", "comment", "names", "empty", "zero", "text", "twice"],
)
def test_malformed(tmp_path: pathlib.Path, document: str) -> None:
    assert refused(tmp_path, document.encode()) == "results_malformed"


def test_encodings(tmp_path: pathlib.Path) -> None:
    assert refused(tmp_path, GOOD.replace("UTF-8", "UTF-16").encode("utf-16")) == "results_malformed"
    assert refused(tmp_path, GOOD.replace("UTF-8", "utf-7").encode("utf-7")) == "results_malformed"
    path = tmp_path / "latin.xml"
    path.write_bytes(GOOD.replace("\u202e", "\u00e9").replace("UTF-8", "ISO-8859-1").encode("iso-8859-1"))
    assert parse_file(str(path)).results.rules[0].rationale == "Because <b> ofé it."


@pytest.mark.parametrize("document", [GOOD, OVAL], ids=["arf", "oval"])
def test_cut_short_at_every_place(tmp_path: pathlib.Path, document: str) -> None:
    data = document.encode()
    for end in range(0, len(data) - 1, 23):
        assert refused(tmp_path, data[:end]) == "results_malformed"


@pytest.mark.parametrize("pack", PACKERS, ids=["gzip", "bzip2", "xz"])
def test_compression(tmp_path: pathlib.Path, pack: t.Callable[[bytes], bytes]) -> None:
    path = tmp_path / "plain-name"
    whole = GOOD.encode()
    for data in (pack(whole), pack(whole[:100]) + pack(whole[100:])):
        path.write_bytes(data)
        assert [rule.result for rule in parse_file(str(path)).results.rules] == ["fail", "pass"]
    packed = pack(whole)
    for end in range(8, len(packed), 97):
        assert refused(tmp_path, packed[:end]) == "results_damaged"
    assert refused(tmp_path, packed + b"trailing") == "results_damaged"
    bomb = reported("").encode()[:-13] + b" " * (4 << 20)
    assert refused(tmp_path, pack(bomb), Limits(ratio_from=1 << 20)) == "results_too_large"
    assert refused(tmp_path, pack(whole), Limits(bytes=1000)) == "results_too_large"


def test_limits(tmp_path: pathlib.Path) -> None:
    assert refused(tmp_path, GOOD.encode(), Limits(packed_bytes=100)) == "results_too_large"
    assert refused(tmp_path, GOOD.encode(), Limits(entries=1)) == "results_too_large"
    assert refused(tmp_path, GOOD.encode(), Limits(seconds=0)) == "results_too_slow"


def test_what_is_no_file(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("missing", "fifo", ".", "nul\x00"):
        with pytest.raises(ScapError) as raised:
            parse_file(str(tmp_path / name))
        assert raised.value.code == "file_unreadable"


PIECES = st.sampled_from([
    "<rule-result idref='r1'>", "</rule-result>", "<result>", "</result>", "pass", "fail", "<override>", "</override>",
    "<new-result>", "</new-result>", "<set-value idref='v1'>", "</set-value>", "<Rule id='r1'>", "</Rule>", "&#x9b;",
    "<Benchmark id='b'>", "</Benchmark>", "<TestResult>", "</TestResult>", "<fact name='n'>", "</fact>", "<ident/>",
    answer("r1", "fail"), answer("r3", "error"), "<title>t</title>", "<platform idref='x'/>", "<message/>",
])  # fmt: skip
OVAL_PIECES = st.sampled_from([
    "<definition definition_id='d1' result='true'>", "</definition>", "<criteria result='true'>", "</criteria>",
    "<criterion test_ref='t1' result='true'/>", "<test test_id='t1' result='true'>", "</test>",
    "<tested_item item_id='i' result='true'/>", "<d:definition id='d1' class='patch'>", "</d:definition>",
    "<l:rpminfo_test id='t1'>", "</l:rpminfo_test>", "<l:state state_ref='s'/>", "<l:rpminfo_state id='s'>",
    "</l:rpminfo_state>", "<s:rpminfo_item id='i'>", "</s:rpminfo_item>", "<s:name>bash</s:name>",
    evaluated("d2", "true"), evaluated("d3", "unknown"), defined("d2"), "<system/>",
])  # fmt: skip
QUICK = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUICK
@given(st.lists(PIECES, max_size=12), st.lists(OVAL_PIECES, max_size=12))
def test_any_order_of_elements(tmp_path: pathlib.Path, pieces: list[str], oval_pieces: list[str]) -> None:
    """Records, or a ScapError; and no failed rule and no true definition is ever lost."""
    path = tmp_path / "any.xml"
    for text in (arf(reported("".join(pieces))), oval("".join(oval_pieces))):
        path.write_text(text)
        try:
            parsed = parse_file(str(path))
        except ScapError:
            continue
        fails = sum(result == "fail" for _rule, result in parsed.rule_results)
        assert fails == parsed.results.rule_counts.get("fail", 0)
        assert fails == sum(rule.result == "fail" for rule in parsed.results.rules)
        true = {name for name, result in parsed.definitions if result == "true"}
        assert true == {entry.id for entry in parsed.results.vulnerabilities}


@QUICK
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8), st.sampled_from([GOOD, OVAL]))
@example(0, b"\xff\xfe", GOOD)
def test_damaged_bytes(tmp_path: pathlib.Path, place: int, damage: bytes, document: str) -> None:
    path = tmp_path / "damaged.xml"
    data = document.encode()
    place %= len(data)
    path.write_bytes(data[:place] + damage + data[place + len(damage) :])
    try:
        parsed = parse_file(str(path))
    except ScapError:
        return
    assert parsed.rule_results or parsed.definitions


def test_what_fuzzing_found(tmp_path: pathlib.Path) -> None:
    """Every file of the corpus ends in records or in a ScapError."""
    corpus = sorted((pathlib.Path(__file__).parents[2] / "fuzz" / "results").iterdir())
    assert corpus
    for path in corpus:
        try:
            parsed = parse_file(str(path))
        except ScapError:
            continue
        assert parsed.rule_results or parsed.definitions


def test_memory_of_a_hostile_file(tmp_path: pathlib.Path) -> None:
    """15 MB of definitions, none of them a finding: read or refused within bounds."""
    path = tmp_path / "big.xml"
    with path.open("w") as stream:
        head, tail = oval("@").split("@")
        stream.write(head)
        for number in range(40_000):
            criteria = "<criteria result='false'>" + " " * 250 + "</criteria>"
            stream.write(evaluated(f"oval:x:def:{number}", "false", criteria))
        stream.write(tail)
    program = (
        "import resource, sys; from ansible_collections.scap.images.plugins.module_utils.results import parse_file;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; parsed = parse_file(sys.argv[1]);"
        "print(len(parsed.definitions), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    count, grown = map(int, done.stdout.split())
    assert count == 40_000
    assert grown < 60 << 10
