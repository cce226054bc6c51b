# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New feeds judged on evidence, without the image: the answers of a scan, or the word that only a scan can tell."""

from __future__ import annotations

import lzma
import os
import pathlib
import re
import shutil
import sys
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.files import read_json, write_json
from ansible_collections.scap.images.plugins.module_utils.model import Evidence
from ansible_collections.scap.images.plugins.module_utils.policy.run import load_grounds, verdicts_of
from ansible_collections.scap.images.plugins.module_utils.scan.again import Again, Summary, judge_again
from ansible_collections.scap.images.plugins.module_utils.scanner.kept import MAX_BYTES, NAME
from ansible_collections.scap.images.plugins.module_utils.store import evidences

from tests.support import shared_data
from tests.support.local_scans import Scanner, unproven
from tests.support.residuals import comparable

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def latest(folder: pathlib.Path) -> tuple[Evidence, pathlib.Path]:
    ((evidence, path),) = evidences(str(folder))
    return evidence, folder / path


@pytest.fixture
def new(tmp_path: pathlib.Path) -> str:
    """A real feed, of which 16 definitions are true of the image."""
    feed = tmp_path / "rhel8.xml"
    feed.write_bytes(lzma.decompress(shared_data.path("oval", "com.redhat.rhsa-RHEL8.xml.xz").read_bytes()))
    return str(feed)


@pytest.fixture
def nine(tmp_path: pathlib.Path, new: str) -> str:
    """The same as one for the next release."""
    feed = tmp_path / "rhel9.xml"
    feed.write_text(pathlib.Path(new).read_text().replace("Linux 8</platform>", "Linux 9</platform>"))
    return str(feed)


@pytest.fixture
def old(tmp_path: pathlib.Path, new: str) -> str:
    """The same before anything was fixed."""
    feed = tmp_path / "before.xml"
    feed.write_text(re.sub(r'(operation="less than">)[^<]+', r"\g<1>0:0-0", pathlib.Path(new).read_text()))
    return str(feed)


def test_a_new_feed_is_judged_without_the_image(tmp_path: pathlib.Path, new: str, old: str) -> None:
    image = tmp_path / "image.tar"
    image.write_bytes(shared_data.path("images", "rhel8-ubi8.0-bdb.oci.tar").read_bytes())
    folder = tmp_path / "scaps"
    settings = {"profile": "none", "compile": True, "sample": 0.0}
    scanned = Scanner(tmp_path / "peer").scan(f"oci-archive:{image}", oval=[new], **settings)
    (peer,) = scanned.values()
    first = Scanner(folder).one(f"oci-archive:{image}", oval=[old], **settings)
    assert not unproven(first)
    image.unlink()

    run = Again(str(folder), [new], sys.executable)
    assert judge_again(run) == Summary(evaluated=1)
    evidence, place = latest(folder)
    assert not unproven(evidence)
    assert (evidence.evaluated, evidence.scanned_at, evidence.due) == ("from evidence", first.scanned_at, None)
    assert [content.id for content in evidence.content] == ["rhel8.xml"]
    assert (place / NAME).stat().st_size < MAX_BYTES
    wanted, found = (read_json(str(path / "results.json.gz")) for path in (pathlib.Path(peer.path), place))
    assert comparable(found) == comparable(wanted)
    (verdict,) = verdicts_of(str(folder), load_grounds([], []))
    assert (verdict.evaluated, verdict.state, len(verdict.vulnerabilities)) == ("from evidence", "non_compliant", 16)
    assert judge_again(run) == Summary(unchanged=1)


def test_what_is_alike_is_evaluated_once(tmp_path: pathlib.Path, new: str, old: str, nine: str) -> None:
    """Three images, two of them with the same packages to the byte; each is evaluated by the feed that is for it."""
    folder = tmp_path / "scaps"
    settings = {"profile": "none", "compile": True, "sample": 0.0}
    for name in ("rhel8-ubi8.0-bdb", "rhel9-ubi9.0"):
        Scanner(folder).one(f"oci-archive:{shared_data.path('images', f'{name}.oci.tar')}", oval=[old], **settings)
    place = next(path for evidence, path in evidences(str(folder)) if evidence.os.version.startswith("8"))
    twin = folder / "evidence" / ("0" * 64)
    shutil.copytree((folder / place).parent, twin)
    (record,) = twin.glob("*/evidence.json")
    write_json(str(record), {**read_json(str(record)), "digest": f"sha256:{twin.name}", "reference": "docker://twin"})
    run = Again(str(folder), [nine, new], sys.executable)
    assert judge_again(run) == Summary(evaluated=3)
    assert judge_again(run) == Summary(unchanged=3)
    judged = {evidence.digest: (evidence, folder / path) for evidence, path in evidences(str(folder))}
    inodes = [(path / "oval-0.xml.gz").stat().st_ino for _evidence, path in judged.values()]
    assert (len(inodes), len(set(inodes))) == (3, 2)
    evidence, path = judged[f"sha256:{twin.name}"]
    assert (evidence.reference, evidence.evaluated) == ("docker://twin", "from evidence")
    assert not unproven(evidence)
    peer = next(path for other, path in judged.values() if other.os == evidence.os and path.parent != twin)
    assert read_json(str(path / "results.json.gz")) == read_json(str(peer / "results.json.gz"))
    used = {other.os.version[0]: [content.id for content in other.content] for other, _path in judged.values()}
    assert used == {"8": ["rhel8.xml"], "9": ["rhel9.xml"]}
    (left_out,) = [check.detail for check in evidence.coverage if check.detail.startswith("not evaluated: ")]
    assert left_out.startswith("not evaluated: rhel9.xml is not for rhel 8")


