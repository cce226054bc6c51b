#!/usr/bin/python
# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_discover
short_description: Find the container images of clusters, registries, files and stores
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - Asks any number of sources which images there are, and merges what they know to one record for each manifest digest
    and platform, with all its references, the places where it runs and the pull secrets of its pods.
  - Resolves tags to digests with one HEAD request each, in parallel.
  - What cannot be used is returned in RV(skipped) with a reason.
  - With O(dir) it writes C(images.jsonl), everything that was found, tells what changed since the run before, and keeps
    checkpoints, so that the next run reads only what changed.
options:
  sources:
    description:
      - The sources to ask, each a mapping with C(type) and the keys of that type.
      - C(openshift) reads Images and ImageStreams (ImageStreamTags where Images may not be listed).
      - C(workloads) reads pods and the templates of workloads. C(kinds) is a list of V(Pod), V(Deployment),
        V(StatefulSet), V(DaemonSet), V(ReplicaSet), V(Job), V(CronJob), V(ReplicationController) and
        V(DeploymentConfig), by default all. C(custom) is a list of mappings with C(kind), C(api_version), C(resource)
        (the plural) and C(path) (where the pod spec stands, as C(spec.template.spec)).
      - C(nodes) reads the image lists of the nodes.
      - C(registry) reads repositories. C(registry) is its C(host[:port]); C(repositories) a list of names (of patterns
        with C(catalog=true), which asks the registry for all its repositories); C(tags) a list of patterns, by default
        all; C(newest) how many of the newest tags are taken of each repository; C(max_age) a duration as V(30d);
        C(details=true) reads size, creation time and labels.
      - C(oci) reads the OCI layouts, OCI archives and docker archives (C(*.tar)) at C(path), a folder or one of them.
      - C(store) reads a local containers storage. C(root) is its graphroot, by default that of the user.
      - C(list) takes the references in C(images).
      - C(discovered) takes the images that another discovery left in the file C(path), its C(images.jsonl). With
        C(cluster) the namespaces of their workloads are called CLUSTER/NAMESPACE from here on, in policies and reports
        too.
    type: list
    elements: dict
    required: true
  dir:
    description:
      - The folder that holds everything a run writes. C(images.jsonl), the evidence that O(scope) compares with, and
        the
        checkpoints (C(discovery)) are in it.
      - Without it nothing is compared and nothing is kept.
    type: path
  dest:
    description:
      - File for the images of O(scope), JSON Lines, one image a line. RV(images) is then left out and RV(path) names
        it.
    type: path
  scope:
    description:
      - V(all) returns every image; V(new) those without evidence of the present content; V(due) also those whose
        evidence is older than O(evidence_max_age).
      - V(new) and V(due) need O(dir).
    type: str
    choices: [new, due, all]
    default: all
  evidence_max_age:
    description:
      - The age after which an evidence is due, as V(7d) or V(12h).
    type: str
    default: 7d
  contents:
    description:
      - SHA-256 digests of the SCAP content in use. Evidence of other content counts as none. Empty where any content
        will do.
    type: list
    elements: str
    default: []
  priority:
    description:
      - What comes first. V(running) is what runs in more places, V(exposed) what faces outside (a Service of type
        LoadBalancer or NodePort, an Ingress or a Route leads to its pods) and then what runs in more places, V(newest)
        what was created last, V(name) goes by reference.
      - V(exposed) reads Services, Ingresses and Routes beside the workloads. RV(images) then has C(exposed), what leads
        to each image.
    type: str
    choices: [running, exposed, newest, name]
    default: running
  namespaces:
    description:
      - Names or shell patterns of the namespaces that are looked at. Empty for all.
    type: list
    elements: str
    default: []
  namespace_selector:
    description:
      - Label selector of the namespaces that are looked at.
    type: str
    default: ""
  label_selector:
    description:
      - Label selector of the workloads and image streams that are looked at.
    type: str
    default: ""
  names:
    description:
      - Shell patterns, as V(quay.io/shop/*). Images of which no reference matches are excluded.
    type: list
    elements: str
    default: []
  registries:
    description:
      - Shell patterns of registry hosts. Images of other registries are excluded.
    type: list
    elements: str
    default: []
  max_size:
    description:
      - Larger images are excluded, with a unit as V(2G). Images of unknown size are not.
    type: str
    default: "0"
  created_within:
    description:
      - Images that were created before are excluded, as V(90d). Images of unknown creation time are excluded too.
    type: str
    default: ""
  exclude:
    description:
      - What else is excluded, each with the reason that RV(skipped) then shows.
    type: list
    elements: dict
    default: []
    suboptions:
      names:
        description: Shell patterns of references, or digests.
        type: list
        elements: str
        required: true
      reason:
        description: Why.
        type: str
        required: true
  infrastructure:
    description:
      - Whether images that are in namespaces of the cluster itself only (C(kube-system), C(openshift-*) and the
        like), and
        those of OpenShift's release payload, are wanted too. They are in RV(skipped) otherwise.
    type: bool
    default: false
  scanner_images:
    description:
      - References or digests of the scanner's own image, which is excluded.
    type: list
    elements: str
    default: []
  platforms:
    description:
      - The platforms that are taken of an image index, C(os/architecture[/variant]). Those of the cluster's nodes where
        this is empty and a source has asked for them, else all.
    type: list
    elements: str
    default: []
  resolve:
    description:
      - V(tags) asks registries for references without a digest. V(all) also asks for each digest, so that digests of
        indexes become those of their manifests. V(none) asks nobody; such references are returned without a digest.
      - Where a registry refuses the credentials of O(authfile), the pull secrets of the image's pods are tried. They
        are read only then, and only where the user may C(get) them. The shipped rights do not reach to secrets, so
        grant them by name in the namespaces that need it.
    type: str
    choices: [tags, all, none]
    default: tags
  parallelism:
    description:
      - Requests to registries at a time.
    type: int
    default: 16
  authfile:
    description:
      - A containers-auth.json(5) file with the credentials for registries.
    type: path
  registries_conf:
    description:
      - A containers-registries.conf(5) file. It alone says what short names mean.
    type: path
  insecure_registries:
    description:
      - Registries, C(host[:port]), whose certificates are not verified and that may speak plain HTTP.
    type: list
    elements: str
    default: []
  ca_file:
    description:
      - PEM file with certificate authorities of registries, beside those that the system trusts.
    type: path
extends_documentation_fragment:
  - scap.images.kube_auth
attributes:
  check_mode:
    description: Can run in check mode; everything is read and compared, nothing is written.
    support: full
  diff_mode:
    description: The references that were added, are gone or were retagged.
    support: full
  idempotent:
    description: Changed is returned only where C(images.jsonl) or O(dest) is another than before.
    support: full
  platform:
    description: Runs on POSIX hosts.
    platforms: posix
    support: full
notes:
  - With O(dir) a run reads only what changed since the one before. Where nothing did, that is one request a list, a
    watch for each kind of workload and one for the nodes.
requirements:
  - python >= 3.9
  - openshift >= 0.13.2 (source openshift)
seealso:
  - module: scap.images.image_scan
"""

EXAMPLES = r"""
- name: Everything that runs in a cluster, and what is scaled to zero
  scap.images.image_discover:
    sources:
      - type: workloads
    dir: ./scap-images

- name: What is new in an OpenShift cluster, for the next step
  scap.images.image_discover:
    sources:
      - type: openshift
      - type: workloads
        kinds: [Pod]
    namespaces: ["shop-*"]
    scope: new
    dir: ./scap-images
    dest: ./scap-images/due.jsonl
  register: discovered

- name: The five newest releases of each repository of a team
  scap.images.image_discover:
    sources:
      - type: registry
        registry: registry.example.org
        repositories: [shop/web, shop/worker]
        tags: ["v*"]
        newest: 5

- name: Images that a build left, and two more
  scap.images.image_discover:
    sources:
      - type: oci
        path: ./build/images
      - type: list
        images:
          - registry.example.org/shop/web:1.4
          - oci-archive:/tmp/worker.tar
    exclude:
      - names: ["*/legacy:*"]
        reason: retired in May
"""

RETURN = r"""
images:
  description: The images of O(scope), the first to scan first.
  returned: where O(dest) is not set, and in check mode
  type: list
  elements: dict
  sample:
    - reference: docker://registry.example.org/shop/web:1.4
      digest: sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc
      platform: linux/amd64
      references: ["docker://registry.example.org/shop/web:1.4"]
      index_digests: []
      sources: [workloads]
      workloads:
        - {kind: Pod, namespace: shop, name: web-0, container: web, running: true}
      pull_secrets: [shop/registry]
      nodes: [node1]
      size: 0
      created: ""
      labels: {}
      annotations: {}
path:
  description: O(dest), made absolute.
  returned: where O(dest) is set
  type: str
  sample: /srv/scap-images/due.jsonl
skipped:
  description: What was named and cannot be used or was excluded, sorted by reference; the first thousand.
  returned: always
  type: list
  elements: dict
  sample:
    - reference: docker://registry.example.org/shop/gone:1
      reason: "docker://registry.example.org/shop/gone:1: registry.example.org does not have it (HTTP 404)"
      source: workloads
skipped_path:
  description: The file with all of RV(skipped), JSON Lines, beside C(images.jsonl).
  returned: where O(dir) is set
  type: str
  sample: /srv/scap-images/skipped.jsonl
summary:
  description:
    - Counts. C(found) is everything, C(images) what was not excluded, C(selected) what is in scope; C(reasons) counts
      the reasons of RV(skipped); C(sources) tells for each source what it found, its requests, seconds and C(mode)
      (V(incremental) where only changes were read); C(difference) what was added, is gone and was retagged since the
      run
      before.
  returned: always
  type: dict
  sample:
    found: 3
    images: 2
    selected: 1
    scope: new
    skipped: 1
    excluded: 1
    reasons: {"excluded: infrastructure": 1}
    sources:
      - {type: workloads, found: 3, skipped: 0, mode: incremental, requests: 9, seconds: 0.3}
    resolved: {requests: 1, unchanged: 0}
    difference:
      added: {count: 1, references: ["docker://registry.example.org/shop/web:1.4"]}
      gone: {count: 0, references: []}
      retagged: {count: 0, references: []}
    seconds: 0.4
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.formatters import human_to_bytes

from ..module_utils.discovery.checkpoint import Checkpoints
from ..module_utils.discovery.discover import FLEET, Discovery, Wish, discover
from ..module_utils.discovery.durations import seconds
from ..module_utils.discovery.interface import Setting
from ..module_utils.discovery.output import copy_rows, row, write_rows
from ..module_utils.discovery.registries import Registries
from ..module_utils.discovery.selection import Selection
from ..module_utils.kube import auth
from ..module_utils.kube.client import connect
from ..module_utils.model import J, RecordError, ScapError

MAX_SKIPPED = 1000

ARGUMENTS: dict[str, t.Any] = {
    "sources": {"type": "list", "elements": "dict", "required": True},
    "dir": {"type": "path"},
    "dest": {"type": "path"},
    "scope": {"type": "str", "choices": ["new", "due", "all"], "default": "all"},
    "evidence_max_age": {"type": "str", "default": "7d"},
    "contents": {"type": "list", "elements": "str", "default": []},
    "priority": {"type": "str", "choices": ["running", "exposed", "newest", "name"], "default": "running"},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "namespace_selector": {"type": "str", "default": ""},
    "label_selector": {"type": "str", "default": ""},
    "names": {"type": "list", "elements": "str", "default": []},
    "registries": {"type": "list", "elements": "str", "default": []},
    "max_size": {"type": "str", "default": "0"},
    "created_within": {"type": "str", "default": ""},
    "exclude": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "names": {"type": "list", "elements": "str", "required": True},
            "reason": {"type": "str", "required": True},
        },
    },
    "infrastructure": {"type": "bool", "default": False},
    "scanner_images": {"type": "list", "elements": "str", "default": []},
    "platforms": {"type": "list", "elements": "str", "default": []},
    "resolve": {"type": "str", "choices": ["tags", "all", "none"], "default": "tags"},
    "parallelism": {"type": "int", "default": 16},
    "authfile": {"type": "path"},
    "registries_conf": {"type": "path"},
    "insecure_registries": {"type": "list", "elements": "str", "default": []},
    "ca_file": {"type": "path"},
}


