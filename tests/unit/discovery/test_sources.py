"""Each source's rows, spellings and refusals."""

from __future__ import annotations

import json

import pytest
from ansible_collections.scap.images.plugins.module_utils.discovery import sources
from ansible_collections.scap.images.plugins.module_utils.discovery.checkpoint import Checkpoints
from ansible_collections.scap.images.plugins.module_utils.discovery.discover import Wish, discover
from ansible_collections.scap.images.plugins.module_utils.discovery.interface import Setting
from ansible_collections.scap.images.plugins.module_utils.discovery.names import running_reference
from ansible_collections.scap.images.plugins.module_utils.discovery.registries import Registries
from ansible_collections.scap.images.plugins.module_utils.discovery.selection import Selection
from ansible_collections.scap.images.plugins.module_utils.kube.client import connect
from ansible_collections.scap.images.plugins.module_utils.model import Image, ScapError

from tests.support import shared_data
from tests.support.misbehaving import Say, serving

D1, D2, D3 = (f"sha256:{character * 64}" for character in "abc")
EVERYTHING = Selection(infrastructure=True)


def setting(host="", folder=None, **values):
    return Setting(
        connect=lambda: connect({"host": host, "api_key": "x"}),
        registries=Registries(),
        store=Checkpoints(folder),
        **values,
    )


@pytest.mark.parametrize(
    ("image_id", "reference"),
    [
        (f"docker-pullable://quay.io/a/b@{D1}", f"docker://quay.io/a/b@{D1}"),
        (f"quay.io/a/b@{D1}", f"docker://quay.io/a/b@{D1}"),
        (f"docker.io/library/nginx@{D1}", f"docker://docker.io/library/nginx@{D1}"),
        (f"host:5000/a/b@{D1}", f"docker://host:5000/a/b@{D1}"),
        (f"docker://{D1}", ""),
        (D1, ""),
        ("a" * 64, ""),
        (f"quay.io/a/b@{D1.upper()}", ""),
        ("quay.io/a/b:1", ""),
        (f"quay.io/A/b@{D1}", ""),
        ("", ""),
    ],
)
def test_image_ids_in_all_their_spellings(image_id, reference):
    assert running_reference(image_id) == reference


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ("registry", "not a mapping with a type"),
        ({"type": "registrie"}, "type is 'registrie', not one of openshift, workloads"),
        ({}, "type is None"),
        ({"type": "registry"}, "the key 'registry' is missing"),
        (
            {"type": "registry", "registry": "a.b", "repositorys": []},
            "'repositorys' is none of its keys; it knows catalog",
        ),
        ({"type": "registry", "registry": "a.b", "newest": "many"}, "newest is 'many', not a number"),
        ({"type": "registry", "registry": "a.b", "catalog": "perhaps"}, "not true or false"),
        ({"type": "list", "images": [1]}, "not a list of texts"),
        ({"type": "list", "images": []}, "the key 'images' is missing"),
        ({"type": "nodes", "names": "x"}, "it knows no keys"),
    ],
)
def test_a_source_that_is_wrong_is_named(mapping, says):
    with pytest.raises(ScapError) as caught:
        sources.build([{"type": "nodes"}, mapping], setting())
    assert caught.value.code == "source_invalid"
    assert "source 2" in caught.value.message
    assert says in caught.value.message


def test_texts_of_a_survey_are_taken():
    built = sources.build(
        [{"type": "registry", "registry": "a.b", "repositories": "x, y", "newest": "5", "catalog": "no"}], setting()
    )
    assert built[0].values["repositories"] == ["x", "y"]
    assert (built[0].values["newest"], built[0].values["catalog"]) == (5, False)


def pod(name, containers, statuses=(), **spec):
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": spec.pop("labels", {})},
        "spec": {"nodeName": "n1", "containers": containers, **spec},
        "status": {"phase": "Running", "containerStatuses": list(statuses)},
    }


def status(name, image_id, state="running"):
    return {"name": name, "image": "x", "imageID": image_id, "state": {state: {}}}


