"""The objects of marking as data: ImageScans, policies, roles, and the order in which they come and go."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.scap.images.plugins.module_utils.kube.client import connect
from ansible_collections.scap.images.plugins.module_utils.marking import admission, imagescan, install, rbac, state
from ansible_collections.scap.images.plugins.module_utils.marking.manifests import manifests
from ansible_collections.scap.images.plugins.module_utils.marking.proof import Prover
from ansible_collections.scap.images.plugins.module_utils.model import Mark, ScapError

from tests.support.marking_records import digest, verdict
from tests.support.misbehaving import Say, serving

ROOT = pathlib.Path(__file__).resolve().parents[3]
J = t.Dict[str, t.Any]


def mark(**changes: t.Any) -> Mark:
    values: J = {"digest": digest("a"), "reference": "x", "state": "non_compliant", "stage": "deny", "denied": True}
    return Mark(**{**values, "blocked": "proven", "changed": False, "marked_at": "2026-11-23T00:00:00Z", **changes})


def test_a_scan_says_the_same_until_something_changes() -> None:
    first = imagescan.build(verdict("a"), mark(), "r", None)
    assert imagescan.same(imagescan.build(verdict("a", judged_at="2026-11-22T00:00:00Z"), mark(), "r", first), first)
    assert not imagescan.same(imagescan.build(verdict("a"), mark(blocked="no"), "r", first), first)
    relabelled = {**first, "metadata": {**first["metadata"], "labels": {}}}
    assert not imagescan.same(first, relabelled)
    assert not imagescan.same(first, None)


def test_the_condition_keeps_its_time_while_its_status_stays() -> None:
    first = imagescan.build(verdict("a"), mark(), "", None)
    later = verdict("a", judged_at="2026-12-01T00:00:00Z", scanned_at="2026-12-01T00:00:00Z")
    [condition] = imagescan.build(later, mark(), "", first)["status"]["conditions"]
    assert (condition["status"], condition["lastTransitionTime"]) == ("False", "2026-11-20T10:00:05Z")
    good = verdict("a", "compliant", judged_at="2026-12-01T00:00:00Z")
    [condition] = imagescan.build(good, mark(state="compliant", denied=False), "", first)["status"]["conditions"]
    assert (condition["status"], condition["lastTransitionTime"]) == ("True", "2026-12-01T00:00:00Z")


def _policies(**arguments: t.Any) -> dict[tuple[str, str], J]:
    found = admission.objects("scap-images", **arguments)
    return {
        (data["kind"].replace("ValidatingAdmissionPolicy", "") or "Policy", data["metadata"]["name"]): data
        for data in found
    }


def test_the_system_is_exempt_in_policies_and_bindings() -> None:
    for (_kind, name), data in _policies(exempt=["mine"]).items():
        if name == "scap-images-proof":
            continue
        part = data["spec"].get("matchConstraints") or data["spec"]["matchResources"]
        [condition] = part["namespaceSelector"]["matchExpressions"]
        assert condition["operator"] == "NotIn"
        assert {"kube-system", "scap-images", "mine"} <= set(condition["values"])


def test_pods_fail_closed_and_templates_open_and_nothing_else_is_matched() -> None:
    found = _policies()
    assert found["Policy", "scap-images-pods"]["spec"]["failurePolicy"] == "Fail"
    assert found["Policy", "scap-images-templates"]["spec"]["failurePolicy"] == "Ignore"
    resources = {
        resource
        for (kind, _name), data in found.items()
        if kind == "Policy"
        for rule in data["spec"]["matchConstraints"]["resourceRules"]
        for resource in rule["resources"]
    }
    assert not {one for one in resources if one == "*" or "admission" in one or "customresource" in one}
    for stage, actions in (("report", ["Audit"]), ("warn", ["Warn", "Audit"]), ("deny", ["Deny", "Audit"])):
        assert found["Binding", f"scap-images-pods-{stage}"]["spec"]["validationActions"] == actions
        assert "Deny" not in found["Binding", f"scap-images-templates-{stage}"]["spec"]["validationActions"]


@pytest.mark.parametrize(
    ("restricted", "sets"),
    [
        ([], {"report": ["report"], "warn": ["warn"], "deny": ["deny"]}),
        (["deny"], {"report": ["report"], "warn": ["warn", "deny"], "deny": ["deny"]}),
        (["warn"], {"report": ["report", "warn"], "warn": ["warn"], "deny": ["deny"]}),
        (["warn", "deny"], {"report": ["report", "warn", "deny"], "warn": ["warn", "deny"], "deny": ["deny"]}),
    ],
)
def test_elsewhere_the_next_milder_stage_obeys(restricted: list[str], sets: dict[str, list[str]]) -> None:
    selectors = {stage: {"matchLabels": {"environment": stage}} for stage in restricted}
    assert {stage: admission.sets_of(stage, selectors) for stage in sets} == sets


def test_the_shipped_role_is_what_the_setup_applies() -> None:
    documents = yaml.safe_load((ROOT / "examples" / "rbac" / "marker.yml").read_text())["items"]
    assert documents == rbac.objects("scap-images")


def test_the_marker_has_no_right_to_scan_or_to_change_policies() -> None:
    for rule in rbac.RULES + rbac.PROOF_RULES:
        assert "*" not in rule["resources"] + rule["verbs"] + rule["apiGroups"]
        assert not {"secrets", "pods/exec", "nodes"} & set(rule["resources"])
        if "admissionregistration.k8s.io" in rule["apiGroups"]:
            assert set(rule["verbs"]) == {"get", "list"}


def test_the_proof_namespace_is_one_that_deny_selects() -> None:
    selector = {
        "matchLabels": {"environment": "production"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["gold", "silver"]},
            {"key": "owned", "operator": "Exists"},
            {"key": "test", "operator": "DoesNotExist"},
        ],
    }
    labels = rbac.selected_by(selector)
    assert state.selects(selector, labels)
    namespace = next(
        data for data in manifests("x", stages={"deny": selector}) if data["metadata"]["name"] == "x-proof"
    )
    assert labels.items() <= namespace["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("labels", "chosen"),
    [({"a": "1", "b": "x"}, True), ({"a": "2", "b": "x"}, False), ({"a": "1"}, False), ({"a": "1", "b": "y"}, False)],
)
def test_label_selectors(labels: dict[str, str], chosen: bool) -> None:
    selector = {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "In", "values": ["x"]}]}
    assert state.selects(selector, labels) is chosen


def test_paths_and_what_two_parts_share() -> None:
    found = manifests("scap-images")
    paths = [install.path(data) for data in found]
    assert "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/scap-images-pods" in paths
    assert "/api/v1/namespaces/scap-images-proof/serviceaccounts/proof" in paths
    assert len(set(paths)) == len(paths)
    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "scap-images", "labels": {"a": "b"}}}
    both = install.merged([*found, other])
    assert len(both) == len(found)
    shared = next(data for data in both if install.path(data) == "/api/v1/namespaces/scap-images")
    assert shared["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "scap.images", "a": "b"}


def test_a_cluster_without_admission_policies_is_told_so() -> None:
    """By the setup, and by the proof, where they were there once."""
    gone = Say(404, {"kind": "Status", "code": 404, "message": "the server could not find the requested resource"})
    policies = [data for data in manifests("scap-images") if data["kind"] == "ValidatingAdmissionPolicy"]
    with serving(lambda _asked: gone) as server:
        client = connect({"host": f"http://{server.address}", "api_key": "x"})
        with pytest.raises(ScapError, match="serves no ValidatingAdmissionPolicy: Kubernetes"):
            install.install(client, policies)
        assert "this cluster serves no ValidatingAdmissionPolicy" in Prover(client, "scap-images").diagnosis()


def test_everything_carries_the_label() -> None:
    assert all(data["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "scap.images" for data in manifests("x"))