def main() -> None:
    module = AnsibleModule(argument_spec={**auth.OPTIONS, **ARGUMENTS}, supports_check_mode=True)
    try:
        module.no_log_values.update(auth.secrets(module.params))
        module.exit_json(**run(module.params, module.check_mode, module._diff))
    except (ScapError, RecordError) as error:
        module.fail_json(msg=str(error), code=getattr(error, "code", "record"))


def run(params: J, check_mode: bool, diff: bool = False) -> J:
    """What the module returns; raises ScapError where the sources cannot be asked."""
    folder = os.path.abspath(params["dir"]) if params["dir"] else None
    setting = Setting(
        connect=lambda: connect(params),
        registries=Registries(
            authfile=params["authfile"],
            registries_conf=params["registries_conf"],
            insecure=params["insecure_registries"],
            ca_file=params["ca_file"],
        ),
        store=Checkpoints(folder, writable=not check_mode),
        namespaces=params["namespaces"],
        namespace_selector=params["namespace_selector"],
        label_selector=params["label_selector"],
        platforms=params["platforms"],
        parallelism=params["parallelism"],
        exposure=params["priority"] == "exposed",
    )
    found = discover(params["sources"], setting, _wish(params, folder, check_mode))
    answer = _answer(found, folder, check_mode)
    if params["dest"]:
        answer["path"] = os.path.abspath(params["dest"])
        whole = folder and not check_mode and len(found.images) == found.summary["images"]
        fleet = os.path.join(folder, FLEET) if folder and whole else ""
        rows = map(row, found.images)
        written = copy_rows(fleet, answer["path"]) if fleet else write_rows(answer["path"], rows, check_mode)
        answer["changed"] = answer["changed"] or written
    if not params["dest"] or check_mode:
        answer["images"] = [row(image) for image in found.images]
    if diff:
        answer["diff"] = {"prepared": _difference(found.summary["difference"])}
    return answer


