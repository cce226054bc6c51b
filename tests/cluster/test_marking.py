"""Marks, denials and their proof on a real API server, with nothing but the marker's own rights."""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import json
import pathlib
import time
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.module_utils.marking import admission, denied, imagescan
from ansible_collections.scap.images.plugins.module_utils.marking import install as installer
from ansible_collections.scap.images.plugins.module_utils.marking.denied import Exemption
from ansible_collections.scap.images.plugins.module_utils.marking.engine import Marker
from ansible_collections.scap.images.plugins.module_utils.marking.install import install, remove
from ansible_collections.scap.images.plugins.module_utils.marking.manifests import manifests
from ansible_collections.scap.images.plugins.module_utils.marking.outcome import GuardError, Options
from ansible_collections.scap.images.plugins.module_utils.model import Check, Reason, ScapError, VerdictImage, to_json
from ansible_collections.scap.images.plugins.module_utils.store import CANARY_CHECK
from ansible_collections.scap.images.plugins.modules import image_annotate

from tests.support import marking as support
from tests.support.marking import EXEMPT, LEGACY, NAMESPACE, PRODUCTION, TEAM, Cluster, pod, wait
from tests.support.marking_records import digest, image, verdict

TAG = "registry.example:5000/team/app-a:1"


pytest_plugins = ["tests.support.marking"]


@pytest.fixture
def cluster(prepared: Cluster) -> Cluster:
    prepared.clean()
    return prepared


