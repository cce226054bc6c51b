#!/usr/bin/python
# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scap_report
short_description: Write pages about judged images
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - Writes C(report/index.html) and a page for each image from the C(verdicts.jsonl) of M(scap.images.scap_result).
  - The pages work offline, need no script, and follow the reader's light or dark setting.
options:
  dir:
    description:
      - The folder that holds everything a run writes.
    type: path
    required: true
  digests:
    description:
      - The images of RV(table); all of them where it is left out. The pages always show all.
    type: list
    elements: str
attributes:
  check_mode:
    description: Writes nothing.
    support: full
  diff_mode:
    description: Pages have no difference that a person could read.
    support: none
  idempotent:
    description: The fleet page carries the time at which it was made.
    support: partial
  platform:
    description: Runs wherever the files are.
    platforms: posix
    support: full
requirements:
  - python >= 3.9
seealso:
  - module: scap.images.scap_result
"""

EXAMPLES = r"""
- name: Write the pages
  scap.images.scap_report:
    dir: ./scap-images
  register: report
"""

RETURN = r"""
index:
  description: Path of the fleet page.
  returned: always
  type: str
  sample: /home/me/scap-images/report/index.html
table:
  description: One line an image for a terminal, with a heading.
  returned: always
  type: list
  elements: str
  sample:
    - image  verdict  high  medium  low  packages  seconds
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.model import RecordError, Results, ScapError, Verdict
from ..module_utils.reporting import fleet_page
from ..module_utils.reporting.write import write_report
from ..module_utils.store import stored_results, verdicts


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "dir": {"type": "path", "required": True},
            "digests": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    folder = os.path.abspath(module.params["dir"])
    wanted = module.params["digests"]
    try:
        if module.check_mode:
            rows = [fleet_page.row(verdict) for verdict in verdicts(folder)]
        else:
            rows = write_report(folder, _with_results(folder))
    except (ScapError, RecordError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{folder}/report cannot be written: {error}; make it writable, or use another dir")
    shown = rows if wanted is None else [row for row in rows if row.digest in wanted or not row.digest]
    module.exit_json(
        changed=not module.check_mode,
        index=os.path.join(folder, "report", "index.html"),
        table=fleet_page.table(shown),
    )


def _with_results(folder: str) -> t.Iterator[tuple[Verdict, t.Optional[Results]]]:
    for verdict in verdicts(folder):
        yield verdict, stored_results(folder, verdict)


if __name__ == "__main__":
    main()
