#!/usr/bin/python
# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scap_report
short_description: Report on judged images
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - Writes the report on the verdicts that M(scap.images.scap_result) left in O(dir).
  - The pages work offline, need no script (but filter with one), print, and follow the reader's light or dark setting.
extends_documentation_fragment:
  - scap.images.kube_auth
options:
  dir:
    description:
      - The folder that holds everything a run writes.
    type: path
    required: true
  formats:
    description:
      - What is written.
      - V(html) is C(index.html), a page for each image in C(images), and one for each of the weightiest findings in
        C(findings).
      - V(csv) is C(findings.csv), V(junit) C(junit.xml), V(sarif) C(results.sarif) (SARIF 2.1.0), V(cyclonedx)
        C(vex.cdx.json) (CycloneDX 1.5 VEX), V(prometheus) C(scap_images.prom) for the node exporter's textfile
        collector, V(gitlab) C(gl-container-scanning-report.json), V(openreports) C(openreports.json) (Report objects of
        openreports.io/v1alpha1, which O(apply) brings into a cluster that has that API).
    type: list
    elements: str
    choices: [csv, cyclonedx, gitlab, html, junit, openreports, prometheus, sarif]
    default: [html]
  dest:
    description:
      - The folder of the report. C(report) in O(dir) where it is left out.
    type: path
  apply:
    description:
      - Make the cluster hold the objects of C(openreports.json), which O(formats) must name, and remove those of an
        earlier report that it no longer has. Objects of others are left alone. The other formats need no cluster.
    type: bool
    default: false
  digests:
    description:
      - The images of RV(table); all of them where it is left out. The report always has all.
    type: list
    elements: str
attributes:
  check_mode:
    description: Can run in check mode; nothing is written.
    support: full
  diff_mode:
    description: Pages have no difference that a person could read.
    support: none
  idempotent:
    description: The report's time is that of the latest verdict; files that would not change are not written.
    support: full
  platform:
    description: Runs wherever the files are.
    platforms: posix
    support: full
requirements:
  - python >= 3.9
  - kubernetes, with O(apply)
seealso:
  - module: scap.images.scap_result
"""

EXAMPLES = r"""
- name: Write the pages
  scap.images.scap_report:
    dir: ./scap-images
  register: report

- name: Say where they are
  ansible.builtin.debug:
    var: report.index
"""

RETURN = r"""
index:
  description: Path of the fleet page, or of the first format's file where that is not among them.
  returned: always
  type: str
  sample: /home/me/scap-images/report/index.html
paths:
  description: The file to open first, by format.
  returned: always
  type: dict
  sample:
    html: /home/me/scap-images/report/index.html
files:
  description: Number of files that were written or removed.
  returned: always
  type: int
  sample: 4
applied:
  description: The objects that O(apply) made, changed or removed. In check mode, where the file of the objects would be
    another one, its name alone.
  returned: with O(apply)
  type: list
  elements: str
  sample:
    - Report shop/scap-images-0
table:
  description: One line an image for a terminal, with a heading; the worst 50.
  returned: always
  type: list
  elements: str
  sample:
    - image  verdict  high  medium  low  packages  seconds
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
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.kube import auth
from ..module_utils.kube.client import connect
from ..module_utils.marking import openreports
from ..module_utils.model import J, RecordError, ScapError
from ..module_utils.reporting.openreports import FILE, OpenReports
from ..module_utils.reporting.run import FORMATS, counts, table, write_reports
from ..module_utils.reporting.summary import Summary
from ..module_utils.store import VERDICTS


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **auth.OPTIONS,
            "dir": {"type": "path", "required": True},
            "apply": {"type": "bool", "default": False},
            "formats": {"type": "list", "elements": "str", "choices": sorted(FORMATS), "default": ["html"]},
            "dest": {"type": "path"},
            "digests": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    try:
        module.no_log_values.update(auth.secrets(module.params))
        module.exit_json(**run(module.params, module.check_mode))
    except (ScapError, RecordError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the report cannot be written: {error}; make the folder writable, or name another dest")


def run(params: J, check_mode: bool) -> J:
    """What the module returns; raises ScapError, RecordError or OSError where there is nothing to report."""
    folder = os.path.abspath(params["dir"])
    dest = os.path.abspath(params["dest"]) if params["dest"] else ""
    if params["apply"] and OpenReports.name not in params["formats"]:
        raise ScapError("apply_nothing", "apply needs the format openreports; add it to formats")
    if check_mode and not os.path.exists(os.path.join(folder, VERDICTS)):
        return {"changed": True, "index": "", "paths": {}, "files": 0, "table": [], "summary": counts(Summary())}
    written = write_reports(folder, params["formats"], dest, check_mode)
    wanted = params["digests"]
    rows = [row for row in written.summary.rows if wanted is None or row.digest in wanted or not row.digest]
    applied = []
    if params["apply"]:
        unwritten = check_mode and bool(written.changed)
        applied = [FILE] if unwritten else _apply(params, written.paths, check_mode)
    return {
        "changed": bool(written.changed or applied),
        **({"applied": applied} if params["apply"] else {}),
        "index": written.paths.get("html") or next(iter(written.paths.values()), ""),
        "paths": written.paths,
        "files": len(written.changed),
        "table": table(rows),
        "summary": counts(written.summary),
    }


def _apply(params: J, paths: t.Mapping[str, str], check_mode: bool) -> list[str]:
    client = connect(params)
    try:
        return openreports.put(client, paths[OpenReports.name], check_mode)
    finally:
        client.close()


if __name__ == "__main__":
    main()
