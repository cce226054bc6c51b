#!/usr/bin/python
# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scap_result
short_description: Judge the results of OpenSCAP under a policy
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - Reads what M(scap.images.image_scan) left in O(dir), judges the latest evidence of each image under the policies
    that select it, and writes one verdict an image to C(verdicts.jsonl) in O(dir).
  - A verdict is V(compliant) only where its coverage is proven and no policy objects. What is not proven is V(error).
  - With O(path), one result that any tool wrote (ARF, XCCDF or OVAL) is judged. It brings no proof of coverage, so it
    can be V(non_compliant) or V(error), but never V(compliant).
options:
  dir:
    description:
      - The folder that holds everything a run writes.
      - Exactly one of O(dir) and O(path) is needed.
    type: path
  path:
    description:
      - An ARF, XCCDF or OVAL result file, plain or compressed with gzip, bzip2 or xz. Nothing is written.
    type: path
  reference:
    description:
      - With O(path), the image that the result is about. The result's own name for its target where it is left out.
    type: str
  policy:
    description:
      - YAML files with policies, or policies themselves as mappings. Of the policies that select an image the strictest
        wins.
      - The default policy where it is left out, and for an image that none of them selects. It denies any failed rule,
        and any true OVAL definition of class patch or vulnerability, of high or critical severity.
    type: list
    elements: raw
    default: []
  waivers:
    description:
      - YAML files with waivers.
    type: list
    elements: path
    default: []
  oval:
    description:
      - With O(dir), paths or URLs of OVAL definition files (vulnerability feeds), plain or compressed, that take the
        place of those of the scans. They are evaluated with C(oscap) on what each evidence kept, without the image.
      - An image keeps what it was evaluated by where none of them is for its operating system.
      - Such a verdict says RV(ignore:evaluated=from evidence); it is as old as its scan. An image of which a feed reads
        what its evidence did not keep is V(stale) until it is scanned again.
    type: list
    elements: str
    default: []
  compare:
    description:
      - Policies as in O(policy) that the images are judged under a second time, without consequence.
        RV(compared) says which images would change their state.
    type: list
    elements: raw
extends_documentation_fragment:
  - scap.images.content
attributes:
  check_mode:
    description: Can run in check mode; the verdicts are returned and not written.
    support: full
  diff_mode:
    description: Shows the images whose state or policy changes, one a line.
    support: full
  idempotent:
    description:
      - A verdict that is what it was keeps the time at which it was first reached, and nothing is written again.
      - The age of scans, feeds, fixes and waivers is measured by the clock.
    support: partial
  platform:
    description: Runs wherever the requirements are met.
    platforms: posix
    support: full
requirements:
  - python >= 3.9
  - PyYAML, for O(policy) and O(waivers)
  - jmespath, for policies with conditions
seealso:
  - module: scap.images.image_scan
  - module: scap.images.scap_report
"""

EXAMPLES = r"""
- name: Judge what was scanned
  scap.images.scap_result:
    dir: ./scap-images
    policy: [policies/production.yml]
    waivers: [waivers.yml]
  register: judged

- name: Stop unless every image is compliant
  ansible.builtin.assert:
    that: judged.summary.compliant == judged.summary.images

