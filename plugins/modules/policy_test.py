#!/usr/bin/python
# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: policy_test
short_description: Test policies against stored evidence
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - Judges the evidence in O(dir) under policies and waivers and compares the verdicts with those that the policies'
    author expects, as unit tests do. Fails where one differs.
  - Nothing is written.
options:
  dir:
    description:
      - The folder that holds the evidence, as M(scap.images.image_scan) leaves it.
    type: path
    required: true
  tests:
    description:
      - YAML files with C(tests), a list of mappings. Each names C(image) (a glob over references, or a digest), the
        C(state) that is expected, and may have a C(name), the C(policy) that must have decided, and C(reasons) (codes
        or parts of messages).
      - C(at) beside C(tests) is the time of judgement, so that ages do not change with the day.
    type: list
    elements: path
    required: true
  policy:
    description:
      - YAML files with policies, or policies themselves as mappings.
    type: list
    elements: raw
    default: []
  waivers:
    description:
      - YAML files with waivers.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    description: Nothing is ever changed.
    support: full
  diff_mode:
    description: Nothing is ever changed.
    support: none
  idempotent:
    description: Nothing is ever changed.
    support: full
  platform:
    description: Runs wherever the requirements are met.
    platforms: posix
    support: full
requirements:
  - python >= 3.9
  - PyYAML
  - jmespath, for policies with conditions
seealso:
  - module: scap.images.scap_result
"""

EXAMPLES = r"""
- name: The policies still say what they should
  scap.images.policy_test:
    dir: ./evidence-for-tests
    policy: [policies/production.yml]
    tests: [policies/production.tests.yml]
"""

RETURN = r"""
outcomes:
  description: How each test ended.
  returned: always
  type: list
  elements: dict
  sample:
    - name: telnet is not for production
      passed: true
      detail: ""
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.model import RecordError, ScapError, to_json
from ..module_utils.policy.run import load_grounds
from ..module_utils.policy.trial import run_tests


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "dir": {"type": "path", "required": True},
            "tests": {"type": "list", "elements": "path", "required": True},
            "policy": {"type": "list", "elements": "raw", "default": []},
            "waivers": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        grounds = load_grounds(params["policy"], params["waivers"])
        folder = os.path.abspath(params["dir"])
        outcomes = [outcome for path in params["tests"] for outcome in run_tests(path, folder, grounds)]
    except (ScapError, RecordError) as error:
        module.fail_json(msg=str(error))
    wrong = [outcome.detail for outcome in outcomes if not outcome.passed]
    rows = [to_json(outcome) for outcome in outcomes]
    if wrong:
        summary = f"{len(wrong)} of {len(outcomes)} tests of the policies failed"
        module.fail_json(msg="\n".join([summary, *wrong]), outcomes=rows)
    module.exit_json(changed=False, outcomes=rows)


if __name__ == "__main__":
    main()
