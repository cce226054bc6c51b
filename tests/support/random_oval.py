# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random OVAL definitions about packages, with every operator, and tests that come to each of the six results."""

from __future__ import annotations

import pathlib
import random

from tests.support import package_databases as made

SPACE = "http://oval.mitre.org/XMLSchema/oval-definitions-5"
INSTALLED = [f"there-{number}" for number in range(6)]
ABSENT = [f"gone-{number}" for number in range(6)]
CONFIGURED, PROVIDED = "configured", "provided"
"""dpkg: a package of which only the configuration is left, and one that another package provides."""
_EXISTENCE = ("at_least_one_exists", "all_exist", "any_exist", "none_exist", "only_one_exists")
_CHECKS = ("all", "at least one", "none satisfy", "only one")
_OPERATORS = ("AND", "OR", "ONE", "XOR")
_CLASSES = ("patch", "vulnerability", "inventory", "compliance", "miscellaneous")
_HEAD = f"""<?xml version="1.0" encoding="%s"?>
<oval_definitions xmlns="{SPACE}" xmlns:oval="http://oval.mitre.org/XMLSchema/oval-common-5"
 xmlns:lin="{SPACE}#linux" xmlns:ind="{SPACE}#independent" xmlns:win="{SPACE}#windows">
<generator><oval:product_name>random</oval:product_name><oval:schema_version>%s</oval:schema_version>
<oval:timestamp>2026-01-01T00:00:00</oval:timestamp></generator>
"""


def fill(root: pathlib.Path, manager: str) -> None:
    """Give a root the packages and files that the documents speak of."""
    if manager == "rpm":
        made.sqlite_file(root / "var/lib/rpm/rpmdb.sqlite", [made.rpm_header(name) for name in INSTALLED])
    else:
        more = [
            f"Package: {CONFIGURED}\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1.0-1\n\n",
            f"Package: provider\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.0\n"
            f"Provides: {PROVIDED}\nMaintainer: x\nDescription: x\n\n",
        ]
        (root / "var/lib/dpkg").mkdir(parents=True)
        (root / "var/lib/dpkg/status").write_bytes(made.dpkg_status(INSTALLED) + "".join(more).encode())
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/release").write_bytes(b"Release 1\n")
    (root / "etc/latin").write_bytes(b"caf\xe9\n")