- name: Judge what was scanned by a feed of today, without an image
  scap.images.scap_result:
    dir: ./scap-images
    oval: [https://security.example.org/rhel-8.oval.xml.bz2]

- name: Judge a result that the compliance operator wrote
  scap.images.scap_result:
    path: /tmp/xccdf-result.xml.bz2
    reference: docker://registry.example.org/shop/web:1.4

- name: Which images would a stricter policy stop
  scap.images.scap_result:
    dir: ./scap-images
    policy: [policies/production.yml]
    compare: [policies/next-year.yml]
  check_mode: true
"""

RETURN = r"""
verdicts:
  description: The verdicts, the strictest state first; left out where there are more than 100.
  returned: always
  type: list
  elements: dict
  sample:
    - image:
        reference: docker://registry.example.org/shop/web:1.4
        digest: sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc
        platform: linux/amd64
        os: debian 11
      state: non_compliant
      reasons:
        - code: failed_rules
          message: "1 failed rules of high severity, 0 allowed: package_telnetd_removed"
      severity: {critical: 0, high: 1, medium: 3, low: 0, unknown: 0}
      scanned_at: "2026-11-20T10:00:00Z"
      judged_at: "2026-11-20T10:00:05Z"
      policy:
        name: default
        sha256: 5f0c51a8dbf3a9b2b4b26a8e42cb5ae8e0b3f0d0c95b7b4e11c1d2e5c4a3f201
verdicts_file:
  description: The file that holds all of them.
  returned: with O(dir)
  type: str
  sample: /srv/scap-images/verdicts.jsonl
compared:
  description: The images whose state would be another under O(compare).
  returned: with O(compare)
  type: list
  elements: dict
  sample:
    - reference: docker://registry.example.org/shop/web:1.4
      digest: sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc
      before: compliant
      after: non_compliant
      policy: next-year
      reasons: ["failed_rules: 3 failed rules of medium severity, 0 allowed: a, b, c"]
from_evidence:
  description: What became of the images under O(oval), by number; evaluated on their evidence, unchanged since these
    very feeds were evaluated, due for a new scan, skipped because there is no evidence of a scan or none of the feeds
    is for their operating system.
  returned: with O(oval)
  type: dict
  sample:
    evaluated: 998
    unchanged: 0
    due: 1
    skipped: 1
summary:
  description: The number of images, of verdicts by state, and of findings by severity that count.
  returned: always
  type: dict
  sample:
    images: 3
    compliant: 1
    non_compliant: 1
    error: 1
    not_applicable: 0
    stale: 0
    severity: {critical: 0, high: 1, medium: 3, low: 0, unknown: 0}
    waived: 0
"""

import dataclasses
import os
import sys

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.content.feeds import OPTIONS, Contents, Terms
from ..module_utils.model import J, RecordError, ScapError
from ..module_utils.policy.run import Judged, compare, judge_file, judge_folder, load_grounds
from ..module_utils.reader import end_with_reader
from ..module_utils.scan.again import Again, judge_again

MAX_INLINE = 100


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            "dir": {"type": "path"},
            "path": {"type": "path"},
            "reference": {"type": "str"},
            "policy": {"type": "list", "elements": "raw", "default": []},
            "waivers": {"type": "list", "elements": "path", "default": []},
            "oval": {"type": "list", "elements": "str", "default": []},
            "compare": {"type": "list", "elements": "raw"},
        },
        mutually_exclusive=[("dir", "path")],
        required_one_of=[("dir", "path")],
        required_by={"reference": "path", "compare": "dir"},
        supports_check_mode=True,
    )
    try:
        end_with_reader()
        answer = run(module.params, module.check_mode)
        for warning in answer.pop("content_warnings", []):
            module.warn(warning)
        module.exit_json(**answer)
    except (ScapError, RecordError) as error:
        module.fail_json(msg=str(error))


def run(params: J, check_mode: bool) -> J:
    """What the module returns; raises ScapError or RecordError where nothing can be judged."""
    grounds = load_grounds(params["policy"], params["waivers"])
    if params["path"]:
        return _answer(judge_file(params["path"], params["reference"] or "", grounds))
    folder = os.path.abspath(params["dir"])
    if check_mode and not os.path.isdir(folder):
        return {**_answer(Judged()), "verdicts_file": os.path.join(folder, "verdicts.jsonl")}
    again, contents = None, None
    if params["oval"] and not check_mode:
        contents = Contents(Terms.of(params, os.path.join(folder, "content")))
        feeds = [contents.path(source) for source in params["oval"]]
        again = judge_again(Again(folder, feeds, sys.executable))
    judged = judge_folder(folder, grounds, write=not check_mode, keep=MAX_INLINE)
    answer = {**_answer(judged), "verdicts_file": os.path.join(folder, "verdicts.jsonl")}
    if again is not None and contents is not None:
        answer.update(from_evidence=dataclasses.asdict(again), content_warnings=contents.warnings)
    if params["compare"] is not None:
        answer["compared"] = compare(folder, grounds, load_grounds(params["compare"], params["waivers"]))
    return answer


def _answer(judged: Judged) -> J:
    return {
        "changed": judged.changed,
        "verdicts": judged.verdicts,
        "summary": judged.summary,
        "diff": {"before": judged.before, "after": judged.after},
    }


if __name__ == "__main__":
    main()
