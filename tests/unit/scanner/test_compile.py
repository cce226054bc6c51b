# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the compiler keeps of a data stream, what it cuts, and what it refuses."""

from __future__ import annotations

import pathlib
import re
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.scap.images.plugins.module_utils.files import read_json
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.results.ruletext import given_rule, read_rule
from ansible_collections.scap.images.plugins.module_utils.scanner import contentinfo
from ansible_collections.scap.images.plugins.module_utils.scanner.compile.index import RefusedError
from ansible_collections.scap.images.plugins.module_utils.scanner.compile.stream import compile_stream
from ansible_collections.scap.images.plugins.module_utils.scanner.compiled import Compiled
from ansible_collections.scap.images.plugins.module_utils.scanner.tailor import tailor

STREAM = """<?xml version="1.0" encoding="UTF-8"?>
<ds:data-stream-collection xmlns:ds="http://scap.nist.gov/schema/scap/source/1.2"
 xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:cat="urn:oasis:names:tc:entity:xmlns:xml:catalog">
 <ds:data-stream id="stream">
  <ds:dictionaries>
<ds:component-ref id="ref-dictionary" xlink:href="#dictionary">
   <cat:catalog>
<cat:uri name="cpe.xml" uri="#ref-cpe"/></cat:catalog></ds:component-ref></ds:dictionaries>
  <ds:checklists>
<ds:component-ref id="ref-xccdf" xlink:href="#xccdf">
<cat:catalog>
   <cat:uri name="oval.xml" uri="#ref-oval"/>
<cat:uri name="ocil.xml" uri="#ref-ocil"/>
   <cat:uri name="far.xml" uri="#ref-far"/></cat:catalog></ds:component-ref></ds:checklists>
  <ds:checks>
<ds:component-ref id="ref-oval" xlink:href="#oval"/>
<ds:component-ref id="ref-ocil" xlink:href="#ocil"/>
   <ds:component-ref id="ref-cpe" xlink:href="#cpe"/>
   <ds:component-ref id="ref-far" xlink:href="https://example.org/far.xml"/></ds:checks>
 </ds:data-stream>
 <ds:component id="dictionary">
  <cpe-list xmlns="http://cpe.mitre.org/dictionary/2.0">
<cpe-item name="cpe:/a:x"/></cpe-list>
 </ds:component>
 <ds:component id="xccdf">
<x:Benchmark xmlns:x="http://checklists.nist.gov/xccdf/1.2" id="b">
  <x:notice id="n">a notice</x:notice>
<x:plain-text id="plain">a plain text</x:plain-text>
<x:version>1</x:version>
  <x:Profile id="p_profile_base">
<x:title>Base</x:title>
<x:select idref="r1" selected="true"/>
   <x:select idref="r9" selected="false"/></x:Profile>
  <x:Profile id="p_profile_more" extends="p_profile_base">
<x:title>More</x:title>
   <x:select idref="r2" selected="true"/>
<x:select idref="nothing" selected="true"/>
   <x:set-value idref="v-unused">9</x:set-value>
<x:refine-value idref="v1" selector="b"/></x:Profile>
  <x:Profile id="p_profile_people">
<x:title>People</x:title>
<x:select idref="r3" selected="true"/></x:Profile>
  <x:Profile id="p_profile_far">
<x:title>Far</x:title>
<x:select idref="r4" selected="true"/></x:Profile>
  <x:Value id="v1">
<x:title>One</x:title>
<x:description>cut</x:description>
<x:value>1</x:value></x:Value>
  <x:Value id="v2">
<x:value>2</x:value></x:Value>
<x:Value id="v-unused">
<x:value>3</x:value></x:Value>
  <x:Group id="g1">
<x:title>Group</x:title>
<x:description>cut</x:description>
   <x:Rule id="r1" selected="false">
<x:title>Rule one &gt; none</x:title>
    <x:description>See <x:sub idref="v2"/>.</x:description>
<x:rationale>Because.</x:rationale>
    <x:ident system="s">CCE-1</x:ident>
<x:fix system="urn:xccdf:fix:script:ansible">a: 1</x:fix>
    <x:fix system="urn:xccdf:fix:script:sh">echo '/>' <x:sub idref="v2"/></x:fix>
    <x:check system="http://oval.mitre.org/XMLSchema/oval-definitions-5">
     <x:check-export export-name="oval:a:var:1" value-id="v1"/>
     <x:check-content-ref href="oval.xml" name="oval:a:def:1"/></x:check>
    <x:check system="http://scap.nist.gov/schema/ocil/2">
     <x:check-content-ref href="ocil.xml" name="ocil:a:questionnaire:1"/></x:check></x:Rule>
   <x:Rule id="r5" selected="false">
<x:title>Alone</x:title></x:Rule></x:Group>
  <x:Group id="g2">
<x:Rule id="r2" selected="false">
<x:requires idref="r7 r1"/>
<x:conflicts idref="nowhere"/>
    <x:check system="http://oval.mitre.org/XMLSchema/oval-definitions-5">
     <x:check-content-ref href="oval.xml" name="oval:a:def:3"/></x:check></x:Rule>
   <x:Rule id="r7" selected="false">
<x:check system="http://oval.mitre.org/XMLSchema/oval-definitions-5">
     <x:check-content-ref href="oval.xml" name="oval:a:def:4"/></x:check></x:Rule></x:Group>
  <x:Group id="g3">
<x:Rule id="r3" selected="false">
<x:check system="http://scap.nist.gov/schema/ocil/2">
   <x:check-content-ref href="ocil.xml" name="ocil:a:questionnaire:1"/></x:check></x:Rule>
   <x:Rule id="r4" selected="false">
<x:check system="http://oval.mitre.org/XMLSchema/oval-definitions-5">
    <x:check-content-ref href="far.xml"/></x:check></x:Rule></x:Group>
  <x:Rule id="r9" selected="true"/>
 </x:Benchmark></ds:component>
 <ds:component id="oval">
<o:oval_definitions xmlns:o="http://oval.mitre.org/XMLSchema/oval-definitions-5">
  <o:definitions>
<o:definition id="oval:a:def:1">
<o:criteria>
<o:extend_definition definition_ref="oval:a:def:2"/>
     <o:criterion test_ref="oval:a:tst:1"/></o:criteria></o:definition>
   <o:definition id="oval:a:def:2">
<o:criteria>
<o:criterion test_ref="oval:a:tst:2"/></o:criteria></o:definition>
   <o:definition id="oval:a:def:3"/>
<o:definition id="oval:a:def:4"/></o:definitions>
  <o:tests>
<t id="oval:a:tst:1">
<object object_ref="oval:a:obj:1"/>
<state state_ref="oval:a:ste:1"/></t>
   <t id="oval:a:tst:2">
<object object_ref="oval:a:obj:2"/></t>
<t id="oval:a:tst:3"/></o:tests>
  <o:objects>
<b id="oval:a:obj:1">
<set>
<object_reference>oval:a:obj:3</object_reference>
    <filter action="exclude">oval:a:ste:2</filter></set></b>
<b id="oval:a:obj:2">
<p var_ref="oval:a:var:2"/></b>
   <b id="oval:a:obj:3"/>
<b id="oval:a:obj:4"/></o:objects>
  <o:states>
<s id="oval:a:ste:1"/>
<s id="oval:a:ste:2"/>
<s id="oval:a:ste:3"/></o:states>
  <o:variables>
<v id="oval:a:var:1"/>
<v id="oval:a:var:2">
<variable_component var_ref="oval:a:var:1"/></v>
   <v id="oval:a:var:3"/></o:variables></o:oval_definitions></ds:component>
 <ds:component id="ocil">
<q:ocil xmlns:q="http://scap.nist.gov/schema/ocil/2.0">
<q:questionnaires>
  <q:questionnaire id="ocil:a:questionnaire:1">
<r>ocil:a:testaction:1</r></q:questionnaire>
  <q:questionnaire id="ocil:a:questionnaire:2"/></q:questionnaires>
  <q:test_actions>
<q:x id="ocil:a:testaction:1"/></q:test_actions>
  <q:questions>
<q:y id="ocil:a:question:9"/></q:questions>
  </q:ocil></ds:component>
 <ds:component id="cpe">
<o:oval_definitions xmlns:o="http://oval.mitre.org/XMLSchema/oval-definitions-5">
  <o:definitions>
<o:definition id="oval:cpe:def:1"/></o:definitions></o:oval_definitions></ds:component>
</ds:data-stream-collection>
"""


