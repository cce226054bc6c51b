#!/usr/bin/python
# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scap_result
short_description: Judge scan results by a policy
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - Judges the latest evidence of each image that M(scap.images.image_scan) left in O(dir), and writes
    C(verdicts.jsonl) there.
  - Or judges one result file that any scanner wrote, O(path).
  - A verdict is C(compliant) only where the scan is proven. Results without a proof of coverage (O(path)) are
    C(non_compliant) or
    C(error), never C(compliant).
options:
  dir:
    description:
      - The folder that M(scap.images.image_scan) worked in. Exactly one of O(dir) and O(path) is needed.
    type: path
  path:
    description:
      - An ARF, an XCCDF result or OVAL results, plain or compressed by gzip, bzip2 or xz.
    type: path
  policy:
    description:
      - What is tolerated. The default policy tolerates no failed rule and no finding of severity critical or high.
      - A mapping with C(name), and C(rules) and C(vulnerabilities), which map severities (C(critical), C(high),
        C(medium), C(low),
        C(unknown)) to the number of findings that are tolerated. A severity that is not named may have any number.
    type: dict
attributes:
  check_mode:
    description: Judges, and writes nothing.
    support: full
  diff_mode:
    description: Shows the images whose state changed.
    support: full
  idempotent:
    description: Judging the same evidence by the same policy changes nothing but the time of judgement.
    support: full
  platform:
    description: Runs wherever the files are.
    platforms: posix
    support: full
requirements:
  - python >= 3.9
seealso:
  - module: scap.images.image_scan
  - module: scap.images.scap_report
"""

EXAMPLES = r"""
- name: Judge everything that was scanned
  scap.images.scap_result:
    dir: ./scap-images
  register: judged

- name: Tolerate three high findings of the compliance profile
  scap.images.scap_result:
    dir: ./scap-images
    policy:
      name: migration
      rules: {critical: 0, high: 3}
      vulnerabilities: {critical: 0, high: 0}

- name: Judge a result that another tool wrote
  scap.images.scap_result:
    path: /tmp/arf.xml.bz2
"""

RETURN = r"""
verdicts:
  description: The verdicts; left out where there are more than 100, they stand in C(verdicts.jsonl) then.
  returned: always
  type: list
  elements: dict
  sample:
    - image:
        reference: docker://registry.example.org/shop/web:1.4
        digest: sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc
        platform: linux/amd64
        os: debian 11
      state: compliant
summary:
  description: Number of images in each state, and of findings of each severity.
  returned: always
  type: dict
  sample:
    compliant: 1
    non_compliant: 0
    error: 0
    not_applicable: 0
    stale: 0
    images: 1
    severity: {critical: 0, high: 0, medium: 2, low: 1, unknown: 0}
"""

import dataclasses
import datetime
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.files import write_jsonl
from ..module_utils.model import (
    SEVERITIES,
    STATES,
    Evidence,
    J,
    OperatingSystem,
    RecordError,
    ScanInfo,
    ScapError,
    Verdict,
    now,
    to_json,
)
from ..module_utils.policy.judge import judge
from ..module_utils.policy.policy import DEFAULT, Policy, parse
from ..module_utils.results import parse_file
from ..module_utils.store import VERDICTS, evidences, results_of, verdicts

MAX_INLINE = 100


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "dir": {"type": "path"},
            "path": {"type": "path"},
            "policy": {"type": "dict"},
        },
        mutually_exclusive=[("dir", "path")],
        required_one_of=[("dir", "path")],
        supports_check_mode=True,
    )
    params = module.params
    try:
        policy = DEFAULT if params["policy"] is None else parse(params["policy"], "policy")
        if params["path"] is not None:
            found = _judge_file(params["path"], policy)
            module.exit_json(changed=False, verdicts=[to_json(found)], summary=summarise([found]))
        module.exit_json(**_judge_folder(params["dir"], policy, module.check_mode))
    except (ScapError, RecordError) as error:
        module.fail_json(msg=str(error))


def _judge_file(path: str, policy: Policy) -> Verdict:
    """The verdict on a result of another tool: nothing proves its coverage."""
    results = parse_file(path).results
    evidence = Evidence(
        reference=os.path.basename(path),
        digest="",
        platform="",
        os=OperatingSystem(),
        scan=ScanInfo("file", "", "", 0.0),
        scanned_at=results.generated_at or now(),
    )
    return judge(evidence, results, policy, datetime.datetime.now(datetime.timezone.utc))


def _judge_folder(folder: str, policy: Policy, check_mode: bool) -> J:
    moment = datetime.datetime.now(datetime.timezone.utc)
    path = os.path.join(folder, VERDICTS)
    before = {_key(verdict): verdict.state for verdict in verdicts(folder)} if os.path.exists(path) else {}
    states: dict[str, str] = {}
    inline: list[J] = []
    summary = summarise([])

    def rows() -> t.Iterator[J]:
        for evidence, place in evidences(folder):
            verdict = judge(evidence, results_of(folder, place, evidence), policy, moment)
            verdict = dataclasses.replace(verdict, evidence=place)
            states[_key(verdict)] = verdict.state
            _count(summary, verdict)
            row = to_json(verdict)
            if len(inline) <= MAX_INLINE:
                inline.append(row)
            yield row

    if not os.path.isdir(folder):
        raise ScapError("dir_missing", f"{folder}: there is no such folder; scan images into it first")
    if check_mode:
        for _unused in rows():
            pass
    else:
        write_jsonl(path, rows())
    return {
        "changed": states != before,
        "verdicts": inline if len(inline) <= MAX_INLINE else [],
        "summary": summary,
        "diff": {"before": _lines(before, states), "after": _lines(states, before)},
    }


def _key(verdict: Verdict) -> str:
    return f"{verdict.image.reference} {verdict.image.digest}"


def _lines(states: t.Mapping[str, str], others: t.Mapping[str, str]) -> str:
    return "".join(f"{key}: {state}\n" for key, state in sorted(states.items()) if others.get(key) != state)


def summarise(found: t.Sequence[Verdict]) -> J:
    """Numbers by state and severity."""
    summary: J = dict.fromkeys(STATES, 0)
    summary.update(images=0, severity=dict.fromkeys(SEVERITIES, 0))
    for verdict in found:
        _count(summary, verdict)
    return summary


def _count(summary: J, verdict: Verdict) -> None:
    summary["images"] += 1
    summary[verdict.state] += 1
    for severity, number in verdict.severity.items():
        summary["severity"][severity] += number


if __name__ == "__main__":
    main()