class Api:
    """The answers of an API server that has what it is given."""

    def __init__(self, **lists):
        self.lists = {"/api/v1/nodes": [], **{path: list(things) for path, things in lists.items()}}
        self.forbidden: set[str] = set()
        self.events: dict[str, list] = {}
        self.version = 5

    def __call__(self, asked):
        path = asked.path.partition("?")[0]
        if path in self.forbidden:
            return Say(403, {"kind": "Status", "code": 403, "message": "no"})
        if path not in self.lists:
            return Say(404, {"kind": "Status", "code": 404, "message": "not found"})
        if "watch=1" in asked.path:
            lines = [json.dumps(event).encode() + b"\n" for event in self.events.get(path, [])]
            return Say(body=b"".join(lines))
        metadata = {"resourceVersion": str(self.version)}
        return Say(body={"kind": "L", "apiVersion": "v1", "metadata": metadata, "items": self.lists[path]})


NODE = {"metadata": {"name": "n1", "labels": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}}}


def look(api, mappings, folder=None, wish=None, **values):
    with serving(api) as server:
        options = setting(f"http://{server.address}", folder, **values)
        found = discover(mappings, options, wish or Wish(dir=folder, resolve="none", selection=EVERYTHING))
        return found, server


def test_pods_by_what_really_runs():
    containers = [
        {"name": "a", "image": "quay.io/shop/web:1"},
        {"name": "b", "image": f"quay.io/shop/job@{D2}"},
        {"name": "c", "image": "quay.io/shop/new:1"},
        {"name": "d", "image": "Quay.io/Shop/UPPER:1"},
        {"name": "e", "image": "nginx:1"},
        {"name": "f", "image": "quay.io/shop/ünïcode"},
    ]
    statuses = [
        status("a", f"quay.io/shop/web@{D1}"),
        status("b", f"quay.io/shop/job@{D3}", "terminated"),
        status("c", ""),
    ]
    thing = pod(
        "web-0",
        containers,
        statuses,
        initContainers=[{"name": "i", "image": "quay.io/shop/init:1"}],
        ephemeralContainers=[{"name": "debug", "image": "quay.io/shop/debug:1"}],
        volumes=[{"name": "v", "image": {"reference": "quay.io/shop/data:1"}}, {"name": "w", "emptyDir": {}}],
        imagePullSecrets=[{"name": "pull"}],
    )
    api = Api(**{"/api/v1/pods": [thing], "/api/v1/nodes": [NODE]})
    found, _server = look(api, [{"type": "workloads", "kinds": ["Pod"]}])
    by = {image.reference: image for image in found.images}
    web = by["docker://quay.io/shop/web:1"]
    assert (web.digest, web.platform, web.nodes, web.pull_secrets) == (D1, "linux/amd64", ["n1"], ["shop/pull"])
    assert web.references == ["docker://quay.io/shop/web:1", f"docker://quay.io/shop/web@{D1}"]
    assert [(w.kind, w.namespace, w.name, w.container, w.running) for w in web.workloads] == [
        ("Pod", "shop", "web-0", "a", True)
    ]
    job = by[f"docker://quay.io/shop/job@{D2}"]
    assert (job.digest, job.index_digests, job.workloads[0].running, job.nodes) == (D3, [D2], False, [])
    assert by["docker://quay.io/shop/new:1"].digest == ""
    assert {
        f"docker://{name}" for name in ("quay.io/shop/init:1", "quay.io/shop/debug:1", "quay.io/shop/data:1", "nginx:1")
    } <= set(by)
    assert by["docker://quay.io/shop/data:1"].workloads[0].container == "v"
    assert sorted(record.reference for record in found.skipped) == ["Quay.io/Shop/UPPER:1", "quay.io/shop/ünïcode"]


