#!/usr/bin/python
# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_scan
short_description: Scan container images with OpenSCAP and keep the evidence
version_added: 0.1.0
author:
  - scap.images contributors (@scap-images)
description:
  - Acquires each image, evaluates SCAP content against it with C(oscap), proves that C(oscap) really saw the image,
    and keeps what
    came out as one evidence an image and content set.
  - Nothing of an image is ever executed, and C(oscap) runs confined.
  - An image that cannot be scanned is an evidence with an error; the other images go on.
  - An image that has an evidence for the same content already is not scanned again.
options:
  images:
    description:
      - The images to scan. Each is a reference as skopeo and podman write it, or a mapping as
        M(scap.images.image_discover) returns it.
      - V(docker://host/name:tag) or V(docker://host/name@sha256:...) (V(docker://) may be left out),
        V(oci:PATH[:TAG]), V(oci-archive:PATH),
        V(docker-archive:PATH), V(containers-storage:NAME).
      - Exactly one of O(images) and O(images_from) is needed.
    type: list
    elements: raw
  images_from:
    description:
      - A JSON Lines file with one image a line, as M(scap.images.image_discover) writes it.
    type: path
  executor:
    description:
      - Where the scans run. V(local) scans on the host that the module runs on, V(kubernetes) in pods of the cluster.
    type: str
    choices: [local, kubernetes]
    default: local
  dir:
    description:
      - The folder that holds everything a run writes. The evidence goes to C(evidence/DIGEST_HEX/CONTENT_HEX12/)
        below it.
    type: path
    required: true
  profile:
    description:
      - Short or full id of the XCCDF profile to evaluate.
      - V(auto) takes the first that the content has of V(standard), V(cis_server_l1), V(cis_level1_server), V(cis),
        V(ospp), V(stig), V(pci-dss).
      - V(none) evaluates no XCCDF; O(oval) is then needed.
    type: str
    default: auto
  content:
    description:
      - Path or URL of a SCAP source data stream, plain or compressed.
      - V(auto) takes the data stream of the SCAP Security Guide that fits the image's operating system from
        O(content_folders).
    type: str
    default: auto
  tailoring:
    description:
      - Path or URL of an XCCDF 1.2 tailoring file (SCAP Workbench writes them), plain or compressed. Its profiles are
        added to those of the data stream.
      - With V(auto) as O(profile), the tailoring's profile is evaluated if it has just one.
    type: str
    default: ""
  content_folders:
    description:
      - Where V(auto) looks for data streams.
    type: list
    elements: path
    default: [/usr/share/xml/scap/ssg/content]
  oval:
    description:
      - Paths or URLs of OVAL definition files (vulnerability feeds), plain or compressed, that are evaluated beside
        the profile.
      - Of several, an image is evaluated by those whose C(platform) names its operating system, and the others are
        named in its coverage; where none does, it is evaluated by all of them and proven by none.
    type: list
    elements: str
    default: []
  platform:
    description:
      - The platform to take from an image index, C(os/architecture[/variant]). The host's own where it is left out.
    type: str
    default: ""
  parallelism:
    description:
      - Images at a time. V(0) takes as many as there are processors and memory for.
    type: int
    default: 0
  timeout:
    description:
      - Seconds for each program that works on an image.
    type: int
    default: 1200
  rescan:
    description:
      - Whether images are scanned again that have an evidence for the same content.
    type: bool
    default: false
  compile:
    description:
      - Whether a data stream is cut to its profile before it is evaluated. It gives the same answers several times
        faster and in a fraction of the memory. The report shows titles, descriptions and remedies from the data stream
        itself.
      - V(false) evaluates the data stream as it is. The ARF of the evidence then holds all of it.
    type: bool
    default: true
  compile_sample:
    description:
      - Percent of the images that are evaluated both ways, compiled and not. Where the answers differ, all verdicts of
        the run that stand on that content are V(error), both results are kept, and it is not compiled any more.
      - An image is in the sample or is not by its digest, so that a repeated run looks at the same ones.
    type: float
    default: 1.0
  acquire:
    description:
      - How the local executor has an image's root. V(storage) unpacks each layer once into a folder that is
        shared by all images, and mounts them. V(unpack) unpacks all of them for each image, where nothing can be
        mounted.
      - V(auto) takes the first that works.
    type: str
    choices: [auto, storage, unpack]
    default: auto
  storage:
    description:
      - Folder of the layers that the local executor has unpacked. Below O(dir) where it is left out.
    type: path
  storage_limit:
    description:
      - Bytes that the unpacked layers may take, with a unit such as V(20G). Those that were used longest ago go first.
    type: str
    default: 20G
  authfile:
    description:
      - A containers auth.json (as C(podman login) writes it) with the credentials for the registries. See
        containers-auth.json(5).
    type: path
  ca_file:
    description:
      - PEM file with the certificate authority of the registries.
    type: path
  validate_registry_certs:
    description:
      - Whether the registries' certificates are verified. A registry that speaks plain HTTP needs V(false).
    type: bool
    default: true
  registries_conf:
    description:
      - A containers-registries.conf(5) that says what short names and mirrors mean.
    type: path
  namespace:
    description:
      - The namespace of the scan pods, as M(scap.images.scap_setup) has prepared it (executor kubernetes).
    type: str
    default: scap-images
  scanner_image:
    description:
      - The image that the scan pods run, as the role C(scap.images.scanner_image) builds it. Name it by
        its digest, so that a repeated run knows what was scanned with what. Needed with O(executor=kubernetes).
    type: str
  rungs:
    description:
      - The rungs of the privilege ladder that scan pods may use, all of them where the list is empty. The lowest that
        works is chosen by trying.
      - V(image_volume_userns) mounts the image as a volume in a pod with a user namespace of its own, with nothing
        pulled or copied. V(image_volume) mounts it and copies it to an emptyDir. V(pull) pulls and unpacks it in the
        pod.
    type: list
    elements: str
    choices: [image_volume_userns, image_volume, pull]
    default: []
  pull_secret:
    description:
      - Name of a secret of type C(kubernetes.io/dockerconfigjson) in O(namespace), with which the images are pulled. It
        is mounted as a file where the pod itself pulls.
      - Where it is left out, the secrets that the image's own pods are pulled with are copied for the scan, where the
        user may read them (ClusterRole C(NAMESPACE-pull-secrets), to be bound in their namespaces), else those of the
        scan pods' service account are used.
    type: str
    default: ""
  priority_class:
    description:
      - Priority class of the scan pods.
    type: str
    default: ""
  node_selector:
    description:
      - Labels of the nodes that scan pods may run on.
    type: dict
    default: {}
  tolerations:
    description:
      - Tolerations of the scan pods, as a Pod's specification has them.
    type: list
    elements: dict
    default: []
  affinity:
    description:
      - Affinity of the scan pods, as a Pod's specification has it. Where it has no node affinity, nodes that have the
        image already are preferred.
    type: dict
    default: {}
  hold:
    description:
      - Seconds that a pod holds its evidence for a controller that has died. A run that is started again within them
        takes it and scans nothing twice.
    type: int
    default: 3600
extends_documentation_fragment:
  - scap.images.kube_auth
  - scap.images.content
attributes:
  check_mode:
    description:
      - Can run in check mode; nothing is scanned and nothing is written, RV(would_scan) says what would be. With
        O(executor=kubernetes) the API server is asked, by dry runs of Jobs, what it would take.
    support: full
  diff_mode:
    description: Evidence has no difference that a person could read.
    support: none
  idempotent:
    description: An image that has an evidence for the same content is not scanned again, unless O(rescan=true).
    support: full
  platform:
    description: Runs on Linux hosts with the programs of the requirements.
    platforms: posix
    support: full
requirements:
  - python >= 3.9
  - the Python package kubernetes (executor kubernetes)
  - oscap 1.3 or newer, bubblewrap and skopeo (executor local)
  - root, or an ordinary user with podman and 65536 subordinate user and group ids (executor local)
seealso:
  - module: scap.images.image_discover
  - module: scap.images.scap_result
"""

EXAMPLES = r"""
- name: Scan two images with the profile that is chosen for their operating system
  scap.images.image_scan:
    images:
      - registry.example.org/shop/web:1.4
      - oci-archive:/tmp/worker.tar
    dir: ./scap-images

- name: Scan inside the cluster what discovery has found
  scap.images.image_scan:
    images_from: ./scap-images/images.jsonl
    executor: kubernetes
    scanner_image: registry.example.org/scanner@sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc
    dir: ./scap-images

- name: Look for known vulnerabilities alone
  scap.images.image_scan:
    images_from: ./scap-images/images.jsonl
    dir: ./scap-images
    profile: none
    oval:
      - https://security.example.org/rhel-8.oval.xml.bz2
"""

RETURN = r"""
would_scan:
  description:
    - The first hundred images that a run would scan, with the rung that it would begin with (executor kubernetes) or
      O(acquire) (executor local, which finds out by asking the registry what it has evidence of).
  returned: in check mode
  type: list
  elements: dict
  sample:
    - reference: docker://registry.example.org/shop/web:1.4
      digest: sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc
      rung: image_volume_userns
scans:
  description: One summary an image, in the order in which they ended; left out where there are more than 100.
  returned: always
  type: list
  elements: dict
  sample:
    - reference: docker://registry.example.org/shop/web:1.4
      digest: sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc
      platform: linux/amd64
      os: debian 11
      packages: 126
      rung: storage
      seconds: 2.1
      reused: false
      evidence: evidence/7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc/0c4f2b9e11aa
      error: ""
      unproven: []
      not_applicable: ""
continued:
  description: How many images the run before had done when it was interrupted; they are not scanned again.
  returned: when the run before was interrupted
  type: dict
  sample: {done: 3, total: 8}
digests:
  description: The digests of all images that were asked for, as far as they are known.
  returned: always
  type: list
  elements: str
summary:
  description: How many images were asked for, scanned, reused, not applicable, unproven and in error, and the
    seconds it took.
  returned: always
  type: dict
  sample:
    images: 2
    scanned: 2
    reused: 0
    not_applicable: 0
    unproven: 0
    error: 0
    seconds: 4.3
"""

import contextlib
import os
import sys
import tempfile
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.formatters import human_to_bytes

from ..module_utils.content.feeds import OPTIONS, Contents, Terms
from ..module_utils.files import read_jsonl
from ..module_utils.kube import auth
from ..module_utils.kube.client import connect
from ..module_utils.model import Image, J, RecordError, ScapError
from ..module_utils.progress import interrupted
from ..module_utils.reader import end_with_reader
from ..module_utils.scan.engine import Scanned, scan, to_images
from ..module_utils.scan.interface import Executor, Settings
from ..module_utils.scan.kubernetes import KubernetesExecutor, KubernetesOptions
from ..module_utils.scan.kubernetes_job import PodOptions
from ..module_utils.scan.local import LocalExecutor, LocalOptions
from ..module_utils.scanner.acquire.records import Access
from ..module_utils.scanner.pod import RUNGS
from ..module_utils.store import distrusted

MAX_INLINE = 100
NAMESPACE = "scap-images"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **auth.OPTIONS,
            **OPTIONS,
            "images": {"type": "list", "elements": "raw"},
            "images_from": {"type": "path"},
            "executor": {"type": "str", "choices": ["local", "kubernetes"], "default": "local"},
            "dir": {"type": "path", "required": True},
            "profile": {"type": "str", "default": "auto"},
            "content": {"type": "str", "default": "auto"},
            "tailoring": {"type": "str", "default": ""},
            "content_folders": {"type": "list", "elements": "path", "default": ["/usr/share/xml/scap/ssg/content"]},
            "oval": {"type": "list", "elements": "str", "default": []},
            "platform": {"type": "str", "default": ""},
            "parallelism": {"type": "int", "default": 0},
            "timeout": {"type": "int", "default": 1200},
            "rescan": {"type": "bool", "default": False},
            "compile": {"type": "bool", "default": True},
            "compile_sample": {"type": "float", "default": 1.0},
            "acquire": {"type": "str", "choices": ["auto", "storage", "unpack"], "default": "auto"},
            "storage": {"type": "path"},
            "storage_limit": {"type": "str", "default": "20G"},
            "authfile": {"type": "path"},
            "ca_file": {"type": "path"},
            "validate_registry_certs": {"type": "bool", "default": True},
            "registries_conf": {"type": "path"},
            "namespace": {"type": "str", "default": NAMESPACE},
            "scanner_image": {"type": "str"},
            "rungs": {"type": "list", "elements": "str", "choices": list(RUNGS), "default": []},
            "pull_secret": {"type": "str", "default": "", "no_log": False},
            "priority_class": {"type": "str", "default": ""},
            "node_selector": {"type": "dict", "default": {}},
            "tolerations": {"type": "list", "elements": "dict", "default": []},
            "affinity": {"type": "dict", "default": {}},
            "hold": {"type": "int", "default": 3600},
        },
        mutually_exclusive=[("images", "images_from")],
        required_one_of=[("images", "images_from")],
        required_if=[("executor", "kubernetes", ["scanner_image"])],
        supports_check_mode=True,
    )
    try:
        module.no_log_values.update(auth.secrets(module.params))
        end_with_reader()
        answer = run(module.params, module.check_mode)
        distrust = None if module.check_mode else distrusted(os.path.abspath(module.params["dir"]))
        if distrust is not None:
            module.warn(distrust.message)
        for warning in answer.pop("content_warnings"):
            module.warn(warning)
        module.exit_json(**answer)
    except (ScapError, RecordError) as error:
        module.fail_json(msg=str(error))


def run(params: J, check_mode: bool) -> J:
    """What the module returns; raises ScapError or RecordError where nothing can be scanned."""
    started = time.monotonic()
    images = to_images(params["images"] if params["images"] is not None else read_jsonl(params["images_from"]))
    folder = os.path.abspath(params["dir"])
    if check_mode:
        with tempfile.TemporaryDirectory() as scratch:
            contents = Contents(Terms.of(params, scratch))
            answer = _would_scan(params, images, _settings(params, folder, contents), started)
            return {**answer, "content_warnings": contents.warnings}
    os.makedirs(folder, mode=0o700, exist_ok=True)
    contents = Contents(Terms.of(params, os.path.join(folder, "content")))
    settings = _settings(params, folder, contents)
    before = interrupted(folder)
    with _executor(params) as executor:
        scanned = list(scan(images, executor, settings))
    answer = {**_answer(scanned, images, settings.dir, started), "content_warnings": contents.warnings}
    return {**answer, "continued": before} if before is not None else answer


def _would_scan(params: J, images: t.Sequence[Image], settings: Settings, started: float) -> J:
    due = [(image, params["acquire"]) for image in images]
    if params["executor"] == "kubernetes":
        with _kubernetes(params) as executor:
            due = executor.check(images, settings)
    answer = _answer([], images, settings.dir, started)
    answer["summary"].update(scanned=len(due), reused=len(images) - len(due))
    listed = [{"reference": image.reference, "digest": image.digest, "rung": rung} for image, rung in due[:MAX_INLINE]]
    return {**answer, "changed": bool(due), "would_scan": listed}


def _settings(params: J, folder: str, contents: Contents) -> Settings:
    content = params["content"]
    return Settings(
        dir=folder,
        profile=params["profile"],
        datastream=content if content == "auto" or params["profile"] == "none" else contents.path(content),
        tailoring=contents.path(params["tailoring"], described=False) if params["tailoring"] else "",
        folders=params["content_folders"],
        oval=[contents.path(source) for source in params["oval"]],
        platform=params["platform"],
        parallelism=params["parallelism"],
        timeout=float(params["timeout"]),
        reuse=not params["rescan"],
        compile=params["compile"],
        sample=params["compile_sample"] / 100,
    )


@contextlib.contextmanager
def _executor(params: J) -> t.Iterator[Executor]:
    if params["executor"] == "kubernetes":
        with _kubernetes(params) as executor:
            yield executor
        return
    yield LocalExecutor(
        LocalOptions(
            access=_access(params),
            python=sys.executable,
            way=params["acquire"],
            storage=params["storage"] or "",
            storage_limit=human_to_bytes(params["storage_limit"]),
        )
    )


@contextlib.contextmanager
def _kubernetes(params: J) -> t.Iterator[KubernetesExecutor]:
    pods = PodOptions(
        namespace=params["namespace"],
        image=params["scanner_image"],
        pull_secret=params["pull_secret"],
        priority_class=params["priority_class"],
        node_selector=params["node_selector"],
        tolerations=params["tolerations"],
        affinity=params["affinity"],
        hold=params["hold"],
    )
    client = connect(params)
    try:
        yield KubernetesExecutor(client, KubernetesOptions(pods, _access(params), params["rungs"]))
    finally:
        client.close()


def _access(params: J) -> Access:
    return Access(
        authfile=params["authfile"] or "",
        ca_file=params["ca_file"] or "",
        tls_verify=params["validate_registry_certs"],
        registries_conf=params["registries_conf"] or "",
        timeout=float(params["timeout"]),
    )


def _answer(scanned: t.Sequence[Scanned], images: t.Sequence[Image], root: str, started: float) -> J:
    evidences = [entry.evidence for entry in scanned]
    summary = {
        "images": len(images),
        "scanned": sum(not entry.reused for entry in scanned),
        "reused": sum(entry.reused for entry in scanned),
        "not_applicable": sum(evidence.not_applicable is not None for evidence in evidences),
        "unproven": sum(
            evidence.error is None and not all(check.passed for check in evidence.coverage) for evidence in evidences
        ),
        "error": sum(evidence.error is not None for evidence in evidences),
        "seconds": round(time.monotonic() - started, 1),
    }
    return {
        "changed": summary["scanned"] > 0,
        "scans": [entry.summary(root) for entry in scanned] if len(scanned) <= MAX_INLINE else [],
        "digests": sorted({evidence.digest for evidence in evidences if evidence.digest}),
        "summary": summary,
    }


if __name__ == "__main__":
    main()
