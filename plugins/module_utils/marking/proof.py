# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the API server really refuses what the denied set holds: asked, never assumed.

Every question is a creation with dryRun=All in the proof's namespace, by the caller's own account. One pod asks for
several keys of one DeniedImages object, a container each; the answer names every key that is refused. An
innocent pod must pass, or a refusal would prove nothing.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import time
import typing as t

from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import J
from . import admission
from .names import POD_POLICY, TEMPLATE_POLICY, binding, proof_namespace
from .rbac import PROVER

INNOCENT = "innocent.scap-images.invalid/proof"
WORKERS = 8
DEADLINE = 10.0
"""Seconds that a change may take to be obeyed (an informer's delay; usually far below one)."""

PATIENCE = 60.0
"""Seconds that the API server may be away, as while it is restarted."""

_BATCH_BYTES = 2000
_PER_KEY = 64
_OPENSHIFT = "prohibited by policy"
"""What OpenShift's ImagePolicy plug-in says of an image whose annotation it obeys."""

_MARKED = " is marked "
_MISSING = "is missing"
_NOT_SYNCED = "not yet synced"
"""Right after its start an API server refuses whatever a policy with parameters matches: that proves nothing."""

_IDLE = (
    "the policy and its binding are there, but the API server does not act on them (a known fault of Kubernetes after"
    " they were deleted and made again): run the setup again, or restart the API server"
)


@dataclasses.dataclass
class Proof:
    """What the API server said."""

    refused: set[str] = dataclasses.field(default_factory=set)
    """Keys by which a pod of its own and a controller's pod are refused."""
    warned: set[str] = dataclasses.field(default_factory=set)
    """Keys about which a Deployment is warned."""
    why: dict[str, str] = dataclasses.field(default_factory=dict)
    """For every other key what happened instead."""
    openshift: str = "unknown"
    """Whether OpenShift's own plug-in obeys the annotation: `obeys`, `ignores`, or `unknown` (nothing was refused)."""
    requests: int = 0