def test_templates_custom_kinds_and_kinds_that_are_not_served():
    def template(name, image):
        return {
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}},
        }

    cron = {"metadata": {"name": "n", "namespace": "shop"}, "spec": {"jobTemplate": template("x", "quay.io/a/cron:1")}}
    rollout = {
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"workload": {"pod": template("x", "quay.io/a/roll:1")["spec"]["template"]["spec"]}},
    }
    api = Api(
        **{
            "/apis/apps/v1/deployments": [template("d", "quay.io/a/zero:1")],
            "/apis/batch/v1/cronjobs": [cron],
            "/apis/example.org/v1/rollouts": [rollout, {"metadata": {"name": "odd"}, "spec": {"workload": 7}}],
        }
    )
    custom = {"kind": "Rollout", "api_version": "example.org/v1", "resource": "rollouts", "path": "spec.workload.pod"}
    kinds = ["Deployment", "CronJob", "DeploymentConfig", "Job"]
    found, _server = look(api, [{"type": "workloads", "kinds": kinds, "custom": [custom]}])
    assert {(image.reference, image.workloads[0].kind) for image in found.images} == {
        ("docker://quay.io/a/zero:1", "Deployment"),
        ("docker://quay.io/a/cron:1", "CronJob"),
        ("docker://quay.io/a/roll:1", "Rollout"),
    }
    assert [record.reference for record in found.skipped] == ["/apis/batch/v1/jobs"]


def test_what_faces_outside_comes_first():
    def one(name, **labels):
        return pod(name, [{"name": "c", "image": f"quay.io/shop/{name}:1"}], labels=labels)

    def service(name, kind, **selector):
        return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"type": kind, "selector": selector}}

    backend = {"service": {"name": "inner", "port": {"number": 80}}}
    api = Api(
        **{
            "/api/v1/pods": [
                one("aa"),
                one("bb", app="b", x="y"),
                one("cc", app="c"),
                one("dd", app="d"),
                one("ee", app="e"),
            ],
            "/api/v1/services": [
                service("open", "LoadBalancer", app="b"),
                service("inner", "ClusterIP", app="c"),
                service("routed", "ClusterIP", app="d"),
                service("other", "ClusterIP", app="e"),
                {"metadata": {"name": "all", "namespace": "shop"}, "spec": {"type": "NodePort"}},
                {**service("far", "NodePort", app="e"), "metadata": {"name": "far", "namespace": "bank"}},
            ],
            "/apis/networking.k8s.io/v1/ingresses": [
                {
                    "metadata": {"name": "web", "namespace": "shop"},
                    "spec": {"rules": [{"http": {"paths": [{"path": "/", "backend": backend}, 7]}}, {"host": "x"}]},
                }
            ],
            "/apis/route.openshift.io/v1/routes": [
                {"metadata": {"name": "r", "namespace": "shop"}, "spec": {"to": {"kind": "Service", "name": "routed"}}}
            ],
        }
    )
    wish = Wish(resolve="none", selection=EVERYTHING, priority="exposed")
    what = [{"type": "workloads", "kinds": ["Pod"]}]
    found, _server = look(api, what, wish=wish, exposure=True)
    assert [(image.reference[-4:-2], image.exposed) for image in found.images] == [
        ("bb", ["Service shop/open (LoadBalancer)"]),
        ("cc", ["Ingress shop/web"]),
        ("dd", ["Route shop/r"]),
        ("aa", []),
        ("ee", []),
    ]
    api.forbidden = {"/api/v1/services"}
    told, _server = look(api, what, wish=wish, exposure=True)
    assert [record.reference for record in told.skipped] == ["/api/v1/services"]
    assert len(told.images) == 5


def test_the_scanners_own_pods_are_told_and_what_they_scan_is_not_counted():
    own = pod(
        "scan-1",
        [{"name": "scan", "image": "quay.io/me/scanner:1"}],
        labels={"app.kubernetes.io/managed-by": "scap.images"},
        volumes=[{"name": "image", "image": {"reference": "quay.io/shop/web:1"}}],
    )
    found, _server = look(Api(**{"/api/v1/pods": [own]}), [{"type": "workloads", "kinds": ["Pod"]}])
    assert found.images == []
    assert [(record.reference, record.reason) for record in found.skipped] == [
        ("quay.io/me/scanner:1", "excluded: the scanner's own Pod shop/scan-1")
    ]


