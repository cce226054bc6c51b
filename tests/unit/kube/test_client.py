"""What the client makes of servers that throttle, break off, lie or refuse."""

from __future__ import annotations

import json
import threading

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube import paging
from ansible_collections.scap.images.plugins.module_utils.kube.client import Answer, connect
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError, target

from tests.support.misbehaving import Say, serving

STATUS = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "user cannot"}


def client(server):
    return connect({"host": f"http://{server.address}", "api_key": "token", "impersonate_groups": ["a", "b"]})


def listing(names, token="", version="7"):
    metadata = {"resourceVersion": version, **({"continue": token} if token else {})}
    body = {
        "kind": "PodList",
        "apiVersion": "v1",
        "metadata": metadata,
        "items": [{"metadata": {"name": n}} for n in names],
    }
    return json.dumps(body, separators=(",", ":")).encode()


def names(pages):
    return [[thing["metadata"]["name"] for thing in page.objects] for page in pages]


def test_credentials_groups_and_one_connection():
    with serving(lambda _asked: Say(body={"kind": "x"})) as server:
        one = client(server)
        for _number in range(5):
            one.get("/version")
        assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer token"}
        assert server.asked[0].headers.get_all("Impersonate-Group") == ["a", "b"]
        assert len({asked.peer for asked in server.asked}) == 1
        assert one.requests == 5


def test_throttling_and_a_connection_that_breaks_in_the_middle_are_survived():
    answers = [
        Say(429, headers={"Retry-After": "0"}),
        Say(503),
        Say(body=listing("ab"), cut=True),
        Say(body=listing("ab")),
    ]
    with serving(lambda _asked: answers.pop(0)) as server:
        assert names(client(server).list_pages("/api/v1/pods")) == [["a", "b"]]
        assert len(server.asked) == 4


def test_a_post_is_not_repeated_where_the_server_may_have_acted():
    with serving(lambda _asked: Say(503, {"message": "later"})) as server:
        with pytest.raises(KubeError) as caught:
            client(server).create("/api/v1/namespaces/a/pods", {})
        assert len(server.asked) == 1
        assert caught.value.code == "kube_unavailable"


def test_patience_is_bounded():
    with serving(lambda _asked: Say(429, headers={"Retry-After": "3600"})) as server:
        with pytest.raises(KubeError) as caught:
            client(server).request("GET", "/api/v1/pods", patience=1.0)
        assert (caught.value.code, len(server.asked)) == ("kube_throttled", 1)


def test_a_refusal_names_verb_resource_namespace_and_rule():
    with serving(lambda _asked: Say(403, STATUS)) as server, pytest.raises(KubeError) as caught:
        client(server).get("/apis/image.openshift.io/v1/namespaces/shop/imagestreams")
    error = caught.value
    assert (error.code, error.status, error.reason) == ("kube_forbidden", 403, "Forbidden")
    assert "cannot list imagestreams.image.openshift.io in namespace shop" in error.message
    assert '{apiGroups: ["image.openshift.io"], resources: ["imagestreams"], verbs: ["list"]}' in error.message
    assert "token" not in error.message


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("GET", "/api/v1/nodes/n1", "get nodes n1"),
        ("GET", "/api/v1/namespaces/a", "get namespaces a"),
        ("PATCH", "/api/v1/namespaces/a/status", "patch namespaces/status a"),
        ("GET", "/api/v1/namespaces/a/pods/p/log", "get pods/log p in namespace a"),
        ("DELETE", "/apis/apps/v1/namespaces/a/deployments", "deletecollection deployments.apps in namespace a"),
        ("GET", "/version", "get /version"),
    ],
)
def test_requests_in_the_words_of_rbac(method, path, says):
    assert str(target(method, path)) == says


def test_pages_follow_the_token_and_are_asked_for_ahead():
    pages = {"": listing("ab", "t1"), "t1": listing("cd", "t2", "8"), "t2": listing("e", version="9")}
    with serving(lambda asked: Say(body=pages[asked.path.partition("continue=")[2]])) as server:
        found = list(client(server).list_pages("/api/v1/pods", 2))
    assert names(found) == [["a", "b"], ["c", "d"], ["e"]]
    assert {page.resource_version for page in found} == {"7"}
    assert [page.last for page in found] == [False, False, True]


def test_the_next_page_is_asked_for_before_the_rest_of_this_one_is_there():
    next_asked, in_time = threading.Event(), []
    large = ["x" * 600_000]

    def answer(asked):
        if "continue=" in asked.path:
            next_asked.set()
            return Say(body=listing("b"))
        return Say(body=listing(large, "t1"), middle=lambda: in_time.append(next_asked.wait(20)))

    with serving(answer) as server:
        assert names(client(server).list_pages("/api/v1/pods")) == [large, ["b"]]
    assert in_time == [True]


