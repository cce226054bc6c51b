# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What canary images are evaluated with: a data stream of four rules and an OVAL feed of two definitions.

They need no package manager and no content beside themselves, so every oscap can evaluate them. SCAP 1.2 source data
stream, XCCDF 1.2, OVAL 5.11, CPE dictionary 2.3.
"""

from __future__ import annotations

PROFILE = "xccdf_scap.images_profile_canary"
RULES = {"setuid": "fail", "line": "fail", "setgid": "fail", "release": "pass"}
"""Short names of the rules, and the answer for the image that must fail; the other passes them all."""
TRUE = "oval:scap.images:def:11"
"""The definition of the feed that is true of the image that must fail."""
FEED = "canary-oval.xml"
STREAM = "canary-ds.xml"
CPE = "cpe:/o:scap-images:canary:1"

_OVAL = (
    '<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5"'
    ' xmlns:oval="http://oval.mitre.org/XMLSchema/oval-common-5"'
    ' xmlns:i="http://oval.mitre.org/XMLSchema/oval-definitions-5#independent"'
    ' xmlns:u="http://oval.mitre.org/XMLSchema/oval-definitions-5#unix">'
    "<generator><oval:product_name>scap.images</oval:product_name><oval:schema_version>5.11</oval:schema_version>"
    "<oval:timestamp>2026-01-01T00:00:00</oval:timestamp></generator>"
    "<definitions>{definitions}</definitions><tests>{tests}</tests><objects>{objects}</objects>"
    "<states>{states}</states></oval_definitions>"
)
_TITLES = {
    1: "No file is setuid",
    2: "/etc/canary.conf forbids everything",
    3: "No file is setgid",
    4: "The release file is there",
    5: "This is the canary",
    11: "/etc/canary.conf permits everything",
    12: "/etc/canary.conf permits what nobody wrote",
}


def _definition(number: int, kind: str) -> str:
    affected = '<affected family="unix"><platform>scap.images canary 1</platform></affected>'
    return (
        f'<definition class="{kind}" id="oval:scap.images:def:{number}" version="1"><metadata><title>{_TITLES[number]}'
        f"</title>{affected}<description>Of known answer.</description></metadata>"
        f'<criteria><criterion test_ref="oval:scap.images:tst:{number}"/></criteria></definition>'
    )


def _text(number: int, existence: str, path: str, pattern: str) -> tuple[str, str]:
    return (
        f'<i:textfilecontent54_test id="oval:scap.images:tst:{number}" version="1" check="all" comment="text"'
        f' check_existence="{existence}"><i:object object_ref="oval:scap.images:obj:{number}"/>'
        "</i:textfilecontent54_test>",
        f'<i:textfilecontent54_object id="oval:scap.images:obj:{number}" version="1"><i:filepath>{path}</i:filepath>'
        f'<i:pattern operation="pattern match">{pattern}</i:pattern><i:instance datatype="int">1</i:instance>'
        "</i:textfilecontent54_object>",
    )


def _mode(number: int, bit: str) -> tuple[str, str, str]:
    return (
        f'<u:file_test id="oval:scap.images:tst:{number}" version="1" check="all" comment="{bit}"'
        f' check_existence="none_exist"><u:object object_ref="oval:scap.images:obj:{number}"/></u:file_test>',
        f'<u:file_object id="oval:scap.images:obj:{number}" version="1"><u:behaviors recurse="directories"'
        ' recurse_direction="down" max_depth="-1" recurse_file_system="local"/><u:path>/</u:path>'
        '<u:filename operation="pattern match">^.*$</u:filename><oval:filter xmlns:oval='
        f'"http://oval.mitre.org/XMLSchema/oval-definitions-5" action="include">oval:scap.images:ste:{number}'
        "</oval:filter></u:file_object>",
        f'<u:file_state id="oval:scap.images:ste:{number}" version="1"><u:{bit} datatype="boolean">true</u:{bit}>'
        "</u:file_state>",
    )


def feed() -> str:
    """The OVAL definitions of class patch: one is true of the image that must fail, none of the other."""
    first = _text(11, "at_least_one_exists", "/etc/canary.conf", "^PermitEverything yes$")
    second = _text(12, "at_least_one_exists", "/etc/canary.conf", "^PermitNobody$")
    definitions = _definition(11, "patch") + _definition(12, "patch")
    text = _OVAL.format(definitions=definitions, tests=first[0] + second[0], objects=first[1] + second[1], states="")
    return text.replace("<states></states>", "")


def _rules_oval() -> str:
    line = _text(2, "none_exist", "/etc/canary.conf", "^PermitEverything yes$")
    release = _text(4, "at_least_one_exists", "/etc/os-release", "^ID=scap-images-canary$")
    setuid, setgid = _mode(1, "suid"), _mode(3, "sgid")
    definitions = "".join(_definition(number, "compliance") for number in range(1, len(RULES) + 1))
    tests, objects = ("".join(part[place] for part in (setuid, line, setgid, release)) for place in (0, 1))
    return _OVAL.format(definitions=definitions, tests=tests, objects=objects, states=setuid[2] + setgid[2])


def _cpe_oval() -> str:
    there = _text(5, "at_least_one_exists", "/etc/os-release", "^ID=scap-images-canary$")
    text = _OVAL.format(definitions=_definition(5, "inventory"), tests=there[0], objects=there[1], states="")
    return text.replace("<states></states>", "")


def _benchmark() -> str:
    rules = "".join(
        f'<Rule id="xccdf_scap.images_rule_{name}" selected="false" severity="high"><title>{name}</title>'
        '<check system="http://oval.mitre.org/XMLSchema/oval-definitions-5">'
        f'<check-content-ref href="rules.xml" name="oval:scap.images:def:{number}"/></check></Rule>'
        for number, name in enumerate(RULES, 1)
    )
    selects = "".join(f'<select idref="xccdf_scap.images_rule_{name}" selected="true"/>' for name in RULES)
    return (
        '<Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2" id="xccdf_scap.images_benchmark_canary" resolved="1">'
        '<status date="2026-01-01">accepted</status><title>Canary</title><description>Of known answer.</description>'
        f'<platform idref="{CPE}"/><version>1</version><Profile id="{PROFILE}"><title>Canary</title>{selects}'
        f"</Profile>{rules}</Benchmark>"
    )


def _dictionary() -> str:
    return (
        '<cpe-list xmlns="http://cpe.mitre.org/dictionary/2.0"><cpe-item name="' + CPE + '">'
        '<title xml:lang="en-us">canary</title><check system="http://oval.mitre.org/XMLSchema/oval-definitions-5"'
        ' href="cpe.xml">oval:scap.images:def:5</check></cpe-item></cpe-list>'
    )


def stream() -> str:
    """The SCAP source data stream.

    One element a line: of rules that follow each other without a space, oscap 1.3 leaves every second one out.
    """
    parts = {"xccdf": _benchmark(), "rules": _rules_oval(), "dictionary": _dictionary(), "cpe": _cpe_oval()}
    components = "".join(
        f'<ds:component id="scap_scap.images_comp_{name}" timestamp="2026-01-01T00:00:00">{text}</ds:component>'
        for name, text in parts.items()
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<ds:data-stream-collection xmlns:ds="http://scap.nist.gov/schema/scap/source/1.2"'
        ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:cat="urn:oasis:names:tc:entity:xmlns:xml:catalog"'
        ' id="scap_scap.images_collection_canary" schematron-version="1.2">'
        '<ds:data-stream id="scap_scap.images_datastream_canary" scap-version="1.2" use-case="OTHER">'
        f"<ds:dictionaries>{_reference('dictionary', 'cpe')}</ds:dictionaries>"
        f"<ds:checklists>{_reference('xccdf', 'rules')}</ds:checklists>"
        f"<ds:checks>{_reference('rules')}{_reference('cpe')}</ds:checks></ds:data-stream>{components}"
        "</ds:data-stream-collection>"
    )
    return text.replace("><", ">\n<")


def _reference(name: str, needs: str = "") -> str:
    catalog = ""
    if needs:
        catalog = f'<cat:catalog><cat:uri name="{needs}.xml" uri="#scap_scap.images_cref_{needs}"/></cat:catalog>'
    return (
        f'<ds:component-ref id="scap_scap.images_cref_{name}" xlink:href="#scap_scap.images_comp_{name}">'
        f"{catalog}</ds:component-ref>"
    )