def test_a_forbidden_cluster_is_read_by_the_namespaces_that_are_allowed():
    web = pod("web", [{"name": "c", "image": f"quay.io/a/b@{D1}"}])
    api = Api(
        **{
            "/api/v1/pods": [],
            "/api/v1/namespaces/shop/pods": [web],
            "/api/v1/namespaces/bank/pods": [],
            "/api/v1/namespaces": [{"metadata": {"name": "shop"}}, {"metadata": {"name": "bank"}}],
        }
    )
    api.forbidden = {"/api/v1/pods", "/api/v1/namespaces/bank/pods", "/api/v1/nodes"}
    found, _server = look(api, [{"type": "workloads", "kinds": ["Pod"]}])
    assert [image.digest for image in found.images] == [D1]
    assert [record.reference for record in found.skipped] == ["/api/v1/namespaces/bank/pods", "/api/v1/nodes"]
    assert 'resources: ["pods"], verbs: ["list"]' in found.skipped[0].reason
    named, server = look(api, [{"type": "workloads", "kinds": ["Pod"]}], namespaces=["shop"])
    assert [image.digest for image in named.images] == [D1]
    assert not any(asked.path.startswith("/api/v1/pods") for asked in server.asked)


def test_the_second_run_reads_only_what_changed(tmp_path):
    one, two = (pod(name, [{"name": "c", "image": f"quay.io/a/{name}@{d}"}]) for name, d in (("one", D1), ("two", D2)))
    api = Api(**{"/api/v1/pods": [one, two]})
    what = [{"type": "workloads", "kinds": ["Pod"]}]
    first, _server = look(api, what, str(tmp_path))
    assert (first.changed, first.summary["sources"][0]["mode"]) == (True, "full")
    again, _server = look(api, what, str(tmp_path))  # another port: another server, so nothing is known of it
    assert (again.changed, again.summary["sources"][0]["mode"]) == (False, "full")
    with serving(api) as server:
        wish = Wish(dir=str(tmp_path), resolve="none", selection=EVERYTHING)

        def run():
            return discover(what, setting(f"http://{server.address}", str(tmp_path)), wish)

        run()
        three = pod("three", [{"name": "c", "image": f"quay.io/a/three@{D3}"}])
        for version, thing in ((6, three), (7, one)):
            thing["metadata"]["resourceVersion"] = str(version)
        api.events["/api/v1/pods"] = [{"type": "ADDED", "object": three}, {"type": "DELETED", "object": one}]
        del server.asked[:]
        changed = run()
        assert [asked.path.partition("?")[0] for asked in server.asked if "nodes" not in asked.path] == ["/api/v1/pods"]
        assert changed.summary["sources"][0]["mode"] == "incremental"
        assert sorted(image.digest for image in changed.images) == [D2, D3]
        assert changed.summary["difference"]["added"]["references"] == [f"docker://quay.io/a/three@{D3}"]
        assert changed.summary["difference"]["gone"]["references"] == [f"docker://quay.io/a/one@{D1}"]
        api.events["/api/v1/pods"] = [{"type": "ERROR", "object": {"code": 410, "message": "too old"}}]
        full = run()
        assert full.summary["sources"][0]["mode"] == "full"
        assert sorted(image.digest for image in full.images) == [D1, D2]
        damaged = next((tmp_path / "discovery").glob("*.jsonl"))
        for path in (tmp_path / "discovery").glob("*.jsonl"):
            damaged = path
            damaged.write_text(damaged.read_text()[:-20])
        assert sorted(image.digest for image in run().images) == [D1, D2]


def stream(name, *tags, **spec):
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
        "status": {"dockerImageRepository": f"internal:5000/shop/{name}", "tags": list(tags)},
    }


def image(digest, **values):
    metadata = {"Architecture": "amd64", "Size": 7, "Created": "2026-01-01T00:00:00Z", "Config": {"Labels": {"a": "b"}}}
    return {
        "metadata": {"name": digest, "annotations": {"images.openshift.io/deny-execution": "true", "x": "y"}},
        "dockerImageReference": f"quay.io/a/b@{digest}",
        "dockerImageMetadata": metadata,
        **values,
    }


