"""Lists that are kept as they come: what begins anew, what breaks off, what was kept before."""

from __future__ import annotations

import pytest
from ansible_collections.scap.images.plugins.module_utils.discovery.checkpoint import Checkpoints
from ansible_collections.scap.images.plugins.module_utils.discovery.listing import Listing
from ansible_collections.scap.images.plugins.module_utils.kube.client import connect
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError

from tests.support.misbehaving import Say, serving


def page(names, token="", version="7"):
    items = [{"metadata": {"name": name}} for name in names]
    return {
        "kind": "List",
        "apiVersion": "v1",
        "metadata": {"continue": token, "resourceVersion": version},
        "items": items,
    }


def listed(server, folder):
    client = connect({"host": f"http://{server.address}", "api_key": "x"})
    return Listing(client, Checkpoints(str(folder)), "/api/v1/things", lambda thing: thing["metadata"]["name"])


def test_a_list_that_begins_anew_is_kept_as_it_ended(tmp_path):
    pages = [Say(body=page("ab", "t1")), Say(body=page("bc", version="9"))]
    with serving(lambda asked: Say(410, {"code": 410}) if "continue" in asked.path else pages.pop(0)) as server:
        listing = listed(server, tmp_path)
        assert listing.rows() == {"b": "b", "c": "c"}
        assert listing.store.load(listing.identity) == ({"resource_version": "9"}, {"b": "b", "c": "c"})


def test_what_breaks_off_leaves_what_was_kept(tmp_path):
    def answer(asked):
        if "watch" in asked.path:
            return Say(410, {"code": 410})
        return Say(404, {"code": 404}) if "continue" in asked.path else Say(body=page("a", "t1"))

    with serving(answer) as server:
        listing = listed(server, tmp_path)
        listing.store.save(listing.identity, {"resource_version": "5"}, {"old": "old"})
        with pytest.raises(KubeError):
            listing.rows()
        assert listing.store.load(listing.identity) == ({"resource_version": "5"}, {"old": "old"})
        assert [path.name for path in (tmp_path / "discovery").iterdir()][1:] == []


def test_a_list_without_a_version_is_read_in_full_again(tmp_path):
    with serving(lambda _asked: Say(body=page("a", version=""))) as server:
        assert listed(server, tmp_path).rows() == listed(server, tmp_path).rows() == {"a": "a"}
        assert not any("watch" in asked.path for asked in server.asked)
