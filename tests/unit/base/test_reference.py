"""References as skopeo and podman write them."""

from __future__ import annotations

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.reference import normalise, parse

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "transport", "host", "path", "tag", "digest"),
    [
        ("quay.io/a/b:1", "docker", "quay.io", "a/b", "1", ""),
        ("docker://quay.io/a/b:1", "docker", "quay.io", "a/b", "1", ""),
        ("localhost/a", "docker", "localhost", "a", "", ""),
        ("localhost:5000/a", "docker", "localhost:5000", "a", "", ""),
        ("[::1]:5000/a:x", "docker", "[::1]:5000", "a", "x", ""),
        (f"r.example/a:1@{DIGEST}", "docker", "r.example", "a", "1", DIGEST),
        ("nginx", "docker", "", "nginx", "", ""),
        ("library/nginx:1.2", "docker", "", "library/nginx", "1.2", ""),
        ("oci:/tmp/x:1", "oci", "", "/tmp/x", "1", ""),
        ("oci:/tmp/x", "oci", "", "/tmp/x", "", ""),
        ("oci-archive:/tmp/x.tar", "oci-archive", "", "/tmp/x.tar", "", ""),
        ("docker-archive:/tmp/x.tar:a:1", "docker-archive", "", "/tmp/x.tar", "a:1", ""),
        ("containers-storage:localhost/a:1", "containers-storage", "", "localhost/a:1", "", ""),
    ],
)
def test_parse(text: str, transport: str, host: str, path: str, tag: str, digest: str) -> None:
    found = parse(text)
    assert (found.transport, found.host, found.path, found.tag, found.digest) == (transport, host, path, tag, digest)
    assert parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Quay.io/A/b",
        "a b",
        "http://quay.io/a",
        "quay.io/a:",
        "quay.io/a@sha256:abc",
        "quay.io/a@",
        "oci:",
        "oci:/x:",
        "a\nb",
        "quay.io/a@sha256:" + "A" * 64,
        "-a",
        "--help",
        "quay.io/ümlaut",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ScapError) as caught:
        parse(text)
    assert caught.value.code == "reference_invalid"


def test_normalise_adds_the_transport_only() -> None:
    assert normalise("quay.io/a:1") == "docker://quay.io/a:1"
    assert normalise("oci:/tmp/x:1") == "oci:/tmp/x:1"
    assert normalise("nginx") == "docker://nginx"


def test_at_drops_the_tag() -> None:
    assert str(parse("quay.io/a:1").at(DIGEST)) == f"docker://quay.io/a@{DIGEST}"