GROUPS = {
    "/version": {"major": "1", "minor": "30"},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "image.openshift.io",
                "versions": [{"groupVersion": "image.openshift.io/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": "image.openshift.io/v1", "version": "v1"},
            }
        ],
    },
    "/apis/image.openshift.io/v1": {
        "kind": "APIResourceList",
        "groupVersion": "image.openshift.io/v1",
        "resources": [{"name": "images", "kind": "Image", "namespaced": False, "verbs": ["list"]}],
    },
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
}


class OpenShiftApi(Api):
    def __call__(self, asked):
        path = asked.path.partition("?")[0]
        return Say(body=GROUPS[path]) if path in GROUPS else super().__call__(asked)


def openshift(images, streams, tags=()):
    group = "/apis/image.openshift.io/v1"
    return OpenShiftApi(
        **{f"{group}/images": images, f"{group}/imagestreams": streams, f"{group}/imagestreamtags": tags}
    )


def test_openshift_images_streams_tags_and_marks():
    tag = {
        "tag": "latest",
        "items": [
            {"image": D1, "dockerImageReference": f"quay.io/a/b@{D1}"},
            {"image": D2, "dockerImageReference": f"quay.io/a/b@{D2}"},
        ],
    }
    failed = {
        "tag": "bad",
        "items": None,
        "conditions": [{"type": "ImportSuccess", "status": "False", "message": "you may not"}],
    }
    index = image(
        D3,
        dockerImageManifests=[
            {"digest": f"sha256:{n * 64}", "architecture": a, "os": "linux"}
            for n, a in (("1", "amd64"), ("2", "arm64"))
        ],
    )
    api = openshift([image(D1), image(D2), index], [stream("s", tag, failed, tags=[{"name": "later"}])])
    api.lists["/api/v1/pods"] = [
        pod("p", [{"name": "c", "image": f"quay.io/a/b@{D3}"}], [status("c", f"quay.io/a/b@{D3}")])
    ]
    api.lists["/api/v1/nodes"] = [NODE]
    found, _server = look(api, [{"type": "openshift"}, {"type": "workloads", "kinds": ["Pod"]}])
    by = {entry.digest: entry for entry in found.images}
    assert set(by) == {D1, D2, "sha256:" + "1" * 64, "sha256:" + "2" * 64}
    assert by[D1].references == [
        f"docker://quay.io/a/b@{D1}",
        "docker://internal:5000/shop/s:latest",
        f"docker://internal:5000/shop/s@{D1}",
    ]
    assert (by[D1].platform, by[D1].size, by[D1].labels) == ("linux/amd64", 7, {"a": "b"})
    assert by[D1].annotations == {"images.openshift.io/deny-execution": "true"}
    assert by[D1].namespaces == ["shop"]
    assert by[D2].workloads == []
    running = by["sha256:" + "1" * 64]
    assert (running.index_digests, [place.kind for place in running.workloads]) == ([D3], ["Pod"])
    assert by["sha256:" + "2" * 64].workloads == []
    assert [(r.reference, r.reason) for r in found.skipped] == [
        ("shop/s:bad", "unresolvable tag: you may not"),
        ("shop/s:later", "unresolvable tag: nothing was imported yet"),
    ]


def test_openshift_without_leave_to_list_images_reads_the_tags():
    tag = {"tag": "1", "items": [{"image": D1, "dockerImageReference": f"quay.io/a/b@{D1}"}]}
    api = openshift([], [stream("s", tag)], [{"metadata": {"name": "s:1", "namespace": "shop"}, "image": image(D1)}])
    api.forbidden = {"/apis/image.openshift.io/v1/images"}
    found, _server = look(api, [{"type": "openshift"}])
    assert [(entry.digest, entry.size) for entry in found.images] == [(D1, 7)]
    assert "ImageStreamTags are read instead" in found.skipped[0].reason


def test_no_openshift_is_said_and_the_rest_goes_on():
    api = OpenShiftApi(**{"/api/v1/pods": [pod("p", [{"name": "c", "image": f"quay.io/a/b@{D1}"}])]})
    groups = dict(GROUPS["/apis"], groups=[])
    with serving(
        lambda asked: Say(body=groups) if asked.path.startswith("/apis") and "?" not in asked.path else api(asked)
    ) as server:
        found = discover(
            [{"type": "openshift"}, {"type": "workloads", "kinds": ["Pod"]}],
            setting(f"http://{server.address}"),
            Wish(resolve="none"),
        )
    assert [entry.digest for entry in found.images] == [D1]
    assert found.skipped[0].reason.startswith("this cluster does not serve image.openshift.io")


