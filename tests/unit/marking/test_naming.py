"""The names of judged images where discovery and scan speak of them by different digests."""

from __future__ import annotations

from ansible_collections.scap.images.plugins.module_utils.marking.naming import Names
from ansible_collections.scap.images.plugins.module_utils.model import Image

from tests.support.marking_records import digest, verdict

TAG = "registry.example:5000/team/app-a:1"
OTHER = "quay.example/copy/a:2"


def test_a_tag_that_runs_as_an_index_means_what_was_scanned_out_of_it() -> None:
    """The runtime reports the digest of the index as imageID; the scan's verdict has the platform's manifest."""
    running = Image(f"docker://{TAG}", digest("index"), references=[f"docker://{TAG}", f"docker://{OTHER}"])
    names = Names([running], {digest("a"): verdict("a", index_digests=[digest("index")])})
    assert names.keys(digest("a")) == [digest("a"), TAG, OTHER, digest("index")]
    assert names.tags[OTHER] == {digest("index"), digest("a")}


def test_a_tag_that_means_something_else_by_now_is_no_name() -> None:
    moved = Image(f"docker://{TAG}", digest("new"), references=[f"docker://{TAG}"])
    names = Names([moved], {digest("a"): verdict("a", index_digests=[digest("index")])})
    assert names.keys(digest("a")) == [digest("a"), digest("index")]


def test_without_discovery_the_verdict_says_it_all() -> None:
    assert Names([], {digest("a"): verdict("a")}).keys(digest("a")) == [digest("a"), TAG]