def test_marked_refused_lifted(cluster: Cluster) -> None:
    assert cluster.try_pod(pod(TAG))[0] == ""
    before = cluster.run(verdict("b", "compliant"), check=True)
    assert [mark.blocked for mark in before.marks] == ["no"]

    outcome = cluster.run(
        verdict("a"), verdict("b", "compliant"), report="https://scap.example", help="mail ann@example.org"
    )
    bad, good = outcome.marks
    assert (bad.state, bad.denied, bad.blocked, bad.changed) == ("non_compliant", True, "proven", True)
    assert (good.state, good.denied, good.blocked) == ("compliant", False, "no")

    refusal = cluster.try_pod(pod(TAG))[0]
    for part in (TAG, "non_compliant", "https://scap.example", "mail ann@example.org", time.strftime("%Y-%m")):
        assert part in refusal
    assert cluster.try_pod(pod(f"other.example/x@{digest('a')}"))[0]
    assert cluster.try_pod(pod("registry.example:5000/team/app-b:1"))[0] == ""

    scan = cluster.scan(digest("a"))
    assert scan["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "scap.images"
    assert {entry["manager"] for entry in scan["metadata"]["managedFields"]} == {"scap.images"}
    assert (scan["status"]["state"], scan["status"]["blocked"]) == ("non_compliant", "proven")
    assert len(json.dumps({**scan, "metadata": {}})) < 1500

    again = cluster.run(
        verdict("a"), verdict("b", "compliant"), report="https://scap.example", help="mail ann@example.org"
    )
    assert again.written == {}
    assert [mark.changed for mark in again.marks] == [False, False]

    lifted = cluster.run(dataclasses.replace(verdict("a"), state="compliant"), verdict("b", "compliant"))
    assert lifted.lifted == 1
    assert cluster.try_pod(pod(TAG))[0] == ""
    assert cluster.denied() == {}
    condition = cluster.scan(digest("a"))["status"]["conditions"][0]
    assert (condition["type"], condition["status"]) == ("Compliant", "True")


def test_lift_takes_every_trace_away(cluster: Cluster) -> None:
    cluster.run(verdict("a"), verdict("b"), verdict("c", "compliant"))
    outcome = cluster.lift(TAG)
    assert [(mark.digest, mark.state) for mark in outcome.marks] == [(digest("a"), "absent")]
    assert cluster.try_pod(pod(TAG))[0] == ""
    assert cluster.try_pod(pod(f"x.example/x@{digest('b')}"))[0]
    cluster.lift()
    assert cluster.denied() == {}
    assert cluster.admin.get(imagescan.PATH)["items"] == []
    assert cluster.lift(TAG).notes == ["none of these images has a mark"]


@pytest.mark.parametrize("state", ["error", "stale", "not_applicable"])
def test_what_proves_nothing_lifts_nothing(cluster: Cluster, state: str) -> None:
    cluster.run(verdict("a"))
    outcome = cluster.run(verdict("a", state), verdict("b", state))
    assert [(mark.denied, mark.blocked) for mark in outcome.marks] == [(True, "proven"), (False, "no")]
    assert "non_compliant" in cluster.try_pod(pod(TAG))[0]
    assert cluster.scan(digest("a"))["status"]["state"] == state
    assert cluster.scan(digest("b"))["status"]["conditions"][0]["status"] == "Unknown"


def test_a_wrong_canary_changes_no_mark(cluster: Cluster) -> None:
    """Neither a denial, which such a verdict would lift or make, nor what people read of the image."""
    cluster.run(verdict("a"))
    before = cluster.denied(), cluster.scan(digest("a"))
    wrong = [Check(CANARY_CHECK, False, "a canary image got a wrong answer")]
    blind = dataclasses.replace(verdict("a", "compliant"), coverage=wrong)
    assert cluster.run(blind).marks[0].denied
    assert cluster.try_pod(pod(TAG))[0]
    cluster.run(verdict("a"))
    assert (cluster.denied(), cluster.scan(digest("a"))["spec"]) == (before[0], before[1]["spec"])
    judged = {"coverage": wrong, "reasons": [Reason(f"unproven_{CANARY_CHECK}", "a wrong answer")]}
    both = [to_json(verdict(name, "error", **judged)) for name in ("a", "new")]
    defaults = {name: option.get("default") for name, option in image_annotate.ARGUMENTS.items()}
    given = {"verdicts": both, "stage": "deny", "deny_on": ["non_compliant", "error"]}
    token = {"host": cluster.admin.host, "api_key": cluster.token, "validate_certs": False}
    result = image_annotate.run({**defaults, **given, **token}, False)
    assert (result["changed"], result["marks"]) == (False, [])
    assert "2 images were scanned by a run whose canary images got wrong answers" in result["notes"][0]
    assert cluster.denied() == before[0]
    assert cluster.try_pod(pod(f"x.example/x@{digest('new')}"))[0] == ""


def test_stages(cluster: Cluster) -> None:
    cluster.run(verdict("a"), stage="report")
    assert cluster.try_pod(pod(TAG)) == ("", [])
    cluster.run(verdict("a"), stage="warn")
    refusal, warnings = wait(
        lambda: (answer := cluster.try_pod(pod(TAG)))[1] and answer, "the pod is created with a warning"
    )
    assert refusal == ""
    assert TAG in warnings[0]
    cluster.run(verdict("a"), stage="deny")
    assert cluster.try_pod(pod(TAG))[0]
    [mark] = cluster.run(verdict("a"), stage="report").marks
    assert (mark.stage, mark.denied, mark.blocked) == ("deny", True, "proven")


def test_a_stage_per_namespace(cluster: Cluster) -> None:
    """deny where a label says so, warn elsewhere; and back to deny everywhere."""
    production = {"matchLabels": {"environment": "production"}}
    install(cluster.admin, manifests(NAMESPACE, [EXEMPT], {"deny": production}))
    [mark] = cluster.run(verdict("a")).marks
    assert mark.blocked == "proven"
    wait(lambda: cluster.try_pod(pod(TAG), PRODUCTION)[0], "refused in production")
    refusal, warnings = wait(lambda: (a := cluster.try_pod(pod(TAG))) and a[1] and a, "only warned elsewhere")
    assert (refusal, len(warnings)) == ("", 1)


def test_nothing_is_refused_where_the_binding_exempts(cluster: Cluster) -> None:
    cluster.run(verdict("a"))
    assert cluster.try_pod(pod(TAG))[0]
    for namespace in ("kube-system", NAMESPACE, EXEMPT):
        user = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}
        cluster.admin.apply(f"/api/v1/namespaces/{namespace}/serviceaccounts/default", user)
        assert cluster.try_pod(pod(TAG), namespace)[0] == "", namespace


def test_exemptions_have_a_place_and_an_end(cluster: Cluster) -> None:
    leave = Exemption(TAG, (LEGACY,), "ann@example.org", "until the move", "2999-12-31")
    cluster.run(verdict("a"), exemptions=(leave,))
    wait(lambda: not cluster.try_pod(pod(TAG), LEGACY)[0], "exempt by tag")
    assert cluster.try_pod(pod(f"x.example/x@{digest('a')}"), LEGACY)[0] == ""
    assert cluster.try_pod(pod(TAG))[0]
    # a run that says nothing of exemptions keeps them, and what the API server compares is the day
    [mark] = cluster.run(verdict("a")).marks
    assert "ann@example.org: until the move" in mark.detail
    [(name, data)] = cluster.denied().items()
    data["spec"]["exempt"] = {key: text.replace("2999-", "2020-") for key, text in data["spec"]["exempt"].items()}
    cluster.admin.request("PUT", f"{denied.PATH}/{name}", data)
    wait(lambda: cluster.try_pod(pod(TAG), LEGACY)[0], "refused again after its day")