def test_nodes_images_join_what_other_sources_know():
    images = [
        {"names": [f"quay.io/a/b@{D2}", f"quay.io/a/b@{D1}", "quay.io/a/b:1"], "sizeBytes": 9},
        {"names": [f"quay.io/a/only@{D3}"], "sizeBytes": 8},
        {"names": ["<none>:<none>"], "sizeBytes": 1},
        {"names": None},
    ]
    node = {**NODE, "status": {"nodeInfo": {"operatingSystem": "linux", "architecture": "amd64"}, "images": images}}
    running = pod("p", [{"name": "c", "image": "quay.io/a/b:1"}], [status("c", f"quay.io/a/b@{D1}")])
    api = Api(**{"/api/v1/nodes": [node], "/api/v1/pods": [running]})
    found, _server = look(api, [{"type": "nodes"}, {"type": "workloads", "kinds": ["Pod"]}])
    by = {entry.digest: entry for entry in found.images}
    assert set(by) == {D1, D3}
    assert (by[D1].index_digests, by[D1].sources, by[D1].size) == ([D2], ["nodes", "workloads"], 9)
    assert len(found.skipped) == 2


def test_the_recorded_cluster_is_fully_accounted_for():
    import lzma

    def recorded(name):
        return json.loads(lzma.open(shared_data.path("api", "openshift4", name)).read())["items"]

    images = recorded("apis_image.openshift.io_v1_images_limit_1000.json.xz")
    pods = recorded("api_v1_pods_limit_1000.json.xz")
    api = openshift(images, [])
    api.lists["/api/v1/pods"] = pods
    with serving(api) as server:
        wish = Wish(resolve="none")
        found = discover(
            [{"type": "openshift"}, {"type": "workloads", "kinds": ["Pod"]}], setting(f"http://{server.address}"), wish
        )
    assert (len(images), len(pods)) == (202, 96)
    known = {entry.digest for entry in found.images}
    names = {name for entry in found.images for name in entry.references}
    excluded = {record.reference for record in found.skipped}
    lost = [
        thing["metadata"]["name"]
        for thing in images
        if thing["metadata"]["name"] not in known and f"docker://{thing['dockerImageReference']}" not in excluded
    ]
    assert lost == []
    everything, _server = look(api, [{"type": "openshift"}, {"type": "workloads", "kinds": ["Pod"]}])
    names = {name for entry in everything.images for name in entry.references}
    places = {
        (place.namespace, place.name, place.container) for entry in everything.images for place in entry.workloads
    }
    for thing in pods:
        metadata, spec = thing["metadata"], thing["spec"]
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert (metadata["namespace"], metadata["name"], container["name"]) in places
            assert f"docker://{container['image']}" in names
    assert len(everything.images) == found.summary["found"] == len(found.images) + found.summary["excluded"]
    assert found.summary["reasons"]["excluded: OpenShift's release payload"] == 66


def test_a_list_takes_what_it_can_and_says_what_not(tmp_path):
    what = [
        "quay.io/a/b:1",
        f"quay.io/a/b:1@{D1}",
        "HOST.example/a/b",
        "docker-archive:/x.tar",
        "oci:/nowhere:1",
        "host:5000/a/b",
        "Bad/Name",
        "a b",
    ]
    found, _server = look(Api(), [{"type": "list", "images": what}])
    assert {entry.reference for entry in found.images} == {
        "docker://quay.io/a/b:1",
        f"docker://quay.io/a/b:1@{D1}",
        "docker://HOST.example/a/b",
        "docker-archive:/x.tar",
        "docker://host:5000/a/b",
    }
    assert {record.reference for record in found.skipped} == {"/nowhere", "Bad/Name", "a b"}
    assert isinstance(found.images[0], Image)
