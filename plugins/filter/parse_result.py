# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parser of results as a filter."""

from __future__ import annotations

DOCUMENTATION = r"""
name: parse_result
short_description: Read an ARF, XCCDF or OVAL result
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - The compact record of one result file on the control node.
options:
  _input:
    description:
      - Path of an ARF, XCCDF or OVAL result, plain or compressed with gzip, bzip2 or xz.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: What failed in a result of the compliance operator
  ansible.builtin.debug:
    msg: "{{ found.rules | selectattr('result', 'equalto', 'fail') | map(attribute='title') }}"
  vars:
    found: "{{ '/tmp/xccdf-result.xml.bz2' | scap.images.parse_result }}"
"""

RETURN = r"""
_value:
  description: The record, with C(rules), C(rule_counts), C(vulnerabilities), C(definition_counts) and C(undecided).
  type: dict
"""

import os
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.scap.images.plugins.module_utils.model import J, RecordError, ScapError, to_json
from ansible_collections.scap.images.plugins.module_utils.results import parse_file


def parse_result(path: str) -> J:
    """The record as plain values."""
    try:
        return to_json(parse_file(os.path.expanduser(path)).results)
    except (ScapError, RecordError) as error:
        raise AnsibleFilterError(f"scap.images.parse_result: {error}") from error


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"parse_result": parse_result}
