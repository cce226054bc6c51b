#!/usr/bin/python
# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scap_setup
short_description: Prepare a cluster for scap.images, or take everything out again
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - Applies the custom resource definitions, namespaces, roles, admission policies and bindings that the other modules
    rely on, by server-side apply; no other collection is needed.
  - O(state=absent) removes bindings and policies first, then everything else, with all C(ImageScan) and
    C(DeniedImages) objects, and the Report objects of M(scap.images.scap_report). Annotations of OpenShift Images are
    lifted by M(scap.images.image_annotate).
  - The policies never match the cluster's own namespaces, so no mark can stop the cluster or the policies' removal.
extends_documentation_fragment:
  - scap.images.kube_auth
options:
  state:
    description:
      - Whether the objects are there.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description:
      - The namespace of scap.images. One more, with C(-proof) behind its name, is for server-side dry runs only.
    type: str
    default: scap-images
  components:
    description:
      - What to prepare. V(scanning) holds the namespace's Pod Security label, the accounts of the scan pods and of the
        controller with its rights, and the network policies; on OpenShift also a SecurityContextConstraints for the
        scan pods' account alone, and its right to read the internal registry. V(marking) holds the resource
        definitions, the admission policies and the marker's rights.
    type: list
    elements: str
    choices: [scanning, marking]
    default: [scanning, marking]
  exempt_namespaces:
    description:
      - Namespaces where no mark is obeyed, besides O(namespace) and those whose names begin with C(kube-) or
        C(openshift-).
    type: list
    elements: str
    default: []
  stages:
    description:
      - The namespaces where a stage is in force. Maps V(report), V(warn) or V(deny) to a label selector
        (C(matchLabels), C(matchExpressions)); a stage that is left out is in force everywhere. What is to be denied is
        treated by the next milder stage where V(deny) does not apply.
    type: dict
    default: {}
  scanner_image:
    description:
      - The scanner image. A short pod looks whether it has what scans need; the module fails and says what is missing.
        Without it the image is not checked.
    type: str
  pull_secret:
    description:
      - Name of a secret in O(namespace) with which the scanner image is pulled.
    type: str
    default: ""
  timeout:
    description:
      - Seconds to wait until everything is established, or gone.
    type: int
    default: 60
attributes:
  check_mode:
    description: Every change is sent as a server-side dry run.
    support: full
  diff_mode:
    description: Names the objects that change.
    support: partial
    details: The texts of the objects are not shown.
  idempotent:
    description: What is there already is not changed.
    support: full
  platform:
    description: Runs on any host that reaches the API server.
    platforms: posix
    support: full
requirements:
  - python >= 3.9
seealso:
  - module: scap.images.image_annotate
"""

EXAMPLES = r"""
- name: Prepare the cluster; deny in production only
  scap.images.scap_setup:
    stages:
      deny:
        matchLabels:
          environment: production

- name: Take everything out
  scap.images.scap_setup:
    state: absent
"""

RETURN = r"""
objects:
  description: The objects that changed.
  returned: always
  type: list
  elements: str
  sample: [CustomResourceDefinition imagescans.scap-images.github.io]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.kube import auth
from ..module_utils.kube.client import Client, connect
from ..module_utils.marking import inputs, openreports
from ..module_utils.marking.install import install, merged, remove, system_namespaces
from ..module_utils.marking.manifests import manifests as marking_manifests
from ..module_utils.marking.names import NAMESPACE
from ..module_utils.model import J, ScapError
from ..module_utils.scan import kubernetes_check, openshift_setup
from ..module_utils.scan import kubernetes_setup as scanning
from ..module_utils.scan.kubernetes_job import PodOptions


def _marking(client: Client, params: J) -> list[J]:
    exempt = {*params["exempt_namespaces"], *system_namespaces(client)}
    return marking_manifests(params["namespace"], exempt, inputs.stage_selectors(params["stages"]))


def _scanning(client: Client, params: J) -> list[J]:
    return scanning.objects(params["namespace"]) + openshift_setup.objects(client, params["namespace"])


COMPONENTS: dict[str, t.Callable[[Client, J], list[J]]] = {"scanning": _scanning, "marking": _marking}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **auth.OPTIONS,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "namespace": {"type": "str", "default": NAMESPACE},
            "components": {
                "type": "list",
                "elements": "str",
                "choices": ["scanning", "marking"],
                "default": ["scanning", "marking"],
            },
            "exempt_namespaces": {"type": "list", "elements": "str", "default": []},
            "stages": {"type": "dict", "default": {}},
            "scanner_image": {"type": "str"},
            "pull_secret": {"type": "str", "default": "", "no_log": False},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        module.no_log_values.update(auth.secrets(module.params))
        result = run(module.params, module.check_mode, module._diff)
    except ScapError as error:
        module.fail_json(msg=error.message, code=error.code)
    module.exit_json(**result)


def run(params: J, check_mode: bool, diff: bool = False) -> J:
    """What the module returns; raises ScapError."""
    client = connect(params)
    try:
        found = merged(manifest for name in params["components"] for manifest in COMPONENTS[name](client, params))
        act = install if params["state"] == "present" else remove
        objects = act(client, found, check_mode, float(params["timeout"]))
        if params["state"] == "absent" and "marking" in params["components"]:
            objects += openreports.remove(client, check_mode)
        if params["scanner_image"] and params["state"] == "present" and not check_mode:
            pods = PodOptions(params["namespace"], params["scanner_image"], pull_secret=params["pull_secret"])
            kubernetes_check.check(client, pods, float(params["timeout"]))
    finally:
        client.close()
    result: J = {"changed": bool(objects), "objects": objects}
    if diff:
        lines = "".join(f"{name}\n" for name in objects)
        present = params["state"] == "present"
        result["diff"] = {"before": "" if present else lines, "after": lines if present else ""}
    return result


if __name__ == "__main__":
    main()
