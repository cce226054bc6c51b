"""What oscap says to a compiled document, read from its results by sections."""

from __future__ import annotations

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.scanner.oval.answers import read_said

ROOT = (
    '<oval_results xmlns="http://oval.mitre.org/XMLSchema/oval-results-5"'
    ' xmlns:p="http://oval.mitre.org/XMLSchema/oval-results-5">'
)
FEED = '<oval_definitions xmlns="urn:feed"><definitions><definition id="d"/></definitions></oval_definitions>'
SYSTEM = """<oval_system_characteristics xmlns="http://oval.mitre.org/XMLSchema/oval-system-characteristics-5">
<collected_objects><object id="o:1" flag="complete"><reference item_ref="7"/></object>
<object id="o:2" flag="complete"><reference item_ref="8"/></object></collected_objects><system_data>
<l:rpminfo_item xmlns:l="urn:l" id="7" status="exists"><l:name>a&amp;b</l:name><l:epoch/></l:rpminfo_item>
<l:rpminfo_item xmlns:l="urn:l" id="8" status="exists"><l:name>c</l:name></l:rpminfo_item>
<l:rpminfo_item xmlns:l="urn:l" id="9" status="does not exist"/></system_data></oval_system_characteristics>"""


def results(tmp_path, definitions, feed=FEED, system=SYSTEM):
    path = tmp_path / "results.xml"
    tests = '<tests><test test_id="t:1" result="true"><tested_item item_id="7" result="true"/></test></tests>'
    path.write_text(f"{ROOT}{feed}<results><system>{definitions}{tests}{system}</system></results></oval_results>")
    return path, path.read_bytes()


@pytest.mark.parametrize(
    ("definitions", "answers"),
    [
        ("<definitions/>", {}),
        ("<definitions />", {}),
        ("<definitions></definitions>", {}),
        ('<definitions><definition definition_id="d:1" version="1" result="not evaluated"/></definitions>', None),
        (
            '<p:definitions>\n<p:definition version="1" result="true" definition_id="d:1"><p:criteria result="true">'
            '<p:extend_definition definition_ref="d:2" result="true"/></p:criteria></p:definition>\n'
            '<p:definition definition_id="d:2" result="error"/></p:definitions>',
            {"d:1": "true", "d:2": "error"},
        ),
    ],
)
def test_answers_items_and_places(tmp_path, definitions, answers):
    path, data = results(tmp_path, definitions)
    said = read_said(str(path), {"o:1"}, {"rpminfo"})
    assert said.definitions == ({"d:1": "not evaluated"} if answers is None else answers)
    assert said.tests == {"t:1": "true"}
    assert said.roll.items == [("rpminfo", {"name": "a&b", "epoch": ""})]
    assert data[slice(*said.content)].decode() == FEED
    assert data[slice(*said.answers)].decode() == definitions
    assert definitions.encode().startswith(said.system)


@pytest.mark.parametrize(
    ("feed", "definitions", "system", "said"),
    [
        ("", "<definitions/>", SYSTEM, "lack the feed"),
        (FEED, "", SYSTEM, "lack the definitions"),
        (FEED, "<definitions>", SYSTEM, "not whole"),
        ("<oval_definitions>", "<definitions/>", SYSTEM, "not whole"),
        (FEED, "<definitions/>", SYSTEM[:-5], "cannot be read"),
    ],
)
def test_what_is_cut_off_is_no_answer(tmp_path, feed, definitions, system, said):
    path, _data = results(tmp_path, definitions, feed, system)
    with pytest.raises(ScapError, match=said):
        read_said(str(path), {"o:1"}, {"rpminfo"})
