#!/usr/bin/python
# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scap_bundle
short_description: Put content and feeds into one file for a site without a network
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - Fetches data streams, tailorings and feeds as M(scap.images.image_scan) does, with the same checks, and writes them
    into one tar file with a manifest of their sha256.
  - At the other site M(scap.images.image_scan) and M(scap.images.scap_result) take the file as O(bundle), and the same
    addresses.
extends_documentation_fragment:
  - scap.images.content
options:
  sources:
    description:
      - Paths or URLs of the content, plain or compressed.
    type: list
    elements: str
    required: true
  tailorings:
    description:
      - Paths or URLs of tailoring files.
    type: list
    elements: str
    default: []
  dest:
    description:
      - Path of the bundle.
    type: path
    required: true
  dir:
    description:
      - The folder that holds what a run writes; histories of content are in it.
    type: path
    required: true
attributes:
  check_mode:
    description: Can run in check mode; nothing is fetched and nothing is written.
    support: partial
    details: What would be in the bundle is not known without fetching it, so that it always says that it would change.
  diff_mode:
    description: A bundle has no text to compare.
    support: none
  idempotent:
    description: A bundle that holds these very files is left as it is.
    support: full
  platform:
    description: Runs wherever the requirements are met.
    platforms: posix
    support: full
requirements:
  - python >= 3.9
  - gpgv, for signatures
seealso:
  - module: scap.images.image_scan
  - module: scap.images.scap_result
"""

EXAMPLES = r"""
- name: Everything that the other site needs
  scap.images.scap_bundle:
    sources:
      - /usr/share/xml/scap/ssg/content/ssg-rhel8-ds.xml
      - https://security.example.org/rhel-8.oval.xml.bz2
    dest: ./content.bundle.tar
    dir: ./scap-images
"""

RETURN = r"""
path:
  description: The bundle.
  returned: success
  type: str
  sample: /home/user/content.bundle.tar
sha256:
  description: The bundle's sha256, to pin it by at the other site.
  returned: not in check mode
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
files:
  description: What is in it.
  returned: not in check mode
  type: list
  elements: dict
  sample:
    - source: https://security.example.org/rhel-8.oval.xml.bz2
      name: files/0-1f2e3d4c5b6a-rhel-8.oval.xml
      sha256: 1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a7988
      size: 81234567
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.content import bundle
from ..module_utils.content.feeds import OPTIONS, Contents, Terms
from ..module_utils.content.source import parse
from ..module_utils.files import sha256_file
from ..module_utils.model import J, RecordError, ScapError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            "sources": {"type": "list", "elements": "str", "required": True},
            "tailorings": {"type": "list", "elements": "str", "default": []},
            "dest": {"type": "path", "required": True},
            "dir": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        contents = Contents(Terms.of(module.params, os.path.join(os.path.abspath(module.params["dir"]), "content")))
        answer = run(module.params, contents, module.check_mode)
    except (ScapError, RecordError, OSError) as error:
        module.fail_json(msg=str(error))
    for warning in contents.warnings:
        module.warn(warning)
    module.exit_json(**answer)


def run(params: J, contents: Contents, check_mode: bool) -> J:
    """What the module returns; raises ScapError, RecordError or OSError."""
    dest = os.path.abspath(params["dest"])
    named = [(text, True) for text in params["sources"]] + [(text, False) for text in params["tailorings"]]
    addresses = [parse(text).address for text, _described in named]
    if check_mode:
        return {"changed": True, "path": dest}
    paths = [contents.path(text, described) for text, described in named]
    files, changed = bundle.write(dest, dict(zip(addresses, paths)))
    return {"changed": changed, "path": dest, "sha256": sha256_file(dest), "files": files}


if __name__ == "__main__":
    main()
