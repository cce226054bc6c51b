# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging what lies on disk: the latest evidence, checksums, damage, what is written and what is said of it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import Reason, ScapError
from ansible_collections.scap.images.plugins.module_utils.policy.run import (
    compare,
    judge_file,
    judge_folder,
    load_grounds,
)
from ansible_collections.scap.images.plugins.modules import scap_result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import shared_data
from tests.support.fleet import evidence, many, results, rule, store

PARAMS: dict[str, t.Any] = {
    "dir": None, "path": None, "reference": None, "policy": [], "waivers": [], "oval": [], "compare": None,
}  # fmt: skip


def run(root: pathlib.Path, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    return scap_result.run({**PARAMS, "dir": str(root), **changes}, check_mode)


def states(answer: dict[str, t.Any]) -> list[str]:
    return [verdict["state"] for verdict in answer["verdicts"]]


def test_a_second_time_nothing_changes(tmp_path: pathlib.Path) -> None:
    store(tmp_path, evidence("web"), results(rule("telnet")))
    store(tmp_path, evidence("db"), results())
    checked = run(tmp_path, check_mode=True)
    assert (checked["changed"], (tmp_path / "verdicts.jsonl").exists()) == (True, False)
    first = run(tmp_path)
    assert (first["changed"], states(first)) == (True, ["non_compliant", "compliant"])
    assert first["diff"]["after"].count("\n") == 2
    before = (tmp_path / "verdicts.jsonl").read_bytes()
    second = run(tmp_path)
    assert (second["changed"], second["diff"]) == (False, {"before": "", "after": ""})
    assert (tmp_path / "verdicts.jsonl").read_bytes() == before
    store(tmp_path, evidence("db", scanned_at="2026-11-23T10:00:00Z"), results(rule("telnet")), "ffffffffffff")
    third = run(tmp_path)
    assert "db:1: compliant (default)\n" in third["diff"]["before"]
    assert "db:1: non_compliant (default)\n" in third["diff"]["after"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_latest_evidence_counts_also_where_it_is_an_error(tmp_path: pathlib.Path) -> None:
    store(tmp_path, evidence(scanned_at="2026-11-20T00:00:00Z"), results(rule("telnet")), "000000000000")
    store(tmp_path, evidence(scanned_at="2026-11-21T00:00:00Z"), results(), "111111111111")
    assert states(run(tmp_path)) == ["compliant"]
    failed = evidence(scanned_at="2026-11-22T00:00:00Z", error=Reason("registry_down", "no answer"))
    store(tmp_path, failed, None, "111111111111-error")
    assert states(run(tmp_path)) == ["error"]


def test_an_image_whose_digest_is_not_known(tmp_path: pathlib.Path) -> None:
    store(tmp_path, evidence("gone", digest="", error=Reason("image_unknown", "there is none")), None)
    answer = run(tmp_path)
    assert states(answer) == ["error"]
    assert answer["verdicts"][0]["evidence"].startswith("evidence/")


@pytest.mark.parametrize("name", ["evidence.json", "results.json.gz"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1), kind=st.sampled_from(["flip", "cut", "empty", "gone", "swap"]), bit=st.integers(0, 7))
def test_no_damage_on_disk_makes_a_verdict_compliant(
    tmp_path: pathlib.Path, name: str, where: float, kind: str, bit: int
) -> None:
    folder = store(tmp_path, evidence(), results(rule("telnet"), rule("nis")))
    path = folder / name
    data = bytearray(path.read_bytes())
    place = min(int(where * len(data)), len(data) - 1)
    if kind == "flip":
        data[place] ^= 1 << bit
    elif kind == "cut":
        del data[place:]
    elif kind == "empty":
        data.clear()
    elif kind == "swap":
        data = bytearray((store(tmp_path / "other", evidence(), results()) / name).read_bytes())
    path.write_bytes(data)
    if kind == "gone":
        path.unlink()
    (verdict,) = run(tmp_path)["verdicts"]
    assert verdict["state"] in ("error", "non_compliant") or (name, kind) == ("evidence.json", "flip")
    assert verdict["state"] != "compliant"


def test_damage_names_the_file_and_the_others_go_on(tmp_path: pathlib.Path) -> None:
    (store(tmp_path, evidence("web"), results()) / "evidence.json").write_text('{"reference": 5}')
    store(tmp_path, evidence("db"), results())
    answer = run(tmp_path)
    assert states(answer) == ["error", "compliant"]
    reason = answer["verdicts"][0]["reasons"][0]
    assert reason["code"] == "evidence_damaged"
    assert "scan again" in reason["message"]
    moved = tmp_path / "evidence" / ("0" * 64)
    moved.mkdir()
    (tmp_path / "evidence" / evidence("db").digest[7:] / "0123456789ab").rename(moved / "0123456789ab")
    assert states(run(tmp_path)) == ["error", "error"]


def test_nothing_to_judge(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ScapError, match="there is no such folder"):
        run(tmp_path / "absent")
    assert run(tmp_path / "absent", check_mode=True)["summary"]["images"] == 0
    assert run(tmp_path)["summary"]["images"] == 0
    (tmp_path / "verdicts.jsonl").write_text("not JSON\n")
    assert run(tmp_path)["changed"] is True


def test_many_verdicts_are_left_to_the_file(tmp_path: pathlib.Path) -> None:
    many(tmp_path, 101)
    answer = run(tmp_path)
    assert answer["verdicts"] == []
    assert len((tmp_path / "verdicts.jsonl").read_text().splitlines()) == answer["summary"]["images"] == 101


def test_policies_waivers_and_comparison(tmp_path: pathlib.Path) -> None:
    store(tmp_path, evidence("web"), results(rule("telnet"), rule("nis", "fail", "medium")))
    store(tmp_path, evidence("db"), results())
    waivers = tmp_path / "waivers.yml"
    waiver = {"rule": "telnet", "scope": "all", "owner": "o", "reason": "r", "expires": "2999-01-01"}
    waivers.write_text(json.dumps({"waivers": [waiver]}))
    strict = {"name": "strict", "thresholds": {"rules": {"medium": 0}}}
    answer = run(tmp_path, waivers=[str(waivers)], compare=[strict])
    assert states(answer) == ["compliant", "compliant"]
    assert answer["summary"]["waived"] == 1
    (changed,) = answer["compared"]
    assert (changed["before"], changed["after"], changed["policy"]) == ("compliant", "non_compliant", "strict")
    assert run(tmp_path, policy=[strict], waivers=[str(waivers)])["summary"]["non_compliant"] == 1
    other = tmp_path / "other.yml"
    other.write_text(json.dumps({"waivers": [{**waiver, "expires": "2999-02-02"}]}))
    with pytest.raises(ScapError, match="contradicts"):
        load_grounds([], [str(waivers), str(other)])
    with pytest.raises(ScapError, match="in another file"):
        load_grounds([strict, strict], [])


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("compliance-operator-xccdf-result.xml.xz", "non_compliant"),
        ("foreman-arf_report.bz2", "error"),
        ("smart_proxy-oval-results.xml.bz2", "non_compliant"),
    ],
)
def test_results_that_other_tools_wrote(name: str, state: str) -> None:
    judged = judge_file(str(shared_data.path("results", name)), "docker://r/web:1", load_grounds([], []))
    assert judged.verdicts[0]["state"] == state
    assert judged.verdicts[0]["image"]["reference"] == "docker://r/web:1"
    assert judged.verdicts[0]["scan"]["executor"] == "file"


def test_verdicts_are_returned_only_where_they_are_wanted(tmp_path: pathlib.Path) -> None:
    found = dataclasses.replace(evidence("web"))
    store(tmp_path, found, results(rule("telnet")))
    grounds = load_grounds([], [])
    assert judge_folder(str(tmp_path), grounds, write=True, keep=0).verdicts == []
    assert compare(str(tmp_path), grounds, grounds) == []
