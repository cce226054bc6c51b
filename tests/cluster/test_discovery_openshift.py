"""Discovery in OpenShift's own records, on a real aggregated API server: pages, changes meanwhile, what has expired."""

from __future__ import annotations

import base64
import json
import lzma
import pathlib
import typing as t
import urllib.request

import pytest
from ansible_collections.scap.images.plugins.module_utils.discovery import listing, openshift
from ansible_collections.scap.images.plugins.module_utils.discovery.shapes import (
    IMAGE,
    IMAGE_STREAM,
    IMAGE_STREAM_TAG,
)
from ansible_collections.scap.images.plugins.module_utils.kube import paging
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.module_utils.kube.protobuf import Shape
from ansible_collections.scap.images.plugins.modules.image_discover import ARGUMENTS, run

from tests.support import checkpoints, kube, shared_data

GROUP = "/apis/image.openshift.io/v1"
IMAGES = f"{GROUP}/images"
MADE = {"made-by": "test-discovery-openshift"}
OURS = {"labelSelector": "made-by=test-discovery-openshift"}
J = t.Dict[str, t.Any]


def _digest(number: int) -> str:
    return f"sha256:{number:064x}"


def _image(number: int) -> J:
    name = _digest(number)
    return {
        "apiVersion": "image.openshift.io/v1",
        "kind": "Image",
        "metadata": {"name": name, "labels": MADE, "annotations": {"images.openshift.io/deny-execution": "true"}},
        "dockerImageReference": f"registry.example/team/app@{name}",
        "dockerImageMetadata": {"Architecture": "amd64", "Os": "linux", "Size": 7, "Config": {"Labels": {"a": "b"}}},
    }


