"""Discovery in a real registry: tags, indexes, repeats, and images that skopeo sees the same way."""

from __future__ import annotations

import json
import subprocess

import pytest
from ansible_collections.scap.images.plugins.modules.image_discover import ARGUMENTS, run

from tests.support import registry as registries
from tests.support.distribution import Repository

BASE = {name: option.get("default") for name, option in ARGUMENTS.items()}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with registries.running(tmp_path_factory.mktemp("registry")) as one:
        web = Repository(one.address, "shop/web")
        for number in range(1, 6):
            web.image(f"v{number}", created=f"2026-01-0{number}T00:00:00Z", version=str(number))
        web.image("nightly", created="2026-02-01T00:00:00.123456789Z")
        amd64, arm64 = (web.image(f"one-{arch}", arch) for arch in ("amd64", "arm64"))
        web.index("multi", {"amd64": amd64, "arm64": arm64})
        Repository(one.address, "team/empty").image("x")
        yield one


def discover(address, source, folder=None, **options):
    values = {**BASE, "sources": [source], "insecure_registries": [address], "dir": str(folder) if folder else None}
    return run({**values, **options}, False)


def skopeo_digest(reference):
    argv = ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", reference]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def test_references_are_resolved_as_skopeo_resolves_them(registry, tmp_path):
    names = [f"{registry.address}/shop/web:{tag}" for tag in ("v1", "v2", "nightly", "gone")]
    found = discover(registry.address, {"type": "list", "images": names}, tmp_path)
    assert {image["reference"]: image["digest"] for image in found["images"]} == {
        f"docker://{name}": skopeo_digest(f"docker://{name}") for name in names[:3]
    }
    assert [record["reference"] for record in found["skipped"]] == [f"docker://{names[3]}"]
    assert "does not have it (HTTP 404)" in found["skipped"][0]["reason"]
    again = discover(registry.address, {"type": "list", "images": names}, tmp_path)
    assert again["changed"] is False
    assert again["summary"]["resolved"]["unchanged"] == 3


def test_an_index_is_its_platforms(registry, tmp_path):
    name = f"{registry.address}/shop/web:multi"
    both = discover(registry.address, {"type": "list", "images": [name]}, tmp_path)["images"]
    assert sorted(image["platform"] for image in both) == ["linux/amd64", "linux/arm64"]
    assert {tuple(image["index_digests"]) for image in both} == {(skopeo_index(name),)}
    one = discover(registry.address, {"type": "list", "images": [name]}, platforms=["linux/arm64"])["images"]
    assert [(image["platform"], image["digest"]) for image in one] == [
        ("linux/arm64", skopeo_digest(f"docker://{registry.address}/shop/web:one-arm64"))
    ]
    none = discover(registry.address, {"type": "list", "images": [name]}, platforms=["linux/s390x"])
    assert none["skipped"][0]["reason"].startswith("foreign platform: it has linux/amd64, linux/arm64")
    by_digest = f"{registry.address}/shop/web@{skopeo_index(name)}"
    expanded = discover(registry.address, {"type": "list", "images": [by_digest]}, resolve="all")["images"]
    assert sorted(image["digest"] for image in expanded) == sorted(image["digest"] for image in both)


def skopeo_index(name):
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"], check=True, capture_output=True
    ).stdout
    import hashlib

    assert json.loads(raw)["manifests"]
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def test_tags_by_pattern_newest_and_age(registry):
    source = {"type": "registry", "registry": registry.address, "repositories": ["shop/web"], "tags": ["v*", "nightly"]}
    everything = discover(registry.address, source)["images"]
    assert {image["reference"].rpartition(":")[2] for image in everything} == {"v1", "v2", "v3", "v4", "v5", "nightly"}
    newest = discover(registry.address, {**source, "newest": 2})
    assert {image["reference"].rpartition(":")[2] for image in newest["images"]} == {"nightly", "v5"}
    assert newest["images"][0]["platform"] == "linux/amd64"
    assert {record["reason"] for record in newest["skipped"]} == {"excluded: not among the 2 newest tags"}
    old = discover(registry.address, {**source, "max_age": "1d"})
    assert (old["images"], len(old["skipped"])) == ([], 6)


def test_the_catalog_and_the_pages_of_tags(registry):
    source = {"type": "registry", "registry": registry.address, "catalog": True, "repositories": ["team/*"]}
    assert [image["reference"] for image in discover(registry.address, source)["images"]] == [
        f"docker://{registry.address}/team/empty:x"
    ]


def test_a_tag_that_moves_is_seen(registry, tmp_path):
    repository = Repository(registry.address, "shop/moving")
    first = repository.image("latest", version="1")
    source = {"type": "list", "images": [f"{registry.address}/shop/moving:latest"]}
    discover(registry.address, source, tmp_path)
    second = repository.image("latest", version="2")
    moved = discover(registry.address, source, tmp_path, scope="new")
    assert [image["digest"] for image in moved["images"]] == [second] != [first]
    assert moved["summary"]["difference"]["retagged"]["references"] == [
        f"docker://{registry.address}/shop/moving:latest"
    ]


def test_a_registry_that_nobody_called_insecure_is_not_asked_in_the_clear(registry):
    found = run({**BASE, "sources": [{"type": "list", "images": [f"{registry.address}/shop/web:v1"]}]}, False)
    assert found["images"] == []
    assert "cannot be asked" in found["skipped"][0]["reason"]
