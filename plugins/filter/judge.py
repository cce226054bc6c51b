# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge as a filter."""

from __future__ import annotations

DOCUMENTATION = r"""
name: judge
short_description: Judge an evidence under policies
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - The verdict on one evidence and its results, without a file being read or written.
  - It is the backend of M(scap.images.scap_result). The strictest of the policies that apply decides.
positional: _input, results
options:
  _input:
    description:
      - An evidence, the content of an C(evidence.json).
    type: dict
    required: true
  results:
    description:
      - Its results, the content of a C(results.json.gz); none where there are none.
    type: dict
  policies:
    description:
      - Policies as their files hold them. The default policy where there are none.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: The state of one stored evidence under the default policy
  ansible.builtin.debug:
    msg: "{{ (evidence | scap.images.judge(results)).state }}"
  vars:
    evidence: "{{ lookup('ansible.builtin.file', folder ~ '/evidence.json') | from_json }}"
    results: "{{ lookup('ansible.builtin.file', 'results.json') | from_json }}"
"""

RETURN = r"""
_value:
  description: The verdict.
  type: dict
"""

import datetime
import json
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.scap.images.plugins.module_utils.model import (
    Evidence,
    J,
    RecordError,
    Results,
    ScapError,
    to_json,
)
from ansible_collections.scap.images.plugins.module_utils.policy import judge_strictest, parse_policies


def judge(evidence: J, results: J | None = None, policies: t.Sequence[J] = ()) -> J:
    """The verdict as plain values."""
    try:
        found = [policy for entry in policies for policy in parse_policies(json.dumps(entry))]
        record = None if results is None else Results.from_json(results)
        now = datetime.datetime.now(datetime.timezone.utc)
        return to_json(judge_strictest(Evidence.from_json(evidence), record, found, [], now))
    except (ScapError, RecordError, TypeError) as error:
        raise AnsibleFilterError(f"scap.images.judge: {error}") from error


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"judge": judge}