def _compile(folder: pathlib.Path, text: str, profile: str) -> Compiled:
    path = folder / "content.xml"
    path.write_text(text)
    info = contentinfo.content_info(str(path))
    chosen = contentinfo.choose_profile(info, profile, str(path))
    return compile_stream(str(path), info.sha256, chosen.id, chosen.rules, str(folder / "cache"))


def _ids(made: Compiled) -> set[str]:
    return {element.get("id", "") for element in ET.parse(made.path).iter()} - {""}


def test_what_a_profile_reaches_stays_and_nothing_else(tmp_path: pathlib.Path) -> None:
    made = _compile(tmp_path, STREAM, "more")
    always = {"stream", "ref-dictionary", "ref-xccdf", "ref-cpe", "dictionary", "xccdf", "cpe", "oval:cpe:def:1", "b"}
    assert _ids(made) == always | {
        *("p_profile_base", "p_profile_more", "plain", "v1", "v2", "g1", "g2", "r1", "r2", "r7"),
        *("ref-oval", "oval", "oval:a:def:1", "oval:a:def:2", "oval:a:def:3", "oval:a:tst:1", "oval:a:tst:2"),
        *("oval:a:obj:1", "oval:a:obj:2", "oval:a:obj:3", "oval:a:ste:1", "oval:a:ste:2", "oval:a:var:1"),
        "oval:a:var:2",
    }
    text = pathlib.Path(made.path).read_text()
    assert not re.search("notice|description|rationale|<x:fix|ocil|far.xml|v-unused|r9|def:4", text)
    assert re.findall(r'select idref="(\w+)"', text) == ["r1", "r2", "nothing"], "an id that is nowhere is not ours"
    assert "Rule one &gt; none" in text
    assert "CCE-1" in text