def test_a_feed_for_other_systems_leaves_an_image_as_it_is(
    tmp_path: pathlib.Path, new: str, old: str, nine: str
) -> None:
    reference = f"oci-archive:{shared_data.path('images', 'rhel8-ubi8.0-bdb.oci.tar')}"
    settings = {"profile": "none", "compile": True, "sample": 0.0}
    first = Scanner(tmp_path / "scaps").one(reference, oval=[old, nine], **settings)
    assert not unproven(first)
    assert [content.id for content in first.content] == ["before.xml"]
    assert judge_again(Again(str(tmp_path / "scaps"), [nine], sys.executable)) == Summary(skipped=1)
    assert latest(tmp_path / "scaps")[0] == first
    assert judge_again(Again(str(tmp_path / "scaps"), [new], sys.executable)) == Summary(evaluated=1)
    again, _place = latest(tmp_path / "scaps")
    assert not unproven(again)
    assert not [check for check in again.coverage if "rhel9.xml" in check.detail]


def test_feeds_that_are_all_for_other_systems_prove_nothing(tmp_path: pathlib.Path, nine: str) -> None:
    reference = f"oci-archive:{shared_data.path('images', 'rhel8-ubi8.0-bdb.oci.tar')}"
    evidence = Scanner(tmp_path / "scaps").one(reference, profile="none", oval=[nine])
    assert list(unproven(evidence)) == ["content"]


def elsewhere(text: str) -> str:
    return text.replace("/etc/redhat-release", "/etc/somewhere-else")


def below(text: str) -> str:
    """The same file, and those of its name in every folder below."""
    found = re.compile(r"<(\S*)rpmverifyfile_object ([^>]*)>.*?</\S*rpmverifyfile_object>", re.DOTALL)
    objects = (
        r'<ind:textfilecontent54_object xmlns:ind="http://oval.mitre.org/XMLSchema/oval-definitions-5#independent" \2>'
        r'<ind:behaviors max_depth="-1" recurse_direction="down"/><ind:path>/etc</ind:path>'
        r'<ind:filename>redhat-release</ind:filename><ind:pattern operation="pattern match">.</ind:pattern>'
        r'<ind:instance datatype="int">1</ind:instance></ind:textfilecontent54_object>'
    )
    return found.sub(objects, text)


@pytest.mark.parametrize(("change", "said"), [(elsewhere, "/etc/somewhere-else"), (below, "did not keep: ?")])
def test_what_was_not_kept_makes_the_image_due(
    tmp_path: pathlib.Path, new: str, old: str, change: t.Callable[[str], str], said: str
) -> None:
    folder = tmp_path / "scaps"
    reference = f"oci-archive:{shared_data.path('images', 'rhel8-ubi8.0-bdb.oci.tar')}"
    Scanner(folder).one(reference, profile="none", oval=[old], compile=True)
    feed = tmp_path / "elsewhere.xml"
    text = pathlib.Path(new).read_text()
    feed.write_text(change(text))
    assert text != feed.read_text()
    assert judge_again(Again(str(folder), [str(feed)], sys.executable)) == Summary(due=1)
    evidence, _place = latest(folder)
    assert evidence.due is not None
    assert said in evidence.due.message
    assert [content.id for content in evidence.content] == [pathlib.Path(old).name]
    (verdict,) = verdicts_of(str(folder), load_grounds([], []))
    assert verdict.state == "stale"
    assert "scan_due" in [reason.code for reason in verdict.reasons]


@pytest.mark.parametrize("damage", [lambda data: data[:-40], lambda data: data + b" "], ids=["short", "long"])
def test_an_archive_that_changed_is_not_judged(
    tmp_path: pathlib.Path, new: str, old: str, damage: t.Callable[[bytes], bytes]
) -> None:
    folder = tmp_path / "scaps"
    reference = f"oci-archive:{shared_data.path('images', 'rhel8-ubi8.0-bdb.oci.tar')}"
    Scanner(folder).one(reference, profile="none", oval=[old], compile=True)
    _evidence, place = latest(folder)
    (place / NAME).write_bytes(damage((place / NAME).read_bytes()))
    for _again in range(2):
        assert judge_again(Again(str(folder), [new], sys.executable)) == Summary(due=1)
        evidence, _place = latest(folder)
        assert evidence.due is not None
        assert "is not what the evidence says of it" in evidence.due.message