@pytest.fixture
def api(cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[kube.Cluster]:
    monkeypatch.setattr(listing, "PAGE", 7)
    cluster.admin.request("DELETE", IMAGES, params=OURS)
    yield cluster
    cluster.admin.request("DELETE", IMAGES, params=OURS)


def _discover(cluster: kube.Cluster, folder: pathlib.Path | None = None, **options: t.Any) -> J:
    defaults = {name: option.get("default") for name, option in ARGUMENTS.items()}
    given = {"kubeconfig": cluster.kubeconfig, "sources": [{"type": "openshift"}], "infrastructure": True}
    found = run({**defaults, **given, "dir": str(folder) if folder else None, **options}, False)
    found["digests"] = {image["digest"] for image in found["images"]}
    return found


def _ours(cluster: kube.Cluster) -> set[str]:
    return {thing["metadata"]["name"] for thing in cluster.admin.get(IMAGES)["items"]}


def test_images_streams_and_tags(api: kube.Cluster) -> None:
    with api.namespace() as namespace:
        base = f"{GROUP}/namespaces/{namespace}"
        meta = {"apiVersion": "image.openshift.io/v1", "metadata": {"name": "app", "namespace": namespace}}
        api.admin.create(f"{base}/imagestreams", {**meta, "kind": "ImageStream"})
        for number in (1, 2):
            mapping = {**meta, "kind": "ImageStreamMapping", "tag": "v1", "image": _image(number)}
            api.admin.create(f"{base}/imagestreammappings", mapping)
        by = {image["digest"]: image for image in _discover(api, namespaces=[namespace])["images"]}
        _same_in_both_forms(api, f"{base}/imagestreams", IMAGE_STREAM, openshift._stream_row, 1)
        _same_in_both_forms(api, f"{base}/imagestreamtags", IMAGE_STREAM_TAG, openshift._tag_row, 1)
        api.admin.delete(f"{base}/imagestreams/app")
    assert set(by) == {_digest(1), _digest(2)}
    new, old = by[_digest(2)], by[_digest(1)]
    tag = f"docker://image-registry.openshift-image-registry.svc:5000/{namespace}/app:v1"
    assert (tag in new["references"], tag in old["references"]) == (True, False)
    assert [place["name"] for place in new["workloads"]] == ["app:v1"]
    assert (new["platform"], new["size"], new["labels"]) == ("linux/amd64", 7, {"a": "b"})
    assert new["annotations"] == {"images.openshift.io/deny-execution": "true"}


def _same_in_both_forms(
    cluster: kube.Cluster, path: str, shape: Shape, row: t.Callable[[J], t.Any], least: int
) -> None:
    """Whether the few fields that are read of protobuf say what the whole objects say as JSON."""
    short, whole = (
        [thing for page in cluster.admin.list_pages(path, shape=form) for thing in page.objects]
        for form in (shape, None)
    )
    assert [thing["metadata"]["name"] for thing in short] == [thing["metadata"]["name"] for thing in whole]
    assert list(map(row, short)) == list(map(row, whole))
    assert len(whole) >= least
    assert "creationTimestamp" not in short[0]["metadata"], "it came as JSON"


def test_changes_while_it_pages_are_seen_by_the_next_run(
    api: kube.Cluster, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        api.admin.create(IMAGES, _image(number))
    rows = openshift._image_row
    seen: list[int] = []

    def meanwhile(thing: J) -> t.Any:
        seen.append(1)
        if len(seen) == 3:
            api.admin.create(IMAGES, _image(50))
            api.admin.delete(f"{IMAGES}/{_digest(15)}")
        return rows(thing)

    monkeypatch.setattr(openshift, "_image_row", meanwhile)
    first = _discover(api, tmp_path)
    assert {_digest(number) for number in range(20) if number != 15} <= first["digests"]
    again = _discover(api, tmp_path)
    assert again["summary"]["sources"][0]["mode"] == "incremental"
    assert again["summary"]["sources"][0]["requests"] <= 3
    assert again["digests"] == _ours(api)


def test_a_page_that_expired_and_a_checkpoint_that_is_too_old(
    api: kube.Cluster, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second page is asked for with a token of a past that etcd has forgotten: 410, and nothing is lost."""
    for number in range(30):
        api.admin.create(IMAGES, _image(number))
    _forget_the_past(api)
    token, again = paging._token, paging._Waiting.again
    made: list[str] = []
    refused: list[int] = []

    def expired(body: t.Any) -> str:
        present = token(body)
        if not present or made or "metadata" not in body:
            return present
        made.append(present)
        past = {**json.loads(base64.urlsafe_b64decode(present + "===")), "rv": 1}
        return base64.urlsafe_b64encode(json.dumps(past).encode()).decode().rstrip("=")

    def told(waiting: t.Any) -> bytes:
        try:
            return again(waiting)
        except KubeError as error:
            refused.append(error.status)
            raise

    monkeypatch.setattr(paging, "_token", expired)
    monkeypatch.setattr(paging._Waiting, "again", told)
    assert _discover(api, tmp_path)["digests"] == _ours(api)
    assert refused == [410]
    checkpoints.age(tmp_path)
    found = _discover(api, tmp_path)
    assert (found["summary"]["sources"][0]["mode"], found["digests"]) == ("full", _ours(api))


def _forget_the_past(cluster: kube.Cluster) -> None:
    etcd = f"http://127.0.0.1:{cluster.place.ports['etcd']}/v3/kv"

    def ask(what: str, body: J) -> J:
        with urllib.request.urlopen(urllib.request.Request(f"{etcd}/{what}", json.dumps(body).encode())) as answer:
            return dict(json.load(answer))

    key = base64.b64encode(b"age").decode()
    revision = ask("range", {"key": key})["header"]["revision"]
    ask("compaction", {"revision": revision, "physical": True})


def test_the_recorded_images_are_all_found(api: kube.Cluster) -> None:
    path = shared_data.path("api", "openshift4", "apis_image.openshift.io_v1_images_limit_1000.json.xz")
    recorded = json.loads(lzma.decompress(path.read_bytes()))["items"]
    for entry in recorded:
        metadata = {"name": entry["metadata"]["name"], "annotations": entry["metadata"].get("annotations", {})}
        body = {**entry, "apiVersion": "image.openshift.io/v1", "kind": "Image"}
        api.admin.create(IMAGES, {**body, "metadata": {**metadata, "labels": MADE}})
    _same_in_both_forms(api, IMAGES, IMAGE, openshift._image_row, 202)
    everything = _discover(api)
    assert len(recorded) == 202
    assert {entry["metadata"]["name"] for entry in recorded} <= everything["digests"]
    usual = _discover(api, infrastructure=False)
    excluded = {
        record["reference"] for record in usual["skipped"] if record["reason"].startswith("excluded: OpenShift")
    }
    assert len(excluded) + len(usual["digests"] & {entry["metadata"]["name"] for entry in recorded}) == 202
