#!/usr/bin/python
# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_annotate
short_description: Mark images in the cluster by their verdicts, and prove that what is denied is refused
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - Writes what verdicts say into the cluster. Each digest gets an C(ImageScan) object, OpenShift Images get the
    annotations that other tools know, and what is not compliant enters the denied set (C(DeniedImages) objects) that
    the admission policies of M(scap.images.scap_setup) obey.
  - Only a C(compliant) verdict with complete coverage lifts a denial. C(error), C(stale), C(not_applicable), a missing
    verdict and a scan whose canary failed never do.
  - After an image is denied, the API server itself is asked by server-side dry runs of pods (by digest, by every index
    and tag, as a bare pod and as a controller's) and of a Deployment. C(blocked) of RV(marks) is V(proven) only if it
    refused all of them and let an innocent image pass.
  - Before anything new is denied, the pods that would not start again are counted; see O(max_stopped).
  - A stage is raised by a run, never lowered. O(state=absent) takes every trace of a mark away.
extends_documentation_fragment:
  - scap.images.kube_auth
options:
  verdicts:
    description:
      - Verdicts as M(scap.images.scap_result) returns them.
    type: list
    elements: dict
  verdicts_from:
    description:
      - A JSON Lines file with one verdict a line, C(verdicts.jsonl) of a run's folder.
    type: path
  images:
    description:
      - With O(state=absent), the images to lift. Each is a digest (of an image or of an index that contains it) or a
        reference with its tag; V(all) means every image.
    type: list
    elements: str
  images_from:
    description:
      - A JSON Lines file with one image a line, C(images.jsonl) of a run's folder. It says by which tags and indexes
        an image is known, and which tags have moved. Without it an image is denied by its digest and by what its
        verdict names.
    type: path
  dest:
    description:
      - The file that keeps the marks, C(marks.jsonl) of a run's folder. It is written whole; marks of other images
        stay in it.
      - Beside it, C(blast.json) keeps the blast radius (RV(blast)) of the last run that newly marked something.
    type: path
  state:
    description:
      - V(present) marks, V(absent) takes marks away.
    type: str
    choices: [present, absent]
    default: present
  stage:
    description:
      - What admission does about an image that is to be denied. V(report) writes an audit annotation, V(warn) also
        warns whoever creates a pod of it, V(deny) refuses the pod.
    type: str
    choices: [report, warn, deny]
    default: report
  deny_on:
    description:
      - The states that put an image into the denied set.
    type: list
    elements: str
    choices: [non_compliant, error, stale]
    default: [non_compliant]
  exemptions:
    description:
      - Images that may run although they are denied, for a while. The list is complete. One that is not in it any more
        ends. Without this option the cluster's exemptions stay as they are.
    type: list
    elements: dict
    suboptions:
      image:
        description: A digest, or a reference with its tag; every other name of the same image is exempt with it.
        type: str
        required: true
      namespaces:
        description: The namespaces where it may run.
        type: list
        elements: str
        default: ["*"]
      owner:
        description: Who answers for it.
        type: str
        required: true
      reason:
        description: Why.
        type: str
        required: true
      expires:
        description: The last day (UTC) on which it holds, as YYYY-MM-DD. The API server itself obeys it.
        type: str
        required: true
  max_stopped:
    description:
      - Percent of the running pods (outside the exempt namespaces) that may be concerned by what is newly denied at
        stage V(deny). More is refused before anything is written.
    type: float
    default: 10
  report_url:
    description:
      - Where the reports lie; refusals and marks name it. The page of an image is C(images/HEX.html) below it.
    type: str
    default: ""
  help:
    description:
      - The way to an exemption, as the person whose pod is refused reads it.
    type: str
    default: ""
  search_registries:
    description:
      - Registries that the nodes try for a name without a registry, besides docker.io. On OpenShift
        V(registry.access.redhat.com) where this is left out.
    type: list
    elements: str
  namespace:
    description:
      - The namespace of M(scap.images.scap_setup). The proof happens in the one that has C(-proof) behind
        its name.
    type: str
    default: scap-images
attributes:
  check_mode:
    description: Every change is sent as a server-side dry run. Nothing is proven, because nothing is denied.
    support: full
  diff_mode:
    description: Shows the entries of the denied set, the ImageScans and the annotations that change.
    support: full
  idempotent:
    description: What the cluster says already is not written again; the proof is repeated for a sample.
    support: full
  platform:
    description: Runs on any host that reaches the API server.
    platforms: posix
    support: full
requirements:
  - python >= 3.9
notes:
  - The rights that it needs are C(examples/rbac/marker.yml); a right that is missing is named with its rule.
seealso:
  - module: scap.images.scap_result
  - module: scap.images.scap_setup
"""

EXAMPLES = r"""
- name: Mark everything that was judged, only warn
  scap.images.image_annotate:
    verdicts_from: ./scap-images/verdicts.jsonl
    images_from: ./scap-images/images.jsonl
    dest: ./scap-images/marks.jsonl
    stage: warn

- name: Refuse what is not compliant, but let one image run until the end of the year
  scap.images.image_annotate:
    verdicts_from: ./scap-images/verdicts.jsonl
    images_from: ./scap-images/images.jsonl
    stage: deny
    report_url: https://scap.example.org/fleet
    help: mail security@example.org
    exemptions:
      - image: registry.example.org/shop/legacy:2
        namespaces: [shop]
        owner: ann@example.org
        reason: replaced by the new shop in January
        expires: "2026-12-31"

- name: Take every trace of one image's mark away
  scap.images.image_annotate:
    state: absent
    images:
      - registry.example.org/shop/web:1.4
"""

RETURN = r"""
marks:
  description: One mark an image; left out where there are more than 100 (O(dest) holds them all).
  returned: always
  type: list
  elements: dict
  sample:
    - digest: sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc
      reference: docker://registry.example.org/shop/web:1.4
      state: non_compliant
      stage: deny
      denied: true
      blocked: proven
      changed: true
      marked_at: "2026-11-23T07:31:50Z"
      detail: ""
summary:
  description: >-
    How many images are marked, denied, proven to be refused, denied without proof, lifted, changed and failed; the
    objects written and the entries of the denied set; whether OpenShift's own ImagePolicy plug-in obeys the annotation
    (absent, obeys, ignores, unknown); seconds.
  returned: always
  type: dict
  sample:
    images: 12
    denied: 3
    proven: 3
    unproven: 0
    lifted: 1
    changed: 4
    failed: 0
    written: {DeniedImages: 1, ImageScan: 4}
    entries: 9
    openshift_image_policy: absent
    seconds: 0.6
blast:
  description: >-
    The running pods that newly marked images concern and what they belong to (at most 100, all of them stand in
    C(blast.json)). At stage deny they do not start again, at the milder stages they would not.
  returned: when something is newly marked
  type: dict
  sample:
    running: 120
    stopped: 2
    percent: 1.7
    workloads:
      - {kind: Deployment, namespace: shop, name: web, pods: 2, images: [shop/web:1.4], digests: ["sha256:7173..."]}
notes:
  description: What a person should know about the run, such as tags that have moved.
  returned: always
  type: list
  elements: str
"""

import dataclasses
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.kube import auth
from ..module_utils.kube.client import connect
from ..module_utils.marking import inputs
from ..module_utils.marking.blast import Blast
from ..module_utils.marking.engine import Marker
from ..module_utils.marking.names import NAMESPACE, STAGES
from ..module_utils.marking.outcome import GuardError, Options, Outcome
from ..module_utils.model import J, RecordError, ScapError, to_json

MAX_INLINE = 100
MAX_WARNINGS = 5

ARGUMENTS: dict[str, t.Any] = {
    "verdicts": {"type": "list", "elements": "dict"},
    "verdicts_from": {"type": "path"},
    "images": {"type": "list", "elements": "str"},
    "images_from": {"type": "path"},
    "dest": {"type": "path"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "stage": {"type": "str", "choices": list(STAGES), "default": "report"},
    "deny_on": {
        "type": "list",
        "elements": "str",
        "choices": ["non_compliant", "error", "stale"],
        "default": ["non_compliant"],
    },
    "exemptions": {
        "type": "list",
        "elements": "dict",
        "options": {
            "image": {"type": "str", "required": True},
            "namespaces": {"type": "list", "elements": "str", "default": ["*"]},
            "owner": {"type": "str", "required": True},
            "reason": {"type": "str", "required": True},
            "expires": {"type": "str", "required": True},
        },
    },
    "max_stopped": {"type": "float", "default": 10.0},
    "report_url": {"type": "str", "default": ""},
    "help": {"type": "str", "default": ""},
    "search_registries": {"type": "list", "elements": "str"},
    "namespace": {"type": "str", "default": NAMESPACE},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**auth.OPTIONS, **ARGUMENTS},
        mutually_exclusive=[("verdicts", "verdicts_from", "images")],
        required_if=[("state", "present", ("verdicts", "verdicts_from"), True)],
        supports_check_mode=True,
    )
    try:
        module.no_log_values.update(auth.secrets(module.params))
        result = run(module.params, module.check_mode, module._diff)
    except GuardError as error:
        if module.params["dest"] and not module.check_mode:
            inputs.keep_blast(module.params["dest"], error.blast)
        module.fail_json(msg=error.message, code=error.code, blast=_blast(error.blast))
    except ScapError as error:
        module.fail_json(msg=error.message, code=error.code)
    except RecordError as error:
        module.fail_json(msg=str(error))
    if result["warning"]:
        module.warn(result["warning"])
    del result["warning"]
    for mark in result.pop("unproven")[:MAX_WARNINGS]:
        module.warn(f"{mark.reference} ({mark.digest}) is denied, but nothing proves it: {mark.blocked}")
    if result["summary"]["failed"]:
        module.fail_json(**result)
    module.exit_json(**result)


def run(params: J, check_mode: bool, diff: bool = False) -> J:
    """What the module returns; raises ScapError or RecordError where nothing could be marked."""
    started = time.monotonic()
    known = inputs.images(params["images_from"])
    options = Options(
        namespace=params["namespace"],
        stage=params["stage"],
        deny_on=tuple(params["deny_on"]),
        report=params["report_url"],
        help=params["help"],
        exemptions=inputs.exemptions(params["exemptions"]),
        max_stopped=params["max_stopped"],
        search_registries=tuple(params["search_registries"] or ()),
        check=check_mode,
    )
    given = params["verdicts"] is not None or params["verdicts_from"]
    verdicts = inputs.verdicts(params["verdicts"], params["verdicts_from"]) if given else []
    client = connect(params)
    try:
        if params["state"] == "present":
            verdicts, left = inputs.believable(verdicts)
            outcome = Marker(client, options).mark(verdicts, known)
            outcome.notes += [left] if left else []
        elif given:
            outcome = Marker(client, options).lift({verdict.image.digest for verdict in verdicts})
        elif params["images"]:
            outcome = Marker(client, options).lift(*inputs.targets(params["images"], known))
        else:
            raise ScapError("nothing_named", "state absent needs images (or all), verdicts or verdicts_from")
    finally:
        client.close()
    if params["dest"] and not check_mode:
        inputs.keep_marks(params["dest"], outcome.marks)
        if outcome.blast is not None:
            inputs.keep_blast(params["dest"], outcome.blast)
    return {**_answer(outcome, started, diff), "warning": _warning(outcome, options.stage)}


def _answer(outcome: Outcome, started: float, diff: bool) -> J:
    marks = outcome.marks
    summary = {
        "images": len(marks),
        "denied": sum(mark.denied for mark in marks),
        "proven": sum(mark.blocked == "proven" for mark in marks),
        "unproven": sum(mark.blocked.startswith("unproven") for mark in marks),
        "lifted": outcome.lifted,
        "changed": sum(mark.changed for mark in marks),
        "failed": len(outcome.failures),
        "written": outcome.written,
        "entries": outcome.entries,
        "openshift_image_policy": outcome.openshift,
        "seconds": round(time.monotonic() - started, 2),
    }
    result: J = {
        "changed": bool(sum(outcome.written.values())),
        "marks": [to_json(mark) for mark in marks] if len(marks) <= MAX_INLINE else [],
        "summary": summary,
        "notes": outcome.notes,
        "unproven": [mark for mark in marks if mark.blocked.startswith("unproven")],
    }
    if outcome.blast is not None:
        result["blast"] = _blast(outcome.blast)
    if diff:
        result["diff"] = {
            "before": "".join(f"{line}\n" for line in outcome.before),
            "after": "".join(f"{line}\n" for line in outcome.after),
        }
    if outcome.failures:
        first = next(iter(outcome.failures.values()))[0]
        done = len(marks) - len([digest for digest in outcome.failures if digest])
        result["msg"] = f"{len(outcome.failures)} images could not be marked whole, {done} are done; the first: {first}"
    return result


def _warning(outcome: Outcome, stage: str) -> str:
    if outcome.blast is None or not outcome.blast.stopped:
        return ""
    when = "do not start again" if stage == "deny" else "would not start again at stage deny"
    return f"These run what is newly marked and {when}: {outcome.blast.said()}"


def _blast(blast: Blast) -> J:
    workloads = [dataclasses.asdict(one) for one in blast.workloads[:MAX_INLINE]]
    return {**vars(blast), "workloads": workloads, "percent": round(blast.percent, 1)}


if __name__ == "__main__":
    main()
