"""The annotations of OpenShift Images on a real image API, with the marker's own rights."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.module_utils.marking import admission
from ansible_collections.scap.images.plugins.module_utils.marking import annotations as words
from ansible_collections.scap.images.plugins.module_utils.marking.install import install
from ansible_collections.scap.images.plugins.module_utils.marking.manifests import manifests
from ansible_collections.scap.images.plugins.module_utils.marking.state import OPENSHIFT_IMAGES

from tests.support.marking import EXEMPT, NAMESPACE, Cluster, pod, wait
from tests.support.marking_records import digest, verdict

pytest_plugins = ["tests.support.marking"]

FOREIGN = {"quality.images.openshift.io/vulnerability.clair": "theirs", "openshift.io/image.managed": "true"}


@pytest.fixture
def cluster(prepared: Cluster) -> t.Iterator[Cluster]:
    prepared.clean()
    try:
        prepared.admin.get(OPENSHIFT_IMAGES, {"limit": 1})
    except KubeError as error:
        if error.status == 404:
            pytest.skip("this cluster has no image.openshift.io")
        raise
    made = [digest("a"), digest("b"), digest("big")]
    for name in made:
        prepared.admin.delete(f"{OPENSHIFT_IMAGES}/{name}")
        prepared.admin.create(OPENSHIFT_IMAGES, _image(name))
    yield prepared
    for name in made:
        prepared.admin.delete(f"{OPENSHIFT_IMAGES}/{name}")


def _image(name: str, **annotations: str) -> dict[str, t.Any]:
    return {
        "apiVersion": "image.openshift.io/v1",
        "kind": "Image",
        "metadata": {"name": name, "annotations": {**FOREIGN, **annotations}},
        "dockerImageReference": f"registry.example:5000/team/app@{name}",
    }


def _annotations(cluster: Cluster, name: str) -> dict[str, str]:
    return dict(cluster.admin.get(f"{OPENSHIFT_IMAGES}/{name}")["metadata"]["annotations"])


def test_annotated_turned_round_and_lifted(cluster: Cluster) -> None:
    outcome = cluster.run(verdict("a"), verdict("b", "compliant"))
    assert outcome.written["Image"] == 2
    assert outcome.openshift in ("ignores", "obeys")
    bad, good = _annotations(cluster, digest("a")), _annotations(cluster, digest("b"))
    assert (bad[words.DENY], bad[words.FAILED], words.SUCCESSFUL in bad) == ("true", "default", False)
    assert (good[words.DENY], good[words.SUCCESSFUL], words.FAILED in good) == ("false", "default", False)
    assert FOREIGN.items() <= bad.items()
    assert "Image" not in cluster.run(verdict("a"), verdict("b", "compliant")).written

    cluster.run(verdict("a", "compliant"), verdict("b", "error"))
    assert words.FAILED not in _annotations(cluster, digest("a"))
    assert _annotations(cluster, digest("b")) == good, "an error changes no annotation"
    cluster.lift()
    for name in (digest("a"), digest("b")):
        assert _annotations(cluster, name) == FOREIGN


def test_a_plug_in_that_obeys_the_annotation_is_found_by_trying_and_is_no_proof(cluster: Cluster) -> None:
    """OpenShift's ImagePolicy plug-in with a rule refuses bare pods alone. Another policy stands in for it here: what
    the API server says then is the same, and nothing but its words is looked at."""
    policy, binding = f"{admission.POLICIES}/scap-test-image-policy", f"{admission.BINDINGS}/scap-test-image-policy"
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    spec: dict[str, t.Any] = {
        "matchConstraints": {"resourceRules": [pods]},
        "matchConditions": [{"name": "bare", "expression": "!has(object.metadata.ownerReferences)"}],
        "validations": [
            {
                "expression": f"!object.spec.containers.exists(c, c.image.endsWith('{digest('a')}'))",
                "message": "this image is prohibited by policy",
            }
        ],
    }
    base = {"apiVersion": admission.GROUP_VERSION, "metadata": {"name": "scap-test-image-policy"}}
    bound = {"policyName": "scap-test-image-policy", "validationActions": ["Deny"]}
    cluster.admin.delete(f"{admission.BINDINGS}/scap-images-pods-deny")
    cluster.admin.apply(policy, {**base, "kind": "ValidatingAdmissionPolicy", "spec": spec})
    cluster.admin.apply(binding, {**base, "kind": "ValidatingAdmissionPolicyBinding", "spec": bound})
    try:
        name = f"registry.example/x@{digest('a')}"
        wait(lambda: "prohibited by policy" in cluster.try_pod(pod(name))[0], "the stand-in refuses")
        outcome = cluster.run(verdict("a"))
        assert outcome.openshift == "obeys"
        assert outcome.marks[0].blocked.startswith("unproven: "), "a controller's pod passes it"
    finally:
        cluster.admin.delete(binding)
        cluster.admin.delete(policy)
    wait(lambda: not cluster.try_pod(pod(name))[0], "the stand-in is gone")
    install(cluster.admin, manifests(NAMESPACE, [EXEMPT]))
    wait(lambda: cluster.run(verdict("a")).marks[0].blocked == "proven", "proven by our own policy")
    assert cluster.run(verdict("a"), verdict("b")).openshift == "ignores"


def test_the_others_are_marked_where_one_has_no_room(cluster: Cluster) -> None:
    """Annotations may have 256 KiB altogether: the server refuses more, the denial holds all the same."""
    name = digest("big")
    room = 256 * 1024 - sum(len(key) + len(value) for key, value in FOREIGN.items()) - 64
    cluster.admin.patch(f"{OPENSHIFT_IMAGES}/{name}", {"metadata": {"annotations": {"big.example/filler": "x" * room}}})
    outcome = cluster.run(verdict("a"), verdict("big"))
    assert list(outcome.failures) == [name]
    assert "annotations" in outcome.failures[name][0]
    assert [mark.blocked for mark in outcome.marks] == ["proven", "proven"]
    assert _annotations(cluster, digest("a"))[words.DENY] == "true"


def test_an_image_that_is_gone_is_no_failure(cluster: Cluster) -> None:
    cluster.admin.delete(f"{OPENSHIFT_IMAGES}/{digest('a')}")
    outcome = cluster.run(verdict("a"))
    assert outcome.failures == {}
    assert outcome.marks[0].blocked == "proven"
