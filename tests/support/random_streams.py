# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random data streams with everything that decides about an answer: groups, requires, conflicts, platforms, values,
selectors, complex checks, several checks, extend_definition, sets, filters and variables of every kind."""

from __future__ import annotations

import random

OVAL = "http://oval.mitre.org/XMLSchema/oval-definitions-5"
OCIL = "http://scap.nist.gov/schema/ocil/2"
FILES = {f"etc/random/{name}": f"{name} = {number}\nshared {number % 2}\n" for number, name in enumerate("abcde")}
"""Files of the root that the tests look at."""
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<ds:data-stream-collection xmlns:ds="http://scap.nist.gov/schema/scap/source/1.2"
 xmlns:xlink="http://www.w3.org/1999/xlink"
 xmlns:cat="urn:oasis:names:tc:entity:xmlns:xml:catalog" xmlns:x="http://checklists.nist.gov/xccdf/1.2"
 xmlns:cpe="http://cpe.mitre.org/dictionary/2.0" xmlns:lang="http://cpe.mitre.org/language/2.0"
 id="scap_org.example_collection_a" schematron-version="1.3">
<ds:data-stream id="scap_org.example_datastream_a" scap-version="1.3" use-case="OTHER">
<ds:dictionaries><ds:component-ref id="scap_org.example_cref_dictionary" xlink:href="#scap_org.example_comp_dictionary">
<cat:catalog><cat:uri name="platforms.xml" uri="#scap_org.example_cref_platforms"/></cat:catalog></ds:component-ref>
</ds:dictionaries>
<ds:checklists><ds:component-ref id="scap_org.example_cref_xccdf" xlink:href="#scap_org.example_comp_xccdf">
<cat:catalog>
<cat:uri name="one.xml" uri="#scap_org.example_cref_one"/><cat:uri name="two.xml" uri="#scap_org.example_cref_two"/>
<cat:uri name="ocil.xml" uri="#scap_org.example_cref_ocil"/></cat:catalog></ds:component-ref></ds:checklists><ds:checks>
<ds:component-ref id="scap_org.example_cref_one" xlink:href="#scap_org.example_comp_one"/>
<ds:component-ref id="scap_org.example_cref_two" xlink:href="#scap_org.example_comp_two"/>
<ds:component-ref id="scap_org.example_cref_ocil" xlink:href="#scap_org.example_comp_ocil"/>
<ds:component-ref id="scap_org.example_cref_platforms" xlink:href="#scap_org.example_comp_platforms"/></ds:checks>
</ds:data-stream>
"""
_OVAL_HEAD = """<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5"
 xmlns:oval="http://oval.mitre.org/XMLSchema/oval-common-5"
 xmlns:ind="http://oval.mitre.org/XMLSchema/oval-definitions-5#independent"><generator>
<oval:schema_version>5.11</oval:schema_version><oval:timestamp>2026-01-01T00:00:00</oval:timestamp></generator>"""
_OCIL = """<ocil xmlns="http://scap.nist.gov/schema/ocil/2.0"><generator><schema_version>2.0</schema_version>
<timestamp>2026-01-01T00:00:00</timestamp></generator><questionnaires>
<questionnaire id="ocil:q:questionnaire:1"><actions>
<test_action_ref>ocil:q:testaction:1</test_action_ref></actions></questionnaire></questionnaires><test_actions>
<boolean_question_test_action id="ocil:q:testaction:1" question_ref="ocil:q:question:1">
<when_true><result>PASS</result></when_true>
<when_false><result>FAIL</result></when_false></boolean_question_test_action></test_actions><questions>
<boolean_question id="ocil:q:question:1"><question_text>Is it?</question_text></boolean_question></questions></ocil>"""
_PLATFORMS = 3


