"""What a content file says of itself, and which of its profiles is taken."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import Content, OperatingSystem, Package, ScapError
from ansible_collections.scap.images.plugins.module_utils.scanner import contentinfo
from ansible_collections.scap.images.plugins.module_utils.scanner.content import Selected, check_content, fitting

SSG = pathlib.Path("/usr/share/xml/scap/ssg/content")

DATASTREAM = """<?xml version="1.0"?>
<ds:data-stream-collection xmlns:ds="http://scap.nist.gov/schema/scap/source/1.2"
 xmlns:x="http://checklists.nist.gov/xccdf/1.2" xmlns:o="http://oval.mitre.org/XMLSchema/oval-definitions-5">
 <ds:component id="c"><x:Benchmark id="b">
  <x:platform idref="cpe:/o:debian:debian_linux:11"/>
  <x:Profile id="p_profile_base"><x:title>Base</x:title>
   <x:select idref="r1" selected="true"/><x:select idref="r4" selected="true"/></x:Profile>
  <x:Profile id="p_profile_more" extends="p_profile_base"><x:title>More</x:title>
   <x:select idref="r1" selected="false"/><x:select idref="r2" selected="true"/>
   <x:select idref="g2" selected="false"/><x:select idref="r5" selected="true"/>
   <x:select idref="r6" selected="true"/></x:Profile>
  <x:Profile id="p_profile_empty"><x:title>Empty</x:title><x:select idref="r3" selected="false"/></x:Profile>
  <x:Group id="g1"><x:Rule id="r1" selected="false"/><x:Rule id="r2" selected="false"/></x:Group>
  <x:Group id="g2"><x:Rule id="r3" selected="false"/>
   <x:Group id="g3"><x:Rule id="r4" selected="false"/></x:Group></x:Group>
  <x:Rule id="r5" selected="false"><x:requires idref="r3 r1"/></x:Rule>
  <x:Rule id="r6" selected="false"><x:conflicts idref="r1"/></x:Rule>
 </x:Benchmark></ds:component>
 <ds:component id="o"><o:oval_definitions><o:objects>
  <textfilecontent54_object id="o1"/></o:objects></o:oval_definitions>
 </ds:component>
