# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small result documents of every kind, written by hand."""

from __future__ import annotations

XCCDF = "http://checklists.nist.gov/xccdf/1.2"
ANSWER = '<rule-result idref="{id}"{more}><result>{result}</result></rule-result>'
RULE = """<x:Rule id="r1" severity="high"><x:title>Title of <h:em>one</h:em></x:title>
<x:description>Set <h:code><x:sub idref="v1" use="legacy"/></h:code> in:
<h:ul><h:li>first</h:li><h:li>second</h:li></h:ul>
Then<h:br/>run<h:pre>a  b
c</h:pre></x:description><x:rationale>Because &lt;b&gt; of\u202e it.</x:rationale>
<x:fix system="urn:xccdf:fix:script:ansible">no</x:fix>
<x:fix system="urn:xccdf:fix:script:sh">v="<x:sub idref="v1"/>"
set  it</x:fix><x:ident system="https://ncp.nist.gov/cce">CCE-1-1</x:ident></x:Rule>"""


def answer(name: str, result: str, more: str = "") -> str:
    return ANSWER.format(id=name, result=result, more=more)


def reported(body: str, version: str = "1.2", profile: str = "p") -> str:
    """A TestResult around rule-results."""
    return (
        f'<TestResult xmlns="http://checklists.nist.gov/xccdf/{version}" id="t" end-time="2026-01-02T05:04:05+02:00" '
        f'start-time="2026-01-02T05:04:00" test-system="cpe:/a:maker:tool:4.2"><benchmark href="b.xml" id="b"/>'
        f'<profile idref="{profile}"/><target>host</target><platform idref="cpe:/o:x:y:1"/>'
        f'<set-value idref="v1">seven</set-value>{body}</TestResult>'
    )


def arf(result: str, rules: str = RULE) -> str:
    """An ARF with a Benchmark and a report around `result`."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<arf:asset-report-collection xmlns:arf="http://scap.nist.gov/schema/asset-reporting-format/1.1">'
        '<arf:report-requests><arf:report-request id="c"><arf:content xmlns:h="http://www.w3.org/1999/xhtml">'
        f'<x:Benchmark xmlns:x="{XCCDF}" id="b"><x:Group id="g">{rules}</x:Group></x:Benchmark></arf:content>'
        "</arf:report-request></arf:report-requests><arf:reports><arf:report><arf:content>"
        f"{result}</arf:content></arf:report></arf:reports></arf:asset-report-collection>"
    )


def oval(results: str, definitions: str = "", rest: str = "", system: str = "") -> str:
    """OVAL results; `definitions` and `rest` (tests, objects, states) in the name spaces of OVAL 5."""
    return (
        '<oval_results xmlns="http://oval.mitre.org/XMLSchema/oval-results-5" '
        'xmlns:d="http://oval.mitre.org/XMLSchema/oval-definitions-5" '
        'xmlns:l="http://oval.mitre.org/XMLSchema/oval-definitions-5#linux" '
        'xmlns:s="http://oval.mitre.org/XMLSchema/oval-system-characteristics-5#linux">'
        f"<d:oval_definitions><d:definitions>{definitions}</d:definitions>{rest}</d:oval_definitions>"
        f"<results><system><definitions>{results}</definitions>{system}</system></results></oval_results>"
    )


def defined(name: str, kind: str = "patch", metadata: str = "") -> str:
    return f'<d:definition id="{name}" class="{kind}"><d:metadata>{metadata}</d:metadata></d:definition>'


def evaluated(name: str, result: str, criteria: str = "") -> str:
    return f'<definition definition_id="{name}" result="{result}">{criteria}</definition>'