class _Oval:
    """One OVAL document with definitions that can be true, false and error."""

    def __init__(self, rng: random.Random, name: str, definitions: int) -> None:
        self._rng = rng
        self._name = name
        self.definitions = [self._id("def", number) for number in range(1, definitions + 1)]
        self.external = [self._id("var", 90), self._id("var", 91)] if name != "platforms" else []
        self._tests = range(1, 2 * definitions)

    def _id(self, kind: str, number: int) -> str:
        return f"oval:{self._name}:{kind}:{number}"

    def text(self) -> str:
        definitions = "".join(self._definition(number) for number in range(1, len(self.definitions) + 1))
        tests = "".join(self._test(number) for number in self._tests)
        objects = "".join(self._object(number) for number in (*self._tests, 81, 82))
        return (
            f"{_OVAL_HEAD}<definitions>{definitions}</definitions><tests>{tests}</tests><objects>{objects}</objects>"
            f"<states>{self._states()}</states><variables>{self._variables()}</variables></oval_definitions>"
        )

    def _definition(self, number: int) -> str:
        kind = "inventory" if self._name == "platforms" else "compliance"
        return (
            f'<definition class="{kind}" id="{self._id("def", number)}" version="1"><metadata>'
            f"<title>Definition {number}</title>"
            f"<description>About nothing</description></metadata>{self._criteria(number, 0)}</definition>"
        )

    def _criteria(self, number: int, depth: int) -> str:
        rng = self._rng
        parts = []
        for _part in range(rng.randint(1, 3)):
            negate = rng.choice(("", ' negate="true"'))
            choice = rng.random()
            if choice < 0.2 and depth < 2:
                parts.append(self._criteria(number, depth + 1))
            elif choice < 0.45 and number > 1:
                other = self._id("def", rng.randrange(1, number))
                parts.append(f'<extend_definition definition_ref="{other}"{negate}/>')
            else:
                parts.append(f'<criterion test_ref="{self._id("tst", rng.choice(self._tests))}"{negate}/>')
        operator = rng.choice(("AND", "OR", "ONE", "XOR"))
        negate = rng.choice(("", ' negate="true"'))
        return f'<criteria operator="{operator}"{negate}>{"".join(parts)}</criteria>'

    def _test(self, number: int) -> str:
        rng = self._rng
        existence = rng.choice(("all_exist", "any_exist", "at_least_one_exists", "none_exist", "only_one_exists"))
        check = rng.choice(("all", "at least one", "none satisfy", "only one"))
        states = "".join(
            f'<ind:state state_ref="{self._id("ste", state)}"/>'
            for state in rng.sample((1, 2, 3, 4), rng.choice((0, 1, 2)))
        )
        return (
            f'<ind:textfilecontent54_test id="{self._id("tst", number)}" version="1" comment="a test" check="{check}" '
            f'check_existence="{existence}" state_operator="{rng.choice(("AND", "OR"))}">'
            f'<ind:object object_ref="{self._id("obj", number)}"/>{states}</ind:textfilecontent54_test>'
        )

    def _object(self, number: int) -> str:
        rng = self._rng
        tag = f'<ind:textfilecontent54_object id="{self._id("obj", number)}" version="1">'
        if number < 80 and rng.random() < 0.3:
            members = "".join(f"<object_reference>{self._id('obj', other)}</object_reference>" for other in (81, 82))
            filters = (
                f'<filter action="{rng.choice(("include", "exclude"))}">{self._id("ste", rng.randint(1, 4))}</filter>'
            )
            operator = rng.choice(("UNION", "INTERSECTION", "COMPLEMENT"))
            inner = f'<set set_operator="{operator}">{members}{rng.choice(("", filters))}</set>'
        else:
            pattern = rng.choice((r"^(\w) = (\d)$", r"^shared (\d)$", "nothing"))
            if number < 80 and rng.random() < 0.3:
                name = f'<ind:filename var_ref="{self._id("var", rng.randint(1, 4))}" var_check="at least one"/>'
            else:
                letters = rng.choice(("abc", "de", "z", "a-e"))
                name = f'<ind:filename operation="pattern match">^[{letters}]$</ind:filename>'
            inner = (
                f"<ind:path>/etc/random</ind:path>{name}"
                f'<ind:pattern operation="pattern match">{pattern}</ind:pattern>'
                '<ind:instance datatype="int" operation="greater than or equal">1</ind:instance>'
            )
        return f"{tag}{inner}</ind:textfilecontent54_object>"

    def _states(self) -> str:
        variable = self.external[0] if self.external else self._id("var", 1)
        values = (
            '<ind:subexpression datatype="int" operation="greater than">1</ind:subexpression>',
            f'<ind:subexpression operation="equals" var_ref="{variable}" var_check="at least one"/>',
            '<ind:text operation="pattern match">[ab0]</ind:text>',
            f'<ind:text operation="pattern match" var_ref="{self._id("var", 5)}" var_check="all"/>',
        )
        return "".join(
            f'<ind:textfilecontent54_state id="{self._id("ste", number)}" version="1">{value}'
            "</ind:textfilecontent54_state>"
            for number, value in enumerate(values, 1)
        )

    def _variables(self) -> str:
        def local(number: int, inner: str) -> str:
            head = f'id="{self._id("var", number)}" version="1" datatype="string" comment="a variable"'
            return f"<local_variable {head}>{inner}</local_variable>"

        head = f'id="{self._id("var", 1)}" version="1" datatype="string" comment="a variable"'
        text = f"<constant_variable {head}><value>a</value><value>e</value></constant_variable>"
        text += local(2, f'<object_component object_ref="{self._id("obj", 81)}" item_field="filename"/>')
        text += local(3, f'<variable_component var_ref="{self._id("var", 2)}"/>')
        text += local(4, "<literal_component>c</literal_component>")
        both = f'<literal_component>[</literal_component><variable_component var_ref="{self._id("var", 4)}"/>'
        text += local(5, f"<concat>{both}<literal_component>5-9]</literal_component></concat>")
        for name in self.external:
            text += f'<external_variable id="{name}" version="1" datatype="string" comment="a variable"/>'
        return text


