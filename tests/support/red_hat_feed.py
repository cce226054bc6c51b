# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A feed of any size in the shapes of Red Hat's OVAL v2, and a root that has some of its packages.

A thousand source packages with one to sixteen packages each. Twenty of them, which containers do not have (kernel,
browsers, desktops), get nearly half of the advisories.
"""

from __future__ import annotations

import pathlib
import random

from tests.support import package_databases as made

_PARTS = ("", "-libs", "-devel", "-debuginfo", *(f"-part{number}" for number in range(12)))
SOURCES = [[f"source{number}{part}" for part in _PARTS][: 1 + number * 7 % 16] for number in range(1000)]
UNUSUAL = 20
_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5" xmlns:ind-def="http://oval.mitre.org/XMLSchema/oval-definitions-5#independent" xmlns:oval="http://oval.mitre.org/XMLSchema/oval-common-5" xmlns:red-def="http://oval.mitre.org/XMLSchema/oval-definitions-5#linux" xmlns:unix-def="http://oval.mitre.org/XMLSchema/oval-definitions-5#unix">
<generator><oval:product_name>made</oval:product_name><oval:schema_version>5.10</oval:schema_version><oval:timestamp>2026-01-01T00:00:00</oval:timestamp></generator>
"""  # noqa: E501
_P = "oval:com.example.rhsa"


def installed(count: int) -> list[str]:
    """Names of `count` packages: one or two of each of the usual sources."""
    names = [name for source in SOURCES[UNUSUAL:] for name in source[:2]]
    return random.Random(1).sample(names, count)


def root(folder: pathlib.Path, count: int) -> None:
    """A root with `count` packages besides the release package, all of version 1.0-1."""
    names = ["redhat-release", *installed(count)]
    headers = [made.rpm_header(name, version="8.4" if name == "redhat-release" else "1.0") for name in names]
    made.sqlite_file(folder / "var/lib/rpm/rpmdb.sqlite", headers)
    (folder / "etc").mkdir(exist_ok=True)
    (folder / "etc/os-release").write_text('ID="rhel"\nVERSION_ID="8.4"\nPRETTY_NAME="made"\n')
    (folder / "etc/redhat-release").write_text("Red Hat Enterprise Linux release 8.4\n")


