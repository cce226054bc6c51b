"""The lines that people see while images are scanned."""

from __future__ import annotations

import pytest
from ansible_collections.scap.images.plugins.action.image_scan import absolute
from ansible_collections.scap.images.plugins.plugin_utils.follow import line

BASE = {"total": 4, "done": 2, "failed": 0, "reused": 0, "seconds": 2.0, "last": "docker://r.example/a:1"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"done": 0}, ""),
        ({}, "scanned 2 of 4, 3600 an hour, 2 s left: docker://r.example/a:1"),
        (
            {"failed": 1, "reused": 1},
            "scanned 2 of 4 (1 failed, 1 known), 3600 an hour, 2 s left: docker://r.example/a:1",
        ),
        ({"done": 4}, "scanned 4 of 4, 7200 an hour: docker://r.example/a:1"),
        ({"total": 0}, "scanned 2, 3600 an hour: docker://r.example/a:1"),
        (
            {"done": 0, "continues": {"done": 3, "total": 4}},
            "the run before was interrupted after 3 of 4 images; this one goes on from there",
        ),
        ({"seconds": 0.0}, "scanned 2 of 4, 0 an hour: docker://r.example/a:1"),
    ],
)
def test_line(change: dict[str, object], expected: str) -> None:
    assert line({**BASE, **change}, "scanned") == expected


def test_relative_paths_are_the_users() -> None:
    given = {
        "dir": "scap-images",
        "profile": "standard",
        "content": "auto",
        "oval": ["feed.xml", "https://r.example/feed.xml.bz2", "/srv/feed.xml"],
        "images": ["oci-archive:web.tar", "oci:/srv/layout:1", "quay.io/a/b:1", {"reference": "oci:x"}],
        "authfile": None,
    }
    assert absolute(given, "/home/me") == {
        "dir": "/home/me/scap-images",
        "profile": "standard",
        "content": "auto",
        "oval": ["/home/me/feed.xml", "https://r.example/feed.xml.bz2", "/srv/feed.xml"],
        "images": ["oci-archive:/home/me/web.tar", "oci:/srv/layout:1", "quay.io/a/b:1", {"reference": "oci:x"}],
        "authfile": None,
    }
