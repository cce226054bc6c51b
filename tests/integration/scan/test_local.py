# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole scans by the local executor: real registries, layouts, archives and stores, real oscap of both versions."""

from __future__ import annotations

import contextlib
import gzip
import json
import lzma
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.files import read_json
from ansible_collections.scap.images.plugins.module_utils.model import Results, ScapError

from tests.data import tiny
from tests.data.oci_layout import Layout
from tests.support import registry, shared_data, trixie
from tests.support.images import files_image
from tests.support.local_scans import Scanner, unproven

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="as an ordinary user these run in test_rootless")

TOOLS = [pytest.param("/", id="oscap-1.3")]
if pathlib.Path(trixie.path()).is_dir():
    TOOLS.append(pytest.param(trixie.path(), id="oscap-1.4"))
RHEL8_TRUE = (1619, 2692, 3352, 3513, 3520, 3530, 3575, 3583, 3592, 3600, 3624, 3698, 3700, 3701, 3706, 3707)
"""Of RHSA-2019."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.layout(tmp_path_factory.mktemp("tiny") / "layout")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[registry.Registry]:
    with registry.running(tmp_path_factory.mktemp("registry")) as found:
        yield found


def results(scanner: Scanner, path: str) -> Results:
    return Results.from_json(read_json(os.path.join(path, "results.json.gz")))


@pytest.mark.parametrize("tools", TOOLS)
@pytest.mark.parametrize("way", ["storage", "unpack"])
def test_both_ways_and_both_versions_give_the_same_answer(
    tmp_path: pathlib.Path, image: str, way: str, tools: str
) -> None:
    scanner = Scanner(tmp_path / "scap", way=way, tools=tools)
    (entry,) = scanner.scan(image).values()
    evidence = entry.evidence
    assert evidence.error is None
    assert unproven(evidence) == {}
    assert (evidence.scan.rung, evidence.os.label, evidence.packages) == (way, "debian 11", 2)
    failed = {rule.id.rpartition("_rule_")[2] for rule in results(scanner, entry.path).rules if rule.result == "fail"}
    assert "package_inetutils-telnetd_removed" in failed
    names = sorted(os.listdir(entry.path))
    assert names == [
        "arf.xml.gz", "evidence.json", "expected.json.gz", "kept.tar.compressed", "packages.json.gz", "results.json.gz",
        "stderr.txt",
    ]  # fmt: skip
    assert {file.name for file in evidence.files} == set(names) - {"evidence.json"}
    assert not [name for name in os.listdir(tmp_path / "scap" / "evidence") if name.startswith(".")]


def test_every_kind_of_reference(tmp_path: pathlib.Path, image: str, plain: registry.Registry) -> None:
    pushed = plain.push(image, "kinds/tiny:1")
    store = ["--root", str(tmp_path / "store"), "--runroot", str(tmp_path / "run"), "--storage-driver", "overlay"]
    for target in (f"oci-archive:{tmp_path}/oci.tar:x", f"docker-archive:{tmp_path}/docker.tar:x:1"):
        subprocess.run(["skopeo", "copy", "-q", image, target], check=True)
    conf = tmp_path / "storage.conf"
    conf.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{store[1]}"\nrunroot = "{store[3]}"\n')
    name = "localhost/kinds/tiny:1"
    place = f"containers-storage:[overlay@{store[1]}+{store[3]}]{name}"
    subprocess.run(["skopeo", "copy", "-q", image, place], check=True)
    references = [
        pushed,
        pushed.removeprefix("docker://"),
        image,
        f"oci-archive:{tmp_path}/oci.tar",
        f"docker-archive:{tmp_path}/docker.tar",
    ]
    scanner = Scanner(tmp_path / "scap", way="unpack")
    found = scanner.scan(*references, reuse=False)
    assert {entry.evidence.error for entry in found.values()} == {None}
    assert {entry.evidence.packages for entry in found.values()} == {2}
    assert set(found) == {pushed, image, *references[3:]}
    os.environ["CONTAINERS_STORAGE_CONF"] = str(conf)
    try:
        assert scanner.one(f"containers-storage:{name}").packages == 2
    finally:
        del os.environ["CONTAINERS_STORAGE_CONF"]
        subprocess.run(["umount", f"{store[1]}/overlay"], check=False, capture_output=True)


def test_a_tag_is_resolved_to_a_digest_once_and_reused(
    tmp_path: pathlib.Path, image: str, plain: registry.Registry
) -> None:
    reference = plain.push(image, "reuse/tiny:1")
    scanner = Scanner(tmp_path / "scap")
    (first,) = scanner.scan(reference).values()
    (second,) = scanner.scan(reference).values()
    assert (first.reused, second.reused) == (False, True)
    assert second.path == first.path
    assert second.evidence == first.evidence
    (again,) = scanner.scan(reference, reuse=False).values()
    assert not again.reused
    (other,) = scanner.scan(reference, profile="anssi_np_nt28_minimal").values()
    assert not other.reused
    assert other.path != first.path


def test_a_damaged_evidence_is_scanned_again(tmp_path: pathlib.Path, image: str) -> None:
    scanner = Scanner(tmp_path / "scap")
    (first,) = scanner.scan(image).values()
    os.truncate(os.path.join(first.path, "arf.xml.gz"), 10)
    (second,) = scanner.scan(image).values()
    assert not second.reused
    assert second.evidence.error is None


def test_a_run_that_was_killed_is_started_again(tmp_path: pathlib.Path, image: str) -> None:
    """The driver process dies in the middle of the scan; nothing half made is ever taken for an evidence."""
    code = (
        "import sys; sys.path[:0] = sys.argv[3:]\n"
        "import pathlib\nfrom tests.support.local_scans import Scanner\n"
        "Scanner(pathlib.Path(sys.argv[1])).scan(sys.argv[2])\n"
    )
    root = pathlib.Path(__file__).resolve().parents[3]
    places = [str(root), str(root / "build" / "dev")]
    folder = tmp_path / "scap"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), image, *places],
        start_new_session=True,
    )
    while not list((folder / "evidence").glob(".scan-*/packages.json.gz")) and process.poll() is None:
        pass
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    scanner = Scanner(folder)
    (entry,) = scanner.scan(image).values()
    assert entry.evidence.error is None
    assert unproven(entry.evidence) == {}
    assert [path.name for path in (folder / "evidence").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("tools", TOOLS)
@pytest.mark.parametrize("name", ["rhel8-ubi8.0", "rhel8-ubi8.0-bdb"])
def test_the_known_answer_of_the_rhel_8_feed(tmp_path: pathlib.Path, name: str, tools: str) -> None:
    """16 of 129 definitions, whichever format the package database has (traps 2 to 5)."""
    feed = tmp_path / "rhel8.xml"
    feed.write_bytes(lzma.decompress(shared_data.path("oval", "com.redhat.rhsa-RHEL8.xml.xz").read_bytes()))
    with tarfile.open(shared_data.path("roots", f"{name}.tar.xz")) as archive:
        reference = files_image(tmp_path / "layout", archive)
    scanner = Scanner(tmp_path / "scap", way="unpack", tools=tools)
    (entry,) = scanner.scan(reference, profile="none", oval=[str(feed)]).values()
    assert entry.evidence.error is None
    assert unproven(entry.evidence) == {}
    found = results(scanner, entry.path)
    assert found.definition_counts["true"] == 16
    assert sum(found.definition_counts.values()) == 129
    assert sorted(entry.id.rpartition(":")[2] for entry in found.vulnerabilities) == [f"2019{n}" for n in RHEL8_TRUE]


def test_a_feed_of_another_release_proves_nothing(tmp_path: pathlib.Path) -> None:
    """Trap 7."""
    feed = tmp_path / "rhel8.xml"
    feed.write_bytes(lzma.decompress(shared_data.path("oval", "com.redhat.rhsa-RHEL8.xml.xz").read_bytes()))
    with tarfile.open(shared_data.path("roots", "rhel9-ubi9.0.tar.xz")) as archive:
        reference = files_image(tmp_path / "layout", archive)
    evidence = Scanner(tmp_path / "scap", way="unpack").one(reference, profile="none", oval=[str(feed)])
    assert set(unproven(evidence)) == {"content"}


def test_an_image_without_content_is_not_applicable(tmp_path: pathlib.Path) -> None:
    alpine = "P:musl\nV:1.2.3-r4\nA:x86_64\n\n"
    reference = tiny.layout(
        tmp_path / "layout",
        {"etc/os-release": "ID=alpine\nVERSION_ID=3.18.4\n", "lib/apk/db/installed": alpine},
        without=("var/lib/dpkg/status",),
    )
    evidence = Scanner(tmp_path / "scap").one(reference)
    assert evidence.not_applicable is not None
    assert "no SCAP content exists for alpine 3.18.4" in evidence.not_applicable.message
    assert evidence.packages == 1
    empty = Layout(tmp_path / "empty")
    empty.add_image("scratch", [], "amd64")
    evidence = Scanner(tmp_path / "scap").one(f"oci:{tmp_path}/empty:scratch")
    assert evidence.not_applicable is not None


def test_a_lying_os_release_is_found_out(tmp_path: pathlib.Path) -> None:
    status = tiny.status({"base-files": "12.4+deb12u5", "inetutils-telnetd": "2:2.0-1"})
    evidence = Scanner(tmp_path / "scap").one(tiny.layout(tmp_path / "layout", {"var/lib/dpkg/status": status}))
    assert set(unproven(evidence)) == {"os"}
    assert "base-files is of version 12.4+deb12u5" in unproven(evidence)["os"]


def test_bad_input_is_named_and_the_rest_goes_on(tmp_path: pathlib.Path, image: str, plain: registry.Registry) -> None:
    good = plain.push(image, "bad/good:1")
    layout = pathlib.Path(image.split(":")[1])
    torn = tmp_path / "torn"
    shutil.copytree(layout, torn)
    blob = max((torn / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(blob.read_bytes()[:-20])
    swapped = tmp_path / "swapped"
    shutil.copytree(layout, swapped)
    blob = max((swapped / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(gzip.compress(gzip.decompress(blob.read_bytes()) + bytes(512)))
    (tmp_path / "text.tar").write_text("this is no archive")
    expected = {
        f"docker://{plain.address}/bad/none:1": "image_unknown",
        f"docker://{plain.address}/bad/good:none": "image_unknown",
        "docker://127.0.0.1:1/x:1": "registry_down",
        "oci:/nonexistent:x": "image_unknown",
        f"oci:{layout}:none": "image_unknown",
        f"oci-archive:{tmp_path}/text.tar": "archive_malformed",
        f"oci-archive:{tmp_path}/none.tar": "image_unknown",
    }
    scanner = Scanner(tmp_path / "scap", way="unpack")
    damaged = {f"oci:{torn}:tiny": "layer_damaged", f"oci:{swapped}:tiny": "digest_mismatch"}
    found = scanner.scan(*damaged)
    found |= scanner.scan(good, *expected)
    expected |= damaged
    assert found[good].evidence.error is None
    codes = {name: entry.evidence.error and entry.evidence.error.code for name, entry in found.items() if name != good}
    assert codes == expected
    for name in expected:
        error = found[name].evidence.error
        assert error is not None
        assert name in error.message or name.partition("://")[2] in error.message


def test_another_platform_lists_those_there_are(tmp_path: pathlib.Path, image: str) -> None:
    evidence = Scanner(tmp_path / "scap").one(image, platform="linux/s390x")
    assert evidence.error is not None
    assert evidence.error.code == "platform_missing"
    assert "linux/amd64" in evidence.error.message


def test_a_wrong_profile_lists_those_there_are(tmp_path: pathlib.Path, image: str) -> None:
    evidence = Scanner(tmp_path / "scap").one(image, profile="nist")
    assert evidence.error is not None
    assert "there are: anssi_np_nt28_average" in evidence.error.message


def test_a_damaged_data_stream(tmp_path: pathlib.Path, image: str) -> None:
    path = tmp_path / "ds.xml"
    path.write_bytes(pathlib.Path("/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml").read_bytes()[:1_000_000])
    evidence = Scanner(tmp_path / "scap").one(image, datastream=str(path))
    assert evidence.error is not None
    assert evidence.error.code == "content_malformed"
    assert str(path) in evidence.error.message


def test_a_registry_with_a_password_and_its_own_authority(tmp_path: pathlib.Path, image: str) -> None:
    with registry.guarded(tmp_path / "registry", "alice", "open sesame") as guarded:
        reference = guarded.push(image, "guarded/tiny:1")
        access = {"tls_verify": True, "ca_file": str(guarded.authority)}
        wrong = tmp_path / "wrong.json"
        wrong.write_text(json.dumps({"auths": {guarded.address: {"auth": "YWxpY2U6d3Jvbmc="}}}))
        torn = tmp_path / "torn.json"
        torn.write_text("{")
        for way in ("storage", "unpack"):
            right = Scanner(tmp_path / way, way=way, authfile=str(guarded.authfile), **access)
            assert right.one(reference).error is None
        cases = {
            "registry_unauthorized": {**access, "authfile": str(wrong)},
            "authfile_malformed": {**access, "authfile": str(torn)},
            "authfile_unreadable": {**access, "authfile": str(tmp_path / "none.json")},
            "registry_certificate": {"tls_verify": True, "authfile": str(guarded.authfile)},
            "ca_file_unreadable": {**access, "ca_file": str(tmp_path / "none.pem")},
        }
        for code, values in cases.items():
            evidence = Scanner(tmp_path / code, **values).one(reference)
            assert evidence.error is not None
            assert evidence.error.code == code, evidence.error.message
            assert "sesame" not in evidence.error.message
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size < 1 << 20]
    secret = guarded.authfile
    holders = [path for path in left if path != secret and b"YWxpY2U6b3BlbiBzZXNhbWU" in path.read_bytes()]
    assert holders == []


@contextlib.contextmanager
def scratch_of(folder: pathlib.Path, size: str, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """Temporary files go to a file system of that size."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(folder))
            yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named_and_nothing_is_lost(
    tmp_path: pathlib.Path, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = Scanner(tmp_path / "scap", way="unpack")
    (before,) = scanner.scan(image).values()
    with scratch_of(tmp_path / "small", "1m", monkeypatch):
        (entry,) = scanner.scan(tiny.layout(tmp_path / "big", {"opt/big": os.urandom(2 << 20)})).values()
    assert entry.evidence.error is not None
    assert entry.evidence.error.code == "disk_full"
    assert "free some space" in entry.evidence.error.message
    with scratch_of(tmp_path / "smaller", "64k", monkeypatch), pytest.raises(ScapError) as caught:
        scanner.scan(tiny.layout(tmp_path / "other", {"opt/other": b"x"}))
    assert caught.value.code == "disk_full"
    assert "set TMPDIR" in caught.value.message
    assert read_json(os.path.join(before.path, "evidence.json"))["error"] is None


def test_tools_without_oscap(tmp_path: pathlib.Path, image: str) -> None:
    shutil.copytree("/usr/share/doc/bubblewrap", tmp_path / "tools" / "usr" / "share", symlinks=True)
    evidence = Scanner(tmp_path / "scap", tools=str(tmp_path / "tools")).one(image)
    assert evidence.error is not None
    assert evidence.error.code == "oscap_missing"