def test_the_guard_counts_before_it_denies(cluster: Cluster) -> None:
    pods = f"/api/v1/namespaces/{TEAM}/pods"
    names = [f"guard-{number}" for number in range(2)]
    for name in names:
        body = pod(TAG)
        body["metadata"] = {
            "name": name,
            "labels": {"pod-template-hash": "5d4f"},
            "finalizers": [
                "scap-images.github.io/tests"
            ],  # the owner is none: a controller manager would remove the pod
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f", "uid": "u", "controller": True}
            ],
        }
        body["spec"]["nodeSelector"] = {"no": "node"}
        cluster.admin.create(pods, body)
    try:
        with pytest.raises(GuardError) as caught:
            cluster.run(verdict("a"), max_stopped=10.0)
        assert f"Deployment {TEAM}/web" in caught.value.message
        assert caught.value.blast.stopped == 2
        assert cluster.denied() == {}
        outcome = cluster.run(verdict("a"), max_stopped=100.0)
        assert outcome.marks[0].blocked == "proven"
        assert outcome.blast
        assert [(one.kind, one.name, one.pods) for one in outcome.blast.workloads] == [("Deployment", "web", 2)]
        assert cluster.run(verdict("a"), max_stopped=0.0).blast is None, "nothing new is denied"
        # what runs already can still be labelled and taken away
        cluster.admin.patch(f"{pods}/{names[0]}", {"metadata": {"labels": {"touched": "yes"}}})
    finally:
        for name in names:
            cluster.admin.delete(f"{pods}/{name}")
            cluster.admin.patch(f"{pods}/{name}", {"metadata": {"finalizers": None}})