class Prover:
    """Asks the questions."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = proof_namespace(namespace)
        self._pods = f"/api/v1/namespaces/{self._namespace}/pods"
        self._deployments = f"/apis/apps/v1/namespaces/{self._namespace}/deployments"

    def refused(self, keys: t.Mapping[str, t.Sequence[str]]) -> Proof:
        """Prove that keys are refused; `keys`: the name of a DeniedImages object to keys of it."""
        proof = Proof()
        waiting = [batch for shard in sorted(keys) for batch in _batches(keys[shard])]
        if not waiting:
            return proof
        deadline, pause, idle = time.monotonic() + DEADLINE, 0.05, ""
        innocent = self._innocent()
        while innocent and _MISSING not in innocent and time.monotonic() + pause < deadline:
            time.sleep(pause)
            pause = min(2 * pause, 2.0)
            innocent = self._innocent()
        if innocent:
            proof.why = {key: innocent for batch in waiting for key in batch}
            return proof
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            while waiting:
                answers = list(pool.map(self._ask, waiting))
                left = [key for answer in answers for key in self._note(answer, proof)]
                if not left or time.monotonic() + pause > deadline:
                    break
                if idle == "":
                    idle = self.diagnosis()
                if _IDLE not in idle and not any(proof.why[key] for key in left):  # nothing to wait for
                    break
                time.sleep(pause)
                pause = min(2 * pause, 2.0)
                waiting = [[key] for key in left] if len(left) < 200 else _batches(left)
        if "" in proof.why.values():
            idle = idle or self.diagnosis()
            proof.why = {key: reason or idle for key, reason in proof.why.items()}
        return proof

    def allowed(self, keys: t.Sequence[str]) -> dict[str, str]:
        """Wait until pods may name these keys; a key that is still refused to what the server says."""
        refused: dict[str, str] = {}
        deadline, pause = time.monotonic() + DEADLINE, 0.05
        waiting = _batches(keys)
        while waiting:
            refused = {}
            for batch in waiting:
                try:
                    self._create(self._pods, _pod(batch))
                except KubeError as error:
                    refused.update({key: said(error) for key in batch})
            if not any(map(_by_policy, refused.values())) or time.monotonic() > deadline:
                break
            time.sleep(pause)
            pause = min(2 * pause, 2.0)
            waiting = [[key] for key in refused]
        return refused

    def diagnosis(self) -> str:
        """Why an API server accepts what the denied set holds."""
        for path, kind, name in (
            (admission.POLICIES, "ValidatingAdmissionPolicy", POD_POLICY),
            (admission.BINDINGS, "ValidatingAdmissionPolicyBinding", binding(POD_POLICY, "deny")),
        ):
            try:
                self._client.get(f"{path}/{name}")
            except KubeError as error:
                if error.status != 404:
                    return f"a pod of it is accepted; {error.message}"
                if "could not find the requested resource" in error.message or error.reason == "":
                    return "this cluster serves no ValidatingAdmissionPolicy (Kubernetes 1.30 or newer does)"
                return f"a pod of it is accepted: the {kind} {name} is missing; run the setup"
        return f"a pod of it is accepted: {_IDLE}"

    def _innocent(self) -> str:
        """Empty where an innocent pod passes, else why it does not."""
        try:
            self._create(self._pods, innocent_pod())
        except KubeError as error:
            if error.status == 404:
                return f"the namespace {self._namespace} {_MISSING}; run the setup"
            return f"an innocent pod is refused too: {said(error)}"
        return ""

    def _ask(self, batch: list[str]) -> tuple[list[str], list[str], list[str]]:
        """The batch, the answers to a pod and to a controller's pod (empty: accepted), a Deployment's warnings."""
        answers = []
        for pod in (_pod(batch), _pod(batch, owned=True)):
            try:
                self._create(self._pods, pod)
                answers.append("")
            except KubeError as error:
                answers.append(said(error))
        try:
            warnings = self._create(self._deployments, _deployment(batch))
        except KubeError as error:
            warnings = [said(error)]
        return batch, answers, warnings

    def _note(self, asked: tuple[list[str], list[str], list[str]], proof: Proof) -> list[str]:
        """Write the answers down; returns the keys to ask again."""
        batch, answers, warnings = asked
        proof.requests += 3
        again = []
        for key in batch:
            if any(TEMPLATE_POLICY in text and _names(text, key) for text in warnings):
                proof.warned.add(key)
            alone = len(batch) == 1
            if all(_by_policy(text) and (_names(text, key) or (alone and _MARKED in text)) for text in answers):
                proof.refused.add(key)
                proof.why.pop(key, None)
                proof.openshift = "ignores" if proof.openshift == "unknown" else proof.openshift
                if key not in proof.warned:
                    proof.why[key] = "refused, but a Deployment of it brings no warning"
                continue
            if _OPENSHIFT in answers[0]:
                proof.openshift = "obeys"
                if _by_policy(answers[1]) or _OPENSHIFT in answers[1]:
                    proof.refused.add(key)
                    proof.why.pop(key, None)
                    continue
            other = next((text for text in answers if text and not _by_policy(text)), "")
            proof.why[key] = f"a pod of it is refused for another reason: {other}" if other else ""
            again.append(key)
        return again

    def _create(self, path: str, body: J) -> list[str]:
        """The warnings of a dry run. Nothing is stored, so it is repeated where the API server could not answer."""
        end, pause = time.monotonic() + PATIENCE, 0.2
        while True:
            try:
                return self._client.create(path, body, dry_run=True).warnings
            except KubeError as error:
                lost = error.status == 0 or error.status >= 500 or _NOT_SYNCED in said(error)
                if not lost or time.monotonic() + pause > end:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 2.0)


def innocent_pod() -> J:
    """A pod whose image nobody can have marked."""
    return _pod([f"{INNOCENT}:1", f"{INNOCENT}@sha256:{'0' * 64}"])


def _by_policy(text: str) -> bool:
    return f"'{POD_POLICY}'" in text


def _names(text: str, key: str) -> bool:
    return f"image {key}{_MARKED}" in text


def said(error: KubeError) -> str:
    """The server's own words, in full."""
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error.message)


def _batches(keys: t.Sequence[str]) -> list[list[str]]:
    """Keys for one pod each: the API server cuts longer messages."""
    batches: list[list[str]] = []
    size = _BATCH_BYTES
    for key in keys:
        size += len(key) + _PER_KEY
        if size > _BATCH_BYTES:
            batches.append([])
            size = len(key) + _PER_KEY
        batches[-1].append(key)
    return batches


def _spec(images: t.Sequence[str]) -> J:
    """A pod specification that Kubernetes' `restricted` standard and OpenShift's restricted-v2 accept."""
    return {
        "serviceAccountName": PROVER,
        "automountServiceAccountToken": False,
        "restartPolicy": "Always",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": f"proof-{number}",
                "image": f"{INNOCENT}@{image}" if image.startswith("sha256:") else image,
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "1m", "memory": "1Mi"}},
            }
            for number, image in enumerate(images)
        ],
    }


def _pod(images: t.Sequence[str], owned: bool = False) -> J:
    metadata: J = {"name": "proof"}
    if owned:
        metadata["ownerReferences"] = [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "proof",
                "uid": "00000000-0000-0000-0000-000000000000",
                "controller": True,
            }
        ]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": _spec(images)}


def _deployment(images: t.Sequence[str]) -> J:
    labels = {"app": "proof"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "proof"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _spec(images)},
        },
    }