class Document:
    """One document of a seed."""

    def __init__(self, seed: int, manager: str) -> None:
        self._random = random.Random(seed)
        self._family = "rpminfo" if manager == "rpm" else "dpkginfo"
        self._manager = manager
        self._tests: list[str] = []
        self._objects: list[str] = []
        self._states: list[str] = []
        self._variables: list[str] = []
        self._definitions: list[str] = []
        self._kinds = [self._package_test] * 8 + [self._other_test]
        for number in range(1, self._random.randint(5, 15)):
            self._random.choice(self._kinds)(number)
        self._count = len(self._tests)
        for number in range(1, self._random.randint(6, 41)):
            self._definition(number)

    def bytes(self) -> bytes:
        encoding = self._random.choice(("UTF-8", "UTF-8", "ISO-8859-1"))
        parts = [("definitions", self._definitions), ("tests", self._tests), ("objects", self._objects)]
        parts += [("states", self._states), ("variables", self._variables)]
        body = "\n".join(f"<{name}>\n" + "\n".join(lines) + f"\n</{name}>" for name, lines in parts if lines)
        head = _HEAD % (encoding, self._random.choice(("5.10", "5.11.1")))
        return f"{head}{body}\n</oval_definitions>\n".encode(encoding)

    def _name(self) -> str:
        return self._random.choice([*INSTALLED, *ABSENT, *ABSENT, CONFIGURED, PROVIDED, "THERE-0"])

    def _package_test(self, number: int) -> None:
        pick, family = self._random, self._family
        states = "".join(self._state(f"{number}{index}") for index in range(pick.choice((0, 0, 1, 1, 2))))
        operator = f' state_operator="{pick.choice(_OPERATORS)}"' if pick.random() < 0.3 else ""
        existence = f' check_existence="{pick.choice(_EXISTENCE)}"' if pick.random() < 0.9 else ""
        deprecated = ' deprecated="true"' if pick.random() < 0.05 else ""
        flags = f'check="{pick.choice(_CHECKS)}"{existence}{operator}{deprecated}'
        self._tests.append(
            f'<lin:{family}_test id="oval:r:tst:{number}" version="1" {flags} comment="t{number}">'
            f'<lin:object object_ref="oval:r:obj:{number}"/>{states}</lin:{family}_test>'
        )
        self._object(number)

    def _state(self, number: str) -> str:
        pick, family = self._random, self._family
        entity = pick.choice(
            (
                '<lin:arch operation="pattern match">^(x86_64|amd64|noarch)$</lin:arch>',
                f'<lin:evr datatype="evr_string" operation="{pick.choice(("less than", "greater than or equal"))}">'
                f"{pick.choice(('0:0.5-1', '0:9-1', '0:1.0-1'))}</lin:evr>",
                f"<lin:name>{self._name()}</lin:name>",
                f'<lin:version operation="not equal">{pick.choice(("1.0", "7"))}</lin:version>',
            )
        )
        self._states.append(f'<lin:{family}_state id="oval:r:ste:{number}" version="1">{entity}</lin:{family}_state>')
        return f'<lin:state state_ref="oval:r:ste:{number}"/>'

    def _object(self, number: int) -> None:
        pick, family = self._random, self._family
        shape, inner = pick.random(), f"<lin:name>{self._name()}</lin:name>"
        if shape < 0.12:
            check = pick.choice(("", *(f' var_check="{check}"' for check in _CHECKS)))
            inner = f'<lin:name var_ref="oval:r:var:{number}"{check}/>'
            values = "".join(f"<value>{self._name()}</value>" for _unused in range(pick.choice((1, 1, 1, 1, 2, 3))))
            self._variables.append(
                f'<constant_variable id="oval:r:var:{number}" version="1" datatype="string" comment="v">{values}'
                "</constant_variable>"
            )
        elif shape < 0.2 and self._manager == "rpm":
            operation = pick.choice(("pattern match", "not equal"))
            inner = f'<lin:name operation="{operation}">^{self._name()[:5]}</lin:name>'
        elif shape < 0.25:
            inner += f'<filter action="exclude">{self._state_id(number)}</filter>'
        elif shape < 0.3 and number > 1 and f'{family}_object id="oval:r:obj:{number - 1}"' in "".join(self._objects):
            inner = (
                f"<set><object_reference>oval:r:obj:{number - 1}</object_reference><object_reference>oval:r:obj:"
                f"{number - 1}</object_reference></set>"
            )
        elif shape < 0.33:
            inner = f"<lin:name> {self._name()} </lin:name>"
        elif shape < 0.36:
            inner = f'<lin:name datatype="string" operation="equals">{self._name()}</lin:name>'
        self._objects.append(f'<lin:{family}_object id="oval:r:obj:{number}" version="1">{inner}</lin:{family}_object>')

    def _state_id(self, number: int) -> str:
        self._state(f"{9000 + number}")
        return f"oval:r:ste:{9000 + number}"

    def _other_test(self, number: int) -> None:
        kind = self._random.choice(("unknown", "registry", "family", "text", "error") * 4 + ("missing",))
        head = f'id="oval:r:tst:{number}" version="1" comment="t{number}" check="all"'
        ref = f'object_ref="oval:r:obj:{number}"'
        mine = f'id="oval:r:obj:{number}" version="1"'
        if kind == "unknown":
            self._tests.append(f"<ind:unknown_test {head}/>")
        elif kind == "registry":
            self._tests.append(f"<win:registry_test {head}><win:object {ref}/></win:registry_test>")
            self._objects.append(
                f"<win:registry_object {mine}><win:hive>HKEY_LOCAL_MACHINE</win:hive><win:key>a</win:key>"
                "<win:name>b</win:name></win:registry_object>"
            )
        elif kind == "family":
            existence = self._random.choice(_EXISTENCE)
            self._tests.append(
                f'<ind:family_test {head} check_existence="{existence}"><ind:object {ref}/></ind:family_test>'
            )
            self._objects.append(f"<ind:family_object {mine}/>")
        elif kind in ("text", "error"):
            name = "release" if kind == "text" else "latin"
            self._tests.append(f"<ind:textfilecontent54_test {head}><ind:object {ref}/></ind:textfilecontent54_test>")
            self._objects.append(
                f"<ind:textfilecontent54_object {mine}><ind:filepath>/etc/{name}</ind:filepath>"
                '<ind:pattern operation="pattern match">^.*$</ind:pattern><ind:instance datatype="int" '
                'operation="greater than or equal">1</ind:instance></ind:textfilecontent54_object>'
            )
        else:
            self._tests.append(
                f'<lin:{self._family}_test {head}><lin:object object_ref="oval:r:obj:999"/></lin:{self._family}_test>'
            )

    def _definition(self, number: int) -> None:
        pick = self._random
        deprecated = ' deprecated="true"' if pick.random() < 0.05 else ""
        criteria = self._criteria(number, pick.randint(1, 4)) if pick.random() > 0.03 else ""
        self._definitions.append(
            f'<definition class="{pick.choice(_CLASSES)}" id="oval:r:def:{number}" version="{pick.randint(1, 9)}"'
            f'{deprecated}><metadata><title>D{number} é &lt;</title><affected family="unix"><platform>Any</platform>'
            f'</affected><description>d</description><reference source="CVE" ref_id="CVE-2026-{1000 + number}"/>'
            f"</metadata>{criteria}</definition>"
        )

    def _flags(self) -> str:
        negate = self._random.choice((' negate="true"', ' negate="false"', "", "", "", ""))
        return negate + (' applicability_check="true"' if self._random.random() < 0.05 else "")

    def _criteria(self, number: int, depth: int) -> str:
        pick, children = self._random, []
        for _unused in range(pick.randint(1, 4)):
            chance = pick.random()
            if depth > 1 and chance < 0.4:
                children.append(self._criteria(number, depth - 1))
            elif number > 1 and chance < 0.5:
                extended = pick.randrange(1, number)
                children.append(f'<extend_definition definition_ref="oval:r:def:{extended}"{self._flags()}/>')
            else:
                children.append(f'<criterion test_ref="oval:r:tst:{pick.randint(1, self._count)}"{self._flags()}/>')
        operator = f' operator="{pick.choice(_OPERATORS)}"' if pick.random() < 0.9 else ""
        return f"<criteria{operator}{self._flags()}>{''.join(children)}</criteria>"
