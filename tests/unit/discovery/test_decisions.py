"""Tables: what is merged, wanted, due, first, and what changed."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile

import hypothesis
import hypothesis.strategies as st
import pytest
from ansible_collections.scap.images.plugins.module_utils.discovery.catalog import Catalog
from ansible_collections.scap.images.plugins.module_utils.discovery.difference import Before, difference
from ansible_collections.scap.images.plugins.module_utils.discovery.durations import seconds
from ansible_collections.scap.images.plugins.module_utils.discovery.oci import of_place
from ansible_collections.scap.images.plugins.module_utils.discovery.output import row, write_rows
from ansible_collections.scap.images.plugins.module_utils.discovery.scope import Scope, ordered
from ansible_collections.scap.images.plugins.module_utils.discovery.selection import Selection, Selector
from ansible_collections.scap.images.plugins.module_utils.files import write_json
from ansible_collections.scap.images.plugins.module_utils.model import (
    Content,
    Evidence,
    Image,
    OperatingSystem,
    Reason,
    ScanInfo,
    ScapError,
    Workload,
    to_json,
)

from tests.data.oci_layout import Layout
from tests.support import shared_data

D1, D2, D3 = (f"sha256:{character * 64}" for character in "abc")


def image(name="quay.io/a/b:1", digest=D1, platform="linux/amd64", spaces=(), **values):
    places = [Workload("Pod", space, "p", "c", True) for space in spaces]
    return Image(f"docker://{name}", digest, platform, references=[f"docker://{name}"], workloads=places, **values)


def merged(*images):
    catalog = Catalog()
    for one in images:
        catalog.add(one)
    catalog.fold()
    return list(catalog.images())


def test_one_image_a_digest_and_platform():
    first = image(spaces=["a"], pull_secrets=["a/s"], sources=["x"])
    second = image("quay.io/a/b:2", spaces=["b"], nodes=["n"], sources=["y"], size=5, labels={"k": "v"})
    (one,) = merged(first, second)
    assert one.references == ["docker://quay.io/a/b:1", "docker://quay.io/a/b:2"]
    assert (one.namespaces, one.pull_secrets, one.nodes, one.sources) == (["a", "b"], ["a/s"], ["n"], ["x", "y"])
    assert (one.size, one.labels) == (5, {"k": "v"})
    assert len(merged(image(), image(platform="linux/arm64"))) == 2
    assert [found.platform for found in merged(image(platform="linux/arm64/v8"), image(platform=""))] == ["linux/arm64"]


NAMES = st.sampled_from(["", "b", "docker://a/b:1", "docker://c.example.org/b:2", f"docker://c.example.org/b@{D1}"])
TEXTS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)
PLACES = st.builds(Workload, *(st.sampled_from(["a", "b"]) for _field in range(4)), st.booleans())
IMAGES = st.builds(
    Image,
    NAMES,
    st.just(D1),
    st.sampled_from(["", "linux/arm64", "linux/arm64/v8"]),
    st.lists(NAMES, max_size=3),
    st.lists(st.sampled_from([D1, D2, D3]), max_size=2),
    TEXTS,
    st.lists(PLACES, max_size=4),
    *(TEXTS, TEXTS, TEXTS),
)


@hypothesis.given(IMAGES)
def test_an_image_of_which_one_source_spoke_is_as_if_two_had_said_the_same(one):
    assert merged(one) == merged(one, one)


def test_an_index_digest_joins_the_manifests_of_its_platform():
    amd64 = image(digest=D1, index_digests=[D3])
    arm64 = image(digest=D2, platform="linux/arm64", index_digests=[D3])
    by_index = image(f"quay.io/a/b@{D3}", D3, spaces=["shop"])
    one, two = merged(amd64, arm64, by_index)
    assert (one.digest, one.namespaces, two.digest, two.namespaces) == (D1, ["shop"], D2, [])
    unknown = merged(amd64, arm64, dataclasses.replace(by_index, platform=""))
    assert [found.namespaces for found in unknown] == [["shop"], ["shop"]]


def test_the_reference_is_one_that_can_be_pulled():
    (one,) = merged(
        Image("docker://nginx:1", D1, references=["docker://nginx:1", f"docker://docker.io/library/nginx@{D1}"])
    )
    assert one.reference == f"docker://docker.io/library/nginx@{D1}"


@pytest.mark.parametrize(
    ("selection", "found", "reason"),
    [
        ({}, image(), ""),
        (
            {},
            image(spaces=["kube-system", "openshift-dns"]),
            "excluded: infrastructure, in kube-system, openshift-dns only",
        ),
        ({}, image(spaces=["kube-system", "shop"]), ""),
        ({"infrastructure": True}, image(spaces=["kube-system"]), ""),
        ({}, image("quay.io/openshift-release-dev/ocp-v4.0-art-dev:x"), "excluded: OpenShift's release payload"),
        ({"scanner_images": ["quay.io/a/b:1"]}, image(), "excluded: the scanner's own image"),
        ({"scanner_images": [D1]}, image(), "excluded: the scanner's own image"),
        ({"scanner_images": [f"mirror.example/scanner@{D1}"]}, image(), "excluded: the scanner's own image"),
        ({"names": ["quay.io/shop/*"]}, image(), "excluded: its name matches none of names"),
        ({"names": ["quay.io/*"]}, image(), ""),
        ({"registries": ["*.example.org"]}, image(), "excluded: it is in none of registries"),
        ({"registries": ["quay.io"]}, image(), ""),
        ({"max_size": 5}, image(size=6), "excluded: its 6 bytes are more than max_size"),
        ({"max_size": 5}, image(), ""),
        ({"created_within": "30d"}, image(created="2001-01-01T00:00:00.123456789Z"), "excluded: created 2001"),
        ({"created_within": "30d"}, image(), "excluded: nothing says when it was created"),
        ({"exclude": [{"names": ["*/b:1"], "reason": "retired"}]}, image(), "excluded: retired"),
        ({"exclude": [{"names": [D1], "reason": "known"}]}, image(), "excluded: known"),
    ],
)
def test_what_is_wanted(selection, found, reason):
    said = Selector(Selection(**selection)).reason(found)
    assert said.startswith(reason) if reason else said == ""


@pytest.mark.parametrize(
    "entry",
    [{"names": ["x"]}, {"names": [], "reason": "y"}, {"names": ["x"], "reason": " "}, {"name": "x", "reason": "y"}],
)
def test_an_exclusion_without_names_or_reason_is_refused(entry):
    with pytest.raises(ScapError, match="names"):
        Selector(Selection(exclude=[entry]))


def keep(folder, digest, key="0123456789ab", scanned="2099-01-01T00:00:00Z", sha256="1" * 64, error=None):
    path = folder / "evidence" / digest[7:] / key
    path.mkdir(parents=True)
    evidence = Evidence(
        "r",
        digest,
        "",
        OperatingSystem(),
        ScanInfo("local", "", "", 1.0),
        scanned,
        [Content("oval", "x", "", sha256)],
        error=error,
    )
    write_json(str(path / "evidence.json"), to_json(evidence))


@pytest.mark.parametrize(
    ("evidence", "contents", "new", "due"),
    [
        (None, [], True, True),
        ({}, [], False, False),
        ({"scanned": "2001-01-01T00:00:00Z"}, [], False, True),
        ({}, ["sha256:" + "1" * 64], False, False),
        ({}, ["2" * 64], True, True),
        ({"key": "0123456789ab-error"}, [], True, True),
        ({"error": Reason("c", "m")}, ["1" * 64], True, True),
    ],
)
def test_what_is_new_and_due(tmp_path, evidence, contents, new, due):
    if evidence is not None:
        keep(tmp_path, D1, **evidence)
    wants = {scope: Scope(str(tmp_path), scope, 86400.0, contents).wants(image()) for scope in ("new", "due", "all")}
    assert wants == {"new": new, "due": due, "all": True}


def test_damaged_evidence_counts_as_none_and_scope_needs_a_folder(tmp_path):
    keep(tmp_path, D1)
    (tmp_path / "evidence" / D1[7:] / "0123456789ab" / "evidence.json").write_text("{")
    assert Scope(str(tmp_path), "due", 86400.0, []).wants(image())
    assert Scope(str(tmp_path), "new", 1.0, []).wants(image(digest=""))
    with pytest.raises(ScapError, match="set dir"):
        Scope(None, "new", 1.0, [])


def test_what_comes_first():
    few, many, idle = (
        image("a/few:1", spaces=["a"]),
        image("z/many:1", spaces=["a", "b"]),
        image("b/idle:1", created="2026-01-01"),
    )
    assert ordered([idle, few, many], "running") == [many, few, idle]
    assert ordered([few, many, idle], "newest")[0] == idle
    assert ordered([many, idle, few], "name") == [few, idle, many] or ordered([many, idle, few], "name")[0] == few


def test_what_changed(tmp_path):
    path = str(tmp_path / "images.jsonl")
    before = [image("a/stays:1", D1), image("a/goes:1", D2)]
    assert write_rows(path, map(row, before), dry_run=False)
    assert not write_rows(path, map(row, before), dry_run=False)
    after = [image("a/stays:1", D3), image("a/comes:1", D1)]
    assert write_rows(path, map(row, after), dry_run=True)
    assert json.loads((tmp_path / "images.jsonl").read_text().splitlines()[1])["reference"] == "docker://a/goes:1"
    told = difference(Before(path), after)
    assert told["retagged"]["references"] == ["docker://a/stays:1"]
    assert (told["added"]["count"], told["gone"]["references"]) == (1, ["docker://a/goes:1"])
    (tmp_path / "images.jsonl").write_text("no json\n")
    assert difference(Before(path), after)["added"]["count"] == 2
    assert [to_json(one) for one in after] == [row(one) for one in after]


@pytest.mark.parametrize(
    ("text", "value"), [("7d", 604800), ("12h", 43200), ("30 m", 1800), ("45s", 45), ("2", 172800), ("0.5d", 43200)]
)
def test_durations(text, value):
    assert seconds(text, "x") == value
    with pytest.raises(ScapError, match="x is"):
        seconds(f"-{text}", "x")


def test_layouts_and_archives_are_read_alike_and_damage_is_told(tmp_path):
    folder = tmp_path / "layout"
    folder.mkdir()
    layout = Layout(folder)
    digest = layout.add_image("1.0", [layout.add_layer(io.BytesIO(bytes(1024)))], "amd64")
    (found,) = of_place(str(folder), [], "oci")
    assert (found.reference, found.digest, found.platform) == (f"oci:{folder}:1.0", digest, "linux/amd64")
    archive = tmp_path / "image.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, ".")
    (packed,) = of_place(str(archive), [], "oci")
    assert (packed.reference, packed.digest) == (f"oci-archive:{archive}:1.0", digest)
    manifest = folder / "blobs" / "sha256" / digest[7:]
    body = manifest.read_text()
    manifest.write_text(body + " ")
    (damaged,) = of_place(str(folder), [], "oci")
    assert "have another digest" in damaged.reason
    manifest.unlink()
    manifest.symlink_to("/etc/hostname")
    (outside,) = of_place(str(folder), [], "oci")
    assert "is a link out of the layout" in outside.reason


@pytest.mark.parametrize(
    ("name", "skipped"),
    [
        ("bad_name.tar", True),
        ("concat.tar", True),
        ("escape.tar", True),
        ("evil-link-traversal.tar", True),
        ("go-neg-size.tar", True),
        ("no_manifest.tar", True),
    ],
)
def test_hostile_archives_are_skipped(name, skipped):
    found = list(of_place(str(shared_data.path("hostile", name)), [], "oci"))
    assert [isinstance(one, Image) for one in found] == [not skipped]


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("valid-oci.tar", "oci-archive:"),
        ("rhel9-ubi9.0.oci.tar", "oci-archive:"),
        ("whiteout_image.tar", "docker-archive:"),
        ("busybox.amd64.containerd.tar", "oci-archive:"),
    ],
)
def test_real_archives(name, start):
    place = str(shared_data.path("images", name))
    found = list(of_place(place, ["linux/amd64"], "oci"))
    assert found
    assert all(isinstance(one, Image) and one.reference.startswith(f"{start}{place}") for one in found)
    assert all(bool(one.digest) == (start == "oci-archive:") for one in found)
    skipped = [one for one in of_place(place, [], "oci") if not isinstance(one, Image)]
    assert all("is missing" in one.reason for one in skipped)
