"""The roll call's patterns: each possible name matches exactly one, whatever the image's names are."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET

import hypothesis
import hypothesis.strategies as st
from ansible_collections.scap.images.plugins.module_utils.model import Package
from ansible_collections.scap.images.plugins.module_utils.scanner import rollcall
from ansible_collections.scap.images.plugins.module_utils.scanner.packages import Inventory

NAMES = st.text("ab-+._]^\\é", min_size=0, max_size=4)


def patterns(names: list[str]) -> list[str]:
    packages = [Package(name=name, version="1", arch="x86_64", manager="rpm") for name in names]
    inventory = Inventory(manager="rpm", format="ndb", path="Packages.db", packages=packages)
    texts = [ET.fromstring(question.content).text for question in rollcall.questions(inventory)]
    return [text for text in texts if text is not None]


@hypothesis.given(st.lists(NAMES, max_size=60), st.lists(NAMES, max_size=20))
def test_each_name_matches_one(names: list[str], others: list[str]) -> None:
    found = patterns(names * 12)
    for name in {*names, *others}:
        assert sum(bool(re.search(pattern, name)) for pattern in found) == 1, (name, found)


def test_librpms_regular_expressions_agree() -> None:
    names = [
        f"{prefix}{middle}{end}" for prefix in ("lib-", "perl-", "+.") for middle in "abcdefgh." for end in range(40)
    ]
    found = patterns(names)
    counted = 0
    for pattern in found:
        grep = ["grep", "-E", "-c", "-e", pattern]
        done = subprocess.run(grep, input="\n".join(names), capture_output=True, text=True, check=False)
        assert 0 < int(done.stdout) <= rollcall.SHARE, (pattern, done)
        counted += int(done.stdout)
    assert counted == len(names)
    assert len(found) < 2 * len(names) / rollcall.SHARE


def test_few_packages_are_one_question() -> None:
    assert patterns(["bash"] * rollcall.SHARE) == ["^"]


def test_long_names_that_are_all_alike() -> None:
    assert len(patterns(["a" * 60_000] * (rollcall.SHARE + 1))) == 2