def test_the_module_keeps_marks_and_blast_radius(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    """At the stage warn already, so that people see what deny would stop."""
    path = f"/api/v1/namespaces/{TEAM}/pods"
    cluster.admin.create(path, {**pod(TAG, nodeSelector={"no": "node"}), "metadata": {"name": "blast"}})
    verdicts, dest = tmp_path / "verdicts.jsonl", tmp_path / "marks.jsonl"
    verdicts.write_text(json.dumps(to_json(verdict("a"))) + "\n")
    defaults = {name: option.get("default") for name, option in image_annotate.ARGUMENTS.items()}
    given = {"verdicts_from": str(verdicts), "dest": str(dest), "stage": "warn"}
    token = {"host": cluster.admin.host, "api_key": cluster.token, "validate_certs": False}
    try:
        result = image_annotate.run({**defaults, **given, **token}, False)
        assert "would not start again at stage deny: 1 of " in result["warning"]
        kept = json.loads((tmp_path / "blast.json").read_text())
        [one] = [entry for entry in kept["workloads"] if entry["namespace"] == TEAM]
        assert one == {
            "kind": "Pod",
            "namespace": TEAM,
            "name": "blast",
            "pods": 1,
            "images": [TAG],
            "digests": [digest("a")],
        }
        assert result["blast"] == kept
        assert json.loads(dest.read_text())["stage"] == "warn"
        with pytest.raises(GuardError):
            image_annotate.run({**defaults, **given, **token, "stage": "deny", "max_stopped": 0.0}, False)
        assert [data["metadata"]["name"] for data in cluster.denied().values()] == ["warn-00001"]
    finally:
        cluster.admin.request("DELETE", f"{path}/blast", params={"gracePeriodSeconds": 0})


def test_an_image_without_a_digest_is_told_and_the_others_are_marked(cluster: Cluster) -> None:
    nameless = verdict("n", image=VerdictImage("docker://registry.example/n:1", "", "", ""))
    odd = verdict("o", image=VerdictImage("docker://registry.example/o:1", "sha256:ABC", "", ""))
    marks = cluster.run(verdict("a"), nameless, odd).marks
    assert [(mark.reference, mark.denied, mark.blocked) for mark in marks] == [
        (f"docker://{TAG}", True, "proven"),
        ("docker://registry.example/n:1", False, "no"),
        ("docker://registry.example/o:1", False, "no"),
    ]
    assert {mark.detail for mark in marks[1:]} == {"the image has no digest, so nothing can be marked"}
    assert [scan["spec"]["digest"] for scan in cluster.admin.get(imagescan.PATH)["items"]] == [digest("a")]


def test_two_runs_at_once_lose_nothing(cluster: Cluster) -> None:
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        runs = [
            pool.submit(cluster.run, *(verdict(f"{part}-{number}") for number in range(20))) for part in ("x", "y", "z")
        ]
        outcomes = [run.result() for run in runs]
    assert all(mark.blocked == "proven" for outcome in outcomes for mark in outcome.marks)
    found = {key for data in cluster.denied().values() for key in data["spec"]["images"]}
    assert {digest(f"{part}-{number}") for part in ("x", "y", "z") for number in range(20)} <= found


def test_edited_by_hand_is_repaired(cluster: Cluster) -> None:
    cluster.run(verdict("a"), verdict("b"))
    [(name, data)] = cluster.denied().items()
    del data["spec"]["images"][digest("a")]
    data["metadata"]["labels"] = {}
    cluster.admin.request("PUT", f"{denied.PATH}/{name}", data)
    wait(lambda: not cluster.try_pod(pod(TAG))[0], "nothing is denied now")
    outcome = cluster.run(verdict("a"), verdict("b"))
    assert [mark.blocked for mark in outcome.marks] == ["proven", "proven"]
    assert cluster.try_pod(pod(f"x.example/x@{digest('a')}"))[0]


def test_a_tag_that_moved_is_followed(cluster: Cluster) -> None:
    name = f"docker://{TAG}"
    cluster.run(verdict("a"), images=[image("a", name)])
    assert cluster.try_pod(pod(TAG))[0]
    now = [image("a", f"docker://x.example/a@{digest('a')}"), image("new", name)]
    outcome = cluster.run(verdict("a"), verdict("new", "compliant"), images=now)
    # the verdict of the old image still names the tag that it was scanned by
    assert cluster.try_pod(pod(f"x.example/x@{digest('a')}"))[0]
    wait(lambda: not cluster.try_pod(pod(TAG))[0], f"the tag means another image: {outcome.notes}")


@pytest.mark.parametrize("missing", ["binding", "policy"])
def test_an_idle_policy_is_never_called_proof(cluster: Cluster, missing: str) -> None:
    """Deleted by hand: every denial becomes unproven, with the reason; made again: proven, or said to be idle."""
    cluster.run(verdict("a"))
    path = {
        "binding": f"{admission.BINDINGS}/scap-images-pods-deny",
        "policy": f"{admission.POLICIES}/scap-images-pods",
    }[missing]
    cluster.admin.delete(path)
    wait(lambda: not cluster.try_pod(pod(TAG))[0], "the API server has noticed")
    [mark] = cluster.run(verdict("a")).marks
    assert mark.denied
    assert mark.blocked.startswith("unproven")
    assert path.rsplit("/", 1)[1] in mark.blocked
    assert "run the setup" in mark.blocked
    assert cluster.scan(digest("a"))["status"]["blocked"].startswith("unproven")
    install(cluster.admin, manifests(NAMESPACE, [EXEMPT]))
    [mark] = cluster.run(verdict("a")).marks
    refused = bool(cluster.try_pod(pod(TAG))[0])
    assert (mark.blocked == "proven") == refused
    assert refused, f"made again, the policy is obeyed: {mark.blocked}"


def test_the_policy_locks_nobody_out(cluster: Cluster) -> None:
    """Policies whose CRD is missing refuse every pod they match, but the system's pods start and everything can go."""
    policies = [data for data in manifests(NAMESPACE, [EXEMPT]) if data["kind"].startswith("ValidatingAdmission")]
    assert len(remove(cluster.admin, policies)) == len(policies)
    broken = copy.deepcopy(policies)
    for data in broken:
        if "paramKind" in data["spec"]:
            data["spec"]["paramKind"]["kind"] = "NeverDefined"
    for data in broken:
        cluster.admin.apply(installer.path(data), data)
    wait(lambda: cluster.try_pod(pod())[0], "the policy fails closed outside of the system")
    for namespace in ("kube-system", NAMESPACE, EXEMPT):
        assert cluster.try_pod(pod(), namespace)[0] == "", namespace
    assert len(remove(cluster.admin, policies)) == len(policies)
    wait(lambda: not cluster.try_pod(pod())[0], "pods start again")
    install(cluster.admin, policies)
    assert cluster.run(verdict("a")).marks[0].blocked == "proven"


def test_without_the_setup_it_is_named(cluster: Cluster) -> None:
    remove(cluster.admin, [denied.definition()])
    wait(lambda: not _served(cluster, denied.PATH), "the resource is gone")
    with pytest.raises(ScapError, match=r"run the playbook scap\.images\.setup"):
        cluster.run(verdict("a"))
    install(cluster.admin, manifests(NAMESPACE, [EXEMPT]))
    wait(lambda: cluster.run(verdict("a")).marks[0].blocked == "proven", "proven again")


def _served(cluster: Cluster, path: str) -> bool:
    try:
        cluster.admin.get(path)
    except KubeError as error:
        return error.status != 404
    return True


def test_check_mode_writes_nothing_and_shows_the_difference(cluster: Cluster) -> None:
    outcome = cluster.run(verdict("a"), check=True)
    assert outcome.written == {"DeniedImages": 1, "ImageScan": 1}
    assert f"denied set, deny: {digest('a')}" in outcome.after
    assert cluster.denied() == {}
    assert cluster.admin.get(imagescan.PATH)["items"] == []


def test_a_right_that_is_missing_is_named(cluster: Cluster) -> None:
    stranger = support.account(cluster.admin, NAMESPACE + "-proof", "proof")
    with pytest.raises(KubeError) as caught:
        Marker(stranger, Options(NAMESPACE, "deny")).mark([verdict("a")])
    assert 'resources: ["' in caught.value.message
    assert "scap-images.github.io" in caught.value.message


def test_the_marker_can_store_no_pod_and_touch_no_policy(cluster: Cluster) -> None:
    body = {**pod(), "metadata": {"name": "real"}}
    body["spec"]["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    body["spec"]["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    body["spec"]["serviceAccountName"] = "proof"
    path = f"/api/v1/namespaces/{NAMESPACE}-proof/pods"
    cluster.marker.create(path, body, dry_run=True)
    with pytest.raises(KubeError, match="dry runs only"):
        cluster.marker.create(path, body)
    for attempt in (
        lambda: cluster.marker.create(f"/api/v1/namespaces/{TEAM}/pods", pod(), dry_run=True),
        lambda: cluster.marker.delete(f"{admission.BINDINGS}/scap-images-pods-deny"),
        lambda: cluster.marker.get("/api/v1/namespaces/kube-system/secrets"),
    ):
        with pytest.raises(KubeError) as caught:
            attempt()
        assert caught.value.status == 403


@pytest.mark.parametrize(
    "damage",
    [
        {"spec": {"digest": "sha256:ABC"}},
        {"status": {"state": "fine"}},
        {"metadata": {"name": "sha256-other"}},
        {"spec": {"image": "x" * 600}},
    ],
)
def test_the_schema_refuses_what_is_no_mark(cluster: Cluster, damage: dict[str, t.Any]) -> None:
    mark = cluster.run(verdict("a"), check=True).marks[0]
    good = imagescan.build(verdict("a"), mark, "", None)
    cluster.admin.create(imagescan.PATH, good, dry_run=True)
    bad = {**good, **{part: {**good[part], **change} for part, change in damage.items()}}
    with pytest.raises(KubeError) as caught:
        cluster.admin.create(imagescan.PATH, bad, dry_run=True)
    assert caught.value.status == 422


def test_the_fleet_at_a_glance(cluster: Cluster) -> None:
    cluster.run(verdict("a"))
    accept = "application/json;as=Table;g=meta.k8s.io;v=v1"
    table = cluster.admin.request("GET", imagescan.PATH, accept=accept).json()
    columns = [column["name"] for column in table["columnDefinitions"]]
    assert columns[:5] == ["Name", "State", "High", "Image", "Scanned"]
    [row] = table["rows"]
    assert row["cells"][1:4] == ["non_compliant", 2, f"docker://{TAG}"]
    names = cluster.admin.get("/apis/scap-images.github.io/v1alpha1")["resources"]
    assert {"iscan"} <= {short for one in names for short in one.get("shortNames", [])}


def test_a_thousand_images_once_and_again(cluster: Cluster) -> None:
    verdicts = [verdict(number, "non_compliant" if number % 4 == 0 else "compliant") for number in range(1000)]
    first = cluster.run(*verdicts)
    assert sum(mark.blocked == "proven" for mark in first.marks) == 250
    requests = cluster.marker.requests
    again = cluster.run(*verdicts)
    assert again.written == {}
    assert cluster.marker.requests - requests < 20
    one_more = cluster.run(*verdicts, verdict("one more"))
    assert one_more.written == {"DeniedImages": 1, "ImageScan": 1}