def _wish(params: J, folder: str | None, check_mode: bool) -> Wish:
    try:
        size = human_to_bytes(params["max_size"])
    except ValueError as error:
        raise ScapError("selection_invalid", f"max_size is {params['max_size']!r}; write it as 2G") from error
    return Wish(
        dir=folder,
        scope=params["scope"],
        max_age=seconds(params["evidence_max_age"], "evidence_max_age"),
        contents=params["contents"],
        priority=params["priority"],
        resolve=params["resolve"],
        selection=Selection(
            names=params["names"],
            registries=params["registries"],
            max_size=size,
            created_within=params["created_within"],
            exclude=params["exclude"],
            infrastructure=params["infrastructure"],
            scanner_images=params["scanner_images"],
        ),
        dry_run=check_mode,
    )


def _answer(found: Discovery, folder: str | None, check_mode: bool) -> J:
    skipped = [vars(record) for record in found.skipped]
    answer: J = {"changed": found.changed, "summary": found.summary, "skipped": skipped[:MAX_SKIPPED]}
    if folder:
        answer["skipped_path"] = os.path.join(folder, "skipped.jsonl")
        write_rows(answer["skipped_path"], skipped, check_mode)
    return answer


def _difference(changes: J) -> str:
    signs = (("added", "+"), ("gone", "-"), ("retagged", "~"))
    return "".join(f"{sign} {name}\n" for kind, sign in signs for name in changes[kind]["references"])


if __name__ == "__main__":
    main()