def test_a_rule_that_is_not_in_it_is_not_the_profiles(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "content.xml"
    path.write_text(STREAM)
    digest = contentinfo.content_info(str(path)).sha256
    with pytest.raises(RefusedError, match=r"content.xml: the profile names 'r77', which is not in it"):
        compile_stream(str(path), digest, "p_profile_more", ["r77"], str(tmp_path / "cache"))


def test_questions_stay_only_where_they_are_the_check(tmp_path: pathlib.Path) -> None:
    ids = _ids(_compile(tmp_path, STREAM, "people"))
    assert {"ocil", "ocil:a:questionnaire:1", "ocil:a:testaction:1", "ref-ocil", "r3"} <= ids
    assert not ids & {"ocil:a:questionnaire:2", "ocil:a:question:9", "oval", "r4", "r5"}


def test_what_lies_elsewhere_is_still_named(tmp_path: pathlib.Path) -> None:
    text = pathlib.Path(_compile(tmp_path, STREAM, "far").path).read_text()
    assert 'uri="#ref-far"' in text
    assert "https://example.org/far.xml" in text
    assert 'id="oval"' not in text


def test_the_texts_are_those_of_the_original(tmp_path: pathlib.Path) -> None:
    made = _compile(tmp_path, STREAM, "more")
    texts = read_json(made.texts)
    rule = read_rule(given_rule("arf.xml", texts, "r1"), {"v2": "two"})
    assert (rule.title, rule.description, rule.rationale) == ("Rule one > none", "See two.", "Because.")
    assert (rule.fix, rule.idents) == ("echo '/>' two", ["CCE-1"])
    with pytest.raises(ScapError, match="the texts of the rule r9 are missing"):
        given_rule("arf.xml", texts, "r9")


def test_it_is_compiled_once(tmp_path: pathlib.Path) -> None:
    first = _compile(tmp_path, STREAM, "more")
    before = pathlib.Path(first.path).stat().st_mtime_ns
    assert _compile(tmp_path, STREAM, "more") == first
    assert pathlib.Path(first.path).stat().st_mtime_ns == before
    assert _compile(tmp_path, STREAM, "base").path != first.path


REFUSED: dict[str, tuple[str, str, str]] = {
    "extend_definition in a circle": ('tst:2"/></o:criteria>', 'tst:2"/><e r="oval:a:def:1"/></o:criteria>', "def:1"),
    "a definition of itself": ('tst:2"/></o:criteria>', 'tst:2"/><e r="oval:a:def:2"/></o:criteria>', "made of itself"),
    "variables in a circle": ('<v id="oval:a:var:1"/>', '<v id="oval:a:var:1"><c r="oval:a:var:2"/></v>', "itself"),
    "a test that is nowhere": ('object_ref="oval:a:obj:1"', 'object_ref="oval:a:obj:99"', "obj:99.*is not in oval"),
    "a definition that is nowhere": ('name="oval:a:def:1"', 'name="oval:a:def:99"', "rule r1 names 'oval:a:def:99'"),
    "a file that is nowhere": ('href="oval.xml" name="oval:a:def:1"', 'href="x.xml"', "rule r1 names the file 'x.xml'"),
    "a component that is nowhere": ('xlink:href="#oval"', 'xlink:href="#x"', "ref-oval names the component 'x'"),
    "an id that repeats": ('<t id="oval:a:tst:3"/>', '<t id="oval:a:tst:1"/>', "'oval:a:tst:1' is there twice"),
    "a rule that repeats": ('<x:Rule id="r5"', '<x:Rule id="r1"', "'r1' is there twice"),
    "a rule that extends": ('<x:Rule id="r5"', '<x:Rule id="r5" extends="r1"', "Rule r5 has extends='r1'"),
    "a cluster": ('<x:Rule id="r5"', '<x:Rule id="r5" cluster-id="c"', "r5 has cluster-id"),
    "a group that requires": ("<x:title>Group</x:title>", '<x:requires idref="r2"/>', "group g1 has <requires>"),
    "a script": (
        'system="http://oval.mitre.org/XMLSchema/oval-definitions-5">\n     <x:check-export',
        'system="http://open-scap.org/page/SCE">\n     <x:check-export',
        r"r1 is checked by a script \(SCE\)",
    ),
    "an extended component": ("</ds:data-stream>", '</ds:data-stream><ds:extended-component id="e"/>', "component .e"),
    "a signature": ("</ds:data-stream>", '</ds:data-stream><Signature xmlns="urn:s"/>', "has a <Signature>"),
    "a rule that is never checked": ('id="r5"', 'id="r5" role="unchecked"', "a Rule has role='unchecked'"),
    "two data streams": ("</ds:data-stream>", '</ds:data-stream><ds:data-stream id="t"/>', "2 data streams"),
    "another encoding": ('encoding="UTF-8"', 'encoding="ISO-8859-1"', "written in ISO-8859-1"),
    "a dictionary that is none": ('xlink:href="#dictionary"', 'xlink:href="#oval"', "ref-dictionary is no CPE 2"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_is_refused(tmp_path: pathlib.Path, name: str) -> None:
    old, new, sentence = REFUSED[name]
    assert old in STREAM
    with pytest.raises(RefusedError, match=sentence) as caught:
        _compile(tmp_path, STREAM.replace(old, new, 1), "more")
    assert str(tmp_path / "content.xml") in str(caught.value)
    assert not list((tmp_path / "cache").glob("*compiled*"))


def test_elements_that_touch_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RefusedError, match=r"content.xml: no white space stands before the element at byte \d+"):
        _compile(tmp_path, re.sub(r">\s+<", "><", STREAM), "more")


def test_variables_that_checks_fill_stay(tmp_path: pathlib.Path) -> None:
    made = _compile(tmp_path, STREAM.replace('export-name="oval:a:var:1"', 'export-name="oval:a:var:3"'), "more")
    assert "oval:a:var:3" in _ids(made)


def test_a_file_that_changes_is_noticed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "content.xml"
    path.write_text(STREAM)
    with pytest.raises(ScapError, match="changed while it was read"):
        compile_stream(str(path), "0" * 64, "p_profile_base", ["r1"], str(tmp_path / "cache"))


TAILORING = """<?xml version="1.0" encoding="UTF-8"?>
<t:Tailoring xmlns:t="http://checklists.nist.gov/xccdf/1.2" id="xccdf_a_tailoring_b">
 <t:version time="2026-01-01T00:00:00">1</t:version>
 <t:Profile id="p_profile_ours" extends="p_profile_base"><t:title>Ours</t:title>
 <t:select idref="r1" selected="false"/><t:select idref="r3" selected="true"/></t:Profile></t:Tailoring>
"""


def _tailor(folder: pathlib.Path, text: str, stream: str = STREAM) -> tuple[str, list[str]]:
    (folder / "content.xml").write_text(stream)
    (folder / "tailoring.xml").write_text(text)
    return tailor(str(folder / "content.xml"), str(folder / "tailoring.xml"), str(folder / "cache"))


def test_a_tailored_profile_is_one_of_the_data_stream(tmp_path: pathlib.Path) -> None:
    path, names = _tailor(tmp_path, TAILORING)
    info = contentinfo.content_info(path)
    assert names == ["p_profile_ours"]
    assert contentinfo.choose_profile(info, "ours", path).rules == ["r3"]
    assert [profile.id for profile in info.profiles][:-1] == [
        profile.id for profile in contentinfo.content_info(str(tmp_path / "content.xml")).profiles
    ]
    made = compile_stream(path, info.sha256, names[0], ["r3"], str(tmp_path / "cache"))
    assert {"p_profile_ours", "p_profile_base", "r3", "ocil"} <= _ids(made)
    before = pathlib.Path(path).stat().st_mtime_ns
    assert _tailor(tmp_path, TAILORING) == (path, names)
    assert pathlib.Path(path).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("old", "new", "code", "sentence"),
    [
        ('id="p_profile_ours"', 'id="p_profile_base"', "tailoring_malformed", "'p_profile_base' is missing or not new"),
        ('extends="p_profile_base"', 'extends="r1"', "tailoring_malformed", "p_profile_ours extends 'r1'"),
        ("t:Profile", "t:Other", "tailoring_malformed", "holds no profile"),
        ("t:Tailoring", "t:Benchmark", "tailoring_malformed", "no XCCDF 1.2 Tailoring"),
        ("</t:Tailoring>", "", "tailoring_malformed", "not well-formed"),
        ("<t:Tailoring", "<!DOCTYPE a><t:Tailoring", "tailoring_malformed", "document type declaration"),
    ],
)
def test_a_tailoring_that_is_none(tmp_path: pathlib.Path, old: str, new: str, code: str, sentence: str) -> None:
    with pytest.raises(ScapError, match=sentence) as caught:
        _tailor(tmp_path, TAILORING.replace(old, new))
    assert caught.value.code == code
    assert str(tmp_path / "tailoring.xml") in str(caught.value)


def test_what_cannot_be_compiled_cannot_be_tailored(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ScapError, match=r"2 data streams.*cannot be tailored"):
        _tailor(tmp_path, TAILORING, STREAM.replace("</ds:data-stream>", '</ds:data-stream><ds:data-stream id="t"/>'))