class _Benchmark:
    """An XCCDF 1.2 benchmark over two OVAL documents."""

    def __init__(self, rng: random.Random, ovals: list[_Oval]) -> None:
        self._rng = rng
        self._ovals = ovals
        self.rules = [f"xccdf_org.example_rule_{number}" for number in range(rng.randint(4, 14))]
        self._values = [f"xccdf_org.example_value_{number}" for number in range(3)]
        self._groups: list[str] = []

    def text(self) -> str:
        rng = self._rng
        items, left = "", list(self.rules)
        while left:
            items += self._group(left, 0) if rng.random() < 0.5 else self._rule(left.pop(0))
        platforms = "".join(
            f'<lang:platform id="p{number}"><lang:logical-test operator="{rng.choice(("AND", "OR"))}" negate="false">'
            f'<lang:fact-ref name="cpe:/a:example:{number}"/><lang:fact-ref name="cpe:/a:example:0"/>'
            "</lang:logical-test></lang:platform>"
            for number in range(_PLATFORMS)
        )
        values = "".join(
            f'<x:Value id="{name}"><x:title>Value</x:title><x:value>{number}</x:value><x:value selector="b">'
            f"{number + 1}</x:value></x:Value>"
            for number, name in enumerate(self._values)
        )
        return (
            '<x:Benchmark id="xccdf_org.example_benchmark_a" xml:lang="en"><x:status>draft</x:status>'
            f"<x:title>A</x:title><lang:platform-specification>{platforms}</lang:platform-specification><x:version>1</x:version>"
            f"{self._profile('base', '')}{self._profile('more', 'base')}{values}{items}</x:Benchmark>"
        )

    def _profile(self, name: str, base: str) -> str:
        rng = self._rng
        extends = f' extends="xccdf_org.example_profile_{base}"' if base else ""
        chosen = rng.sample(self.rules + self._groups, rng.randint(1, len(self.rules)))
        lines = [f'<x:select idref="{item}" selected="{rng.choice(("true", "true", "false"))}"/>' for item in chosen]
        for value in self._values:
            if rng.random() < 0.4:
                lines.append(f'<x:set-value idref="{value}">{rng.randint(0, 4)}</x:set-value>')
            elif rng.random() < 0.4:
                lines.append(f'<x:refine-value idref="{value}" selector="b"/>')
        for rule in rng.sample(self.rules, 2):
            change = rng.choice(('selector="s"', 'severity="high"', 'weight="3.0"'))
            lines.append(f'<x:refine-rule idref="{rule}" {change}/>')
        head = f'<x:Profile id="xccdf_org.example_profile_{name}"{extends}><x:title>P</x:title>'
        return f"{head}{''.join(lines)}</x:Profile>"

    def _group(self, left: list[str], depth: int) -> str:
        rng = self._rng
        name = f"xccdf_org.example_group_{len(self._groups)}"
        self._groups.append(name)
        inner = self._platform()
        for _item in range(rng.randint(1, 3)):
            if left:
                inner += self._group(left, depth + 1) if depth < 2 and rng.random() < 0.3 else self._rule(left.pop(0))
        selected = rng.choice(("true", "true", "true", "false"))
        return f'<x:Group id="{name}" selected="{selected}"><x:title>G</x:title>{inner}</x:Group>'

    def _platform(self) -> str:
        number = self._rng.randrange(_PLATFORMS)
        return self._rng.choice(
            ("", "", f'<x:platform idref="#p{number}"/>', f'<x:platform idref="cpe:/a:example:{number}"/>')
        )

    def _rule(self, name: str) -> str:
        rng = self._rng
        others = [rule for rule in self.rules if rule != name]
        related = ""
        if rng.random() < 0.25:
            related += f'<x:requires idref="{" ".join(rng.sample(others, rng.randint(1, 2)))}"/>'
        if rng.random() < 0.15:
            related += f'<x:conflicts idref="{rng.choice(others)}"/>'
        texts = (
            f"<x:title>Rule</x:title><x:description>See {self._sub()}.</x:description><x:rationale>So.</x:rationale>"
        )
        fix = f'<x:fix system="urn:xccdf:fix:script:sh">echo {self._sub()}</x:fix>'
        selected = rng.choice(("true", "false"))
        return (
            f'<x:Rule id="{name}" selected="{selected}" severity="low">{texts}{self._platform()}'
            f"{related}{fix}{self._checks()}</x:Rule>"
        )

    def _sub(self) -> str:
        return f'<x:sub idref="{self._rng.choice(self._values)}" use="value"/>'

    def _checks(self) -> str:
        choice = self._rng.random()
        ocil = (
            f'<x:check system="{OCIL}"><x:check-content-ref href="ocil.xml" name="ocil:q:questionnaire:1"/></x:check>'
        )
        if choice < 0.1:
            return ocil
        if choice < 0.2:
            return ""
        if choice < 0.35:
            operator = self._rng.choice(("AND", "OR"))
            inner = "".join(self._check() for _check in range(2))
            negate = self._rng.choice(("true", "false"))
            return f'<x:complex-check operator="{operator}" negate="{negate}">{inner}</x:complex-check>'
        if choice < 0.5:
            return self._check() + self._check(' selector="s"')
        return self._rng.choice((self._check(), ocil + self._check(), self._check() + ocil))

    def _check(self, attributes: str = "") -> str:
        rng = self._rng
        number = rng.randrange(2)
        oval, href = self._ovals[number], ("one.xml", "two.xml")[number]
        exports = "".join(
            f'<x:check-export value-id="{rng.choice(self._values)}" export-name="{name}"/>' for name in oval.external
        )
        names = "" if rng.random() < 0.1 else f' name="{rng.choice(oval.definitions)}"'
        negate = ' negate="true"' if rng.random() < 0.1 else ""
        content = f'<x:check-content-ref href="{href}"{names}/>'
        return f'<x:check system="{OVAL}"{attributes}{negate}>{exports}{content}</x:check>'


def make(seed: int) -> str:
    """A data stream; the same one for the same seed."""
    rng = random.Random(seed)
    one, two, platforms = (_Oval(rng, name, rng.randint(2, 8)) for name in ("one", "two", "platforms"))
    dictionary = "".join(
        f'<cpe:cpe-item name="cpe:/a:example:{number}"><cpe:title xml:lang="en-us">P</cpe:title><cpe:check '
        f'system="{OVAL}" href="platforms.xml">{rng.choice(platforms.definitions)}</cpe:check></cpe:cpe-item>'
        for number in range(_PLATFORMS)
    )
    components = {
        "dictionary": f"<cpe:cpe-list>{dictionary}</cpe:cpe-list>",
        "xccdf": _Benchmark(rng, [one, two]).text(),
        "one": one.text(),
        "two": two.text(),
        "ocil": _OCIL,
        "platforms": platforms.text(),
    }
    parts = "".join(
        f'<ds:component id="scap_org.example_comp_{name}" timestamp="2026-01-01T00:00:00">{text}</ds:component>\n'
        for name, text in components.items()
    )
    return f"{_HEAD}{parts}</ds:data-stream-collection>\n".replace("><", ">\n<")