def test_a_page_that_breaks_off_takes_the_next_one_with_it():
    """What the broken page named as the next belongs to another version of the list."""
    large = ["x" * 600_000]
    first = [Say(body=listing(large, "old"), cut=True), Say(body=listing(large, "new", "8"))]
    pages = {"old": Say(body=listing(["wrong"])), "new": Say(body=listing("b", version="8"))}
    with serving(lambda asked: pages.get(asked.path.partition("continue=")[2]) or first.pop(0)) as server:
        found = list(client(server).list_pages("/api/v1/pods"))
    assert names(found) == [large, ["b"]]
    assert {page.resource_version for page in found} == {"8"}


def test_metadata_behind_the_items_and_items_that_look_like_metadata():
    trap = {"metadata": {"name": 'x","continue":"evil"},"items":['}}
    first = json.dumps({"items": [trap], "metadata": {"continue": "t1", "resourceVersion": "1"}}).encode()
    with serving(lambda asked: Say(body=listing("b") if "continue=t1" in asked.path else first)) as server:
        assert [len(page.objects) for page in client(server).list_pages("/apis/x/v1/things")] == [1, 1]
        assert not any("evil" in asked.path for asked in server.asked)


def test_an_expired_token_goes_on_or_begins_anew():
    gone = {"kind": "Status", "code": 410, "message": "too old", "metadata": {"continue": "fresh"}}
    pages = {"": Say(body=listing("a", "t1")), "t1": Say(410, gone), "fresh": Say(body=listing("b"))}
    with serving(lambda asked: pages[asked.path.partition("continue=")[2]]) as server:
        found = list(client(server).list_pages("/api/v1/pods"))
        assert (names(found), [page.restarted for page in found]) == ([["a"], ["b"]], [False, False])
        assert "continue=fresh" in server.asked[-1].path
    anew = [Say(body=listing("a", "t1")), Say(body=listing("ab", version="9"))]
    with serving(lambda asked: Say(410, {"code": 410}) if "continue" in asked.path else anew.pop(0)) as server:
        found = list(client(server).list_pages("/api/v1/pods"))
        assert (names(found), [page.restarted for page in found]) == ([["a"], ["a", "b"]], [False, True])
        assert found[-1].resource_version == "9"


def test_objects_of_megabytes_make_smaller_pages(monkeypatch):
    monkeypatch.setattr(paging, "PAGE_BYTES", 1000)

    def answer(asked):
        limit = int(asked.path.partition("limit=")[2].partition("&")[0])
        start = int(asked.path.partition("continue=")[2] or 0)
        some = [f"{number}-{'x' * 300}" for number in range(start, min(start + limit, 5))]
        return Say(body=listing(some, str(start + limit) if start + limit < 5 else ""))

    with serving(answer) as server:
        found = [name for page in names(client(server).list_pages("/api/v1/pods", 8)) for name in page]
    assert [name[0] for name in found] == list("01234")


@pytest.mark.parametrize("body", [b"<html>login</html>", b"[]", b'{"items": 7}', b'{"items":[' + b"[" * 100_000])
def test_an_answer_that_is_no_list(body):
    with serving(lambda _asked: Say(body=body)) as server, pytest.raises(KubeError) as caught:
        list(client(server).list_pages("/api/v1/pods"))
    assert caught.value.code == "kube_malformed"


def test_watch_events_bookmarks_and_errors():
    events = [{"type": "ADDED", "object": {"metadata": {"name": "a"}}}, {"type": "BOOKMARK", "object": {}}]
    lines = b"\n".join(json.dumps(event).encode() for event in events) + b"\n"
    with serving(lambda _asked: Say(body=lines)) as server:
        assert [event["type"] for event in client(server).changes("/api/v1/pods", "5", 0.2)] == ["ADDED", "BOOKMARK"]
        assert "resourceVersion=5" in server.asked[0].path
    error = json.dumps({"type": "ERROR", "object": {"code": 410, "message": "too old"}}).encode() + b"\n"
    with serving(lambda _asked: Say(body=error)) as server, pytest.raises(KubeError) as caught:
        list(client(server).changes("/api/v1/pods", "5", 0.2))
    assert (caught.value.status, caught.value.code) == (410, "kube_gone")


def test_dry_run_apply_and_delete():
    with serving(lambda asked: Say(404 if asked.method == "DELETE" else 200, {"code": 404})) as server:
        one = client(server)
        one.apply("/api/v1/namespaces/a/configmaps/c", {"kind": "ConfigMap"}, dry_run=True)
        assert one.delete("/api/v1/namespaces/a/configmaps/c") is False
        assert server.asked[0].headers["Content-Type"] == "application/apply-patch+yaml"
        assert {"dryRun=All", "force=true", "fieldManager=scap.images"} <= set(
            server.asked[0].path.split("?")[1].split("&")
        )


def test_nobody_listens():
    with pytest.raises(KubeError) as caught:
        connect({"host": "http://127.0.0.1:9", "api_key": "x"}).request("GET", "/version", patience=0.1)
    assert caught.value.code == "kube_unreachable"
    assert "http://127.0.0.1:9: cannot get /version" in caught.value.message


def test_warnings_of_admission():
    assert Answer(200, {"Warning": '299 - "first, one", 299 - "second"'}, b"").warnings == ["first, one", "second"]