def write(path: pathlib.Path, definitions: int, seed: int = 1) -> None:
    """Write the feed."""
    pick = random.Random(seed)
    names = sorted({name for source in SOURCES for name in source})
    numbers = {name: number for number, name in enumerate(names, 10)}
    tests: dict[tuple[int, int], tuple[int, str, str]] = {}
    states: dict[str, int] = {}
    with path.open("w") as out:
        out.write(f"{_HEAD}<definitions>\n")
        for number in range(1, definitions + 1):
            some = SOURCES[:UNUSUAL] if pick.random() < 0.45 else SOURCES[UNUSUAL:]
            version = f"0:{pick.choice((0, 1, 1, 2))}.{pick.randrange(300)}-{pick.randrange(1, 9)}.el8"
            state = states.setdefault(version, len(states) + 100)
            criteria = ""
            for name in pick.choice(some):
                older = tests.setdefault((numbers[name], state), (len(tests) + 100, name, version))[0]
                signed = tests.setdefault((numbers[name], 3), (len(tests) + 100, name, ""))[0]
                criteria += (
                    f'<criteria operator="AND">\n<criterion comment="{name} is earlier than {version}" '
                    f'test_ref="{_P}:tst:{older}"/>\n<criterion comment="{name} is signed with Red Hat redhatrelease2 '
                    f'key" test_ref="{_P}:tst:{signed}"/>\n</criteria>\n'
                )
            out.write(_definition(number, criteria, pick))
        out.write("</definitions>\n<tests>\n")
        for known, check, state in ((1, "none satisfy", 2), (2, "at least one", 1)):
            out.write(
                f'<red-def:rpmverifyfile_test check="{check}" comment="release" id="{_P}:tst:{known}" version="640">'
                f'<red-def:object object_ref="{_P}:obj:1"/><red-def:state state_ref="{_P}:ste:{state}"/>'
                "</red-def:rpmverifyfile_test>\n"
            )
        for (name_number, state), (test, name, version) in tests.items():
            comment = f"{name} is earlier than {version}" if version else f"{name} is signed"
            out.write(
                f'<red-def:rpminfo_test check="at least one" comment="{comment}" id="{_P}:tst:{test}" version="640">\n'
                f'<red-def:object object_ref="{_P}:obj:{name_number}"/>\n'
                f'<red-def:state state_ref="{_P}:ste:{state}"/>\n'
                "</red-def:rpminfo_test>\n"
            )
        out.write("</tests>\n<objects>\n")
        out.write(
            f'<red-def:rpmverifyfile_object id="{_P}:obj:1" version="640"><red-def:behaviors noconfigfiles="true" '
            'noghostfiles="true" nogroup="true" nolinkto="true" nomd5="true" nomode="true" nomtime="true" '
            'nordev="true" nosize="true" nouser="true"/><red-def:name operation="pattern match"/>'
            '<red-def:epoch operation="pattern match"/><red-def:version operation="pattern match"/>'
            '<red-def:release operation="pattern match"/>'
            '<red-def:arch operation="pattern match"/><red-def:filepath>/etc/redhat-release</red-def:filepath>'
            "</red-def:rpmverifyfile_object>\n"
        )
        for name, number in numbers.items():
            out.write(
                f'<red-def:rpminfo_object id="{_P}:obj:{number}" version="640">\n<red-def:name>{name}</red-def:name>\n'
                "</red-def:rpminfo_object>\n"
            )
        out.write("</objects>\n<states>\n")
        release = '<red-def:name operation="pattern match">^redhat-release</red-def:name>'
        version = '<red-def:version operation="pattern match">^8[^\\d]</red-def:version>'
        out.write(
            f'<red-def:rpmverifyfile_state id="{_P}:ste:1" version="640">{release}{version}'
            "</red-def:rpmverifyfile_state>\n"
            f'<red-def:rpmverifyfile_state id="{_P}:ste:2" version="640">{release}</red-def:rpmverifyfile_state>\n'
            f'<red-def:rpminfo_state id="{_P}:ste:3" version="640"><red-def:signature_keyid operation="pattern match">'
            "^(0|199e2f91fd431d51)?</red-def:signature_keyid></red-def:rpminfo_state>\n"
        )
        for version, state in states.items():
            out.write(
                f'<red-def:rpminfo_state id="{_P}:ste:{state}" version="640">\n<red-def:arch datatype="string" '
                'operation="pattern match">aarch64|ppc64le|s390x|x86_64|noarch</red-def:arch>\n'
                f'<red-def:evr datatype="evr_string" operation="less than">{version}</red-def:evr>\n'
                "</red-def:rpminfo_state>\n"
            )
        out.write("</states>\n</oval_definitions>\n")


def _definition(number: int, criteria: str, pick: random.Random) -> str:
    cves = [f"CVE-20{pick.randint(10, 26)}-{pick.randint(1000, 40000)}" for _unused in range(pick.randint(1, 6))]
    references = "".join(
        f'<reference ref_id="{cve}" ref_url="https://access.example.com/security/cve/{cve}" source="CVE"/>\n'
        for cve in cves
    )
    told = "".join(
        f'<cve cvss3="7.5/CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H" cwe="CWE-120" href="https://access.example.com/'
        f'security/cve/{cve}" impact="moderate" public="20190320">{cve}</cve>\n'
        for cve in cves
    )
    return f"""<definition class="patch" id="{_P}:def:{number}" version="640">
<metadata>
<title>RHSA-{number}: package security update (Important)</title>
<affected family="unix">
<platform>Red Hat Enterprise Linux 8</platform>
</affected>
<reference ref_id="RHSA-{number}" ref_url="https://access.example.com/errata/RHSA-{number}" source="RHSA"/>
{references}<description>{"A flaw was found in the way in which the program handles its input. " * 15}</description>
<advisory from="secalert@example.com">
<severity>Important</severity>
<rights>Copyright</rights>
<issued date="2024-05-07"/>
<updated date="2024-05-07"/>
{told}<affected_cpe_list><cpe>cpe:/o:redhat:enterprise_linux:8</cpe></affected_cpe_list>
</advisory>
</metadata>
<criteria operator="OR">
<criterion comment="Red Hat Enterprise Linux must be installed" test_ref="{_P}:tst:1"/>
<criteria operator="AND">
<criterion comment="Red Hat Enterprise Linux 8 is installed" test_ref="{_P}:tst:2"/>
<criteria operator="OR">
{criteria}</criteria>
</criteria>
</criteria>
</definition>
"""