</ds:data-stream-collection>
"""


def _write(folder: pathlib.Path, text: str) -> str:
    path = folder / "content.xml"
    path.write_text(text)
    return str(path)


def test_profiles_resolve_extends_groups_requires_and_conflicts(tmp_path: pathlib.Path) -> None:
    info = contentinfo.content_info(_write(tmp_path, DATASTREAM))
    assert {profile.id: profile.rules for profile in info.profiles} == {
        "p_profile_base": ["r1", "r4"],
        "p_profile_more": ["r2", "r6"],
        "p_profile_empty": [],
    }
    assert info.platforms == ["cpe:/o:debian:debian_linux:11"]
    assert info.families == ["textfilecontent54"]
    assert info.rules == 6


def test_the_cache_gives_the_same_answer(tmp_path: pathlib.Path) -> None:
    path, cache = _write(tmp_path, DATASTREAM), tmp_path / "cache"
    first = contentinfo.content_info(path, str(cache))
    assert contentinfo.content_info(path, str(cache)) == first
    (kept,) = os.listdir(cache)
    (cache / kept).write_bytes(b"damaged")
    assert contentinfo.content_info(path, str(cache)) == first


@pytest.mark.parametrize("wanted", ["more", "p_profile_more"])
def test_a_profile_by_short_or_full_id(tmp_path: pathlib.Path, wanted: str) -> None:
    info = contentinfo.content_info(_write(tmp_path, DATASTREAM))
    assert contentinfo.choose_profile(info, wanted, "c.xml").id == "p_profile_more"


@pytest.mark.parametrize("wanted", ["auto", "stig", ""])
def test_a_wrong_profile_lists_those_there_are(tmp_path: pathlib.Path, wanted: str) -> None:
    info = contentinfo.content_info(_write(tmp_path, DATASTREAM))
    with pytest.raises(ScapError, match="there are: base, empty, more"):
        contentinfo.choose_profile(info, wanted, "c.xml")


def test_a_profile_that_selects_nothing_proves_nothing(tmp_path: pathlib.Path) -> None:
    info = contentinfo.content_info(_write(tmp_path, DATASTREAM))
    with pytest.raises(ScapError) as caught:
        contentinfo.choose_profile(info, "empty", "c.xml")
    assert caught.value.code == "profile_empty"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<a/>", "content_unsupported"),
        ('<Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2"/>', "content_unsupported"),
        ("not xml", "content_malformed"),
        (DATASTREAM[:-40], "content_malformed"),
        ("", "content_malformed"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + DATASTREAM.partition("?>")[2], "content_malformed"),
        (DATASTREAM.replace('extends="p_profile_base"', 'extends="p_profile_more"'), "content_malformed"),
        ('<ds:data-stream-collection xmlns:ds="http://scap.nist.gov/schema/scap/source/1.2"/>', "content_malformed"),
        (
            '<o:oval_definitions xmlns:o="http://oval.mitre.org/XMLSchema/oval-definitions-5">' + "<a>" * 5000,
            "content_malformed",
        ),
    ],
)
def test_bad_content_is_named(tmp_path: pathlib.Path, text: str, code: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(ScapError, match=re.escape(path)) as caught:
        contentinfo.content_info(path)
    assert caught.value.code == code


CHECK = '<x:check system="http://oval.mitre.org/XMLSchema/oval-definitions-5">{}</x:check>'
REFERENCE = '<x:check-content-ref href="o.xml" name="{}"/>'


@pytest.mark.parametrize(
    ("checks", "broken"),
    [
        ("", []),
        (CHECK.format('<x:check-content-ref href="remote.xml"/>'), []),
        (CHECK.format(REFERENCE.format("oval:d:def:1")), []),
        (CHECK.format(REFERENCE.format("oval:d:def:2") + REFERENCE.format("oval:d:def:1")), []),
        (CHECK.format(REFERENCE.format("oval:d:def:2")).replace("XMLSchema", "other"), []),
        (CHECK.format(REFERENCE.format("oval:d:def:2")), ["r1"]),
        (CHECK.format(REFERENCE.format("oval:d:def:1")) + CHECK.format(REFERENCE.format("oval:d:def:2")), ["r1"]),
    ],
)
def test_rules_whose_definition_is_missing(tmp_path: pathlib.Path, checks: str, broken: list[str]) -> None:
    text = DATASTREAM.replace(
        '<x:Rule id="r1" selected="false"/>', f'<x:Rule id="r1" selected="false">{checks}</x:Rule>'
    )
    text = text.replace("<o:objects>", '<o:definitions><o:definition id="oval:d:def:1"/></o:definitions><o:objects>')
    assert contentinfo.content_info(_write(tmp_path, text)).broken == broken


@pytest.mark.parametrize(
    ("schema", "passed"),
    [
        ("5.3", True),
        ("5.11.3", True),
        ("5.10.1:1.1", True),
        ("5.12", False),
        ("5.99", False),
        ("6.0", False),
        ("", False),
    ],
)
def test_the_schema_of_a_feed(tmp_path: pathlib.Path, schema: str, passed: bool) -> None:
    text = (
        '<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5" xmlns:c='
        f'"http://oval.mitre.org/XMLSchema/oval-common-5"><generator><c:schema_version>{schema}</c:schema_version>'
        '</generator><definitions><definition class="patch"><metadata><affected>'
        "<platform>Debian GNU/Linux 11</platform></affected></metadata></definition></definitions></oval_definitions>"
    )
    info = contentinfo.content_info(_write(tmp_path, text))
    selected = Selected("", None, [info], ["feed.xml"], [Content("oval", "feed.xml", "", info.sha256)])
    (check, _feed) = check_content(selected, OperatingSystem("debian", "11"), [Package("base-files", "11")])
    assert check.passed is passed
    assert ("which oscap does not know" in check.detail) is not passed


def test_missing_content(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ScapError) as caught:
        contentinfo.content_info(str(tmp_path / "none.xml"))
    assert caught.value.code == "content_missing"


@pytest.mark.parametrize(("name", "profile"), [("debian11", "anssi_np_nt28_high"), ("rhel8", "stig")])
def test_the_selected_rules_are_those_that_oscap_selects(tmp_path: pathlib.Path, name: str, profile: str) -> None:
    path = SSG / f"ssg-{name}-ds.xml"
    chosen = contentinfo.choose_profile(contentinfo.content_info(str(path)), profile, str(path))
    (tmp_path / "root").mkdir()
    done = subprocess.run(
        ["oscap", "xccdf", "eval", "--skip-validation", "--progress", "--profile", chosen.id, str(path)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "OSCAP_PROBE_ROOT": str(tmp_path / "root")},
        capture_output=True,
        check=False,
    )
    answered = {line.rpartition(":")[0] for line in done.stdout.decode().splitlines() if line}
    assert answered == set(chosen.rules)


@pytest.mark.parametrize(
    ("platforms", "used"),
    [
        ([["Red Hat Enterprise Linux 9"], ["Red Hat Enterprise Linux 8"], ["Debian GNU/Linux 11"]], [1]),
        ([["Red Hat Enterprise Linux 8"], ["Red Hat Enterprise Linux 80", "Red Hat Enterprise Linux 8.4"]], [0, 1]),
        ([["Red Hat Enterprise Linux 8"], []], [0, 1]),
        ([["Red Hat Enterprise Linux 80"]], []),
    ],
)
def test_the_feeds_of_an_operating_system(platforms: list[list[str]], used: list[int]) -> None:
    feeds = [contentinfo.ContentInfo("0" * 64, "oval", platforms=names) for names in platforms]
    assert fitting(OperatingSystem("rhel", "8.4"), feeds) == used
